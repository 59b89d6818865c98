/* SPDX-License-Identifier: BSD-2-Clause */
#include "range.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "tool.h"

void range_parse(struct range *range, const char *text)
{
    char address[64];
    struct in_addr in;
    unsigned number;
    char mark;
    int got = sscanf(text, "%63[0-9.]%c%u", address, &mark, &number);

    if (got < 1 || inet_pton(AF_INET, address, &in) != 1)
        die("%s: expected an address, address,count or a network", text);
    range->first = ntohl(in.s_addr);
    if (got == 1)
        range->count = 0;
    else if (got == 3 && mark == ',' && number > 0)
        range->count = number;
    else if (got == 3 && mark == '/' && number >= 1 && number <= 32)
        range->count = 1U << (32 - number);
    else
        die("%s: expected an address, address,count or a network", text);
}

uint32_t range_number(const struct range *range, uint32_t n)
{
    return range->count > 0 ? n % range->count : n;
}

struct in_addr range_address(const struct range *range, uint32_t number)
{
    return (struct in_addr){.s_addr = htonl(range->first + number)};
}

bool range_holds(const struct range *range, uint32_t address)
{
    return address >= range->first &&
           (range->count == 0 || address - range->first < range->count);
}
