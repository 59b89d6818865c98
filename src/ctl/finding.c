/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/finding.h"

void finding_add(json_t *findings, const char *level, const char *what,
                 const char *advice)
{
    json_array_append_new(findings, json_pack("{s:s, s:s, s:s}", "level", level, "what",
                                              what, "advice", advice));
}
