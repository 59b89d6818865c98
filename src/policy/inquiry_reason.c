#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "policy/inquiry_parts.h"

/* The TXT question of the message, if one was asked. */
static struct question *reason_question(struct inquiry *inquiry)
{
    for (struct batch *batch = inquiry->first; batch != NULL; batch = batch->next)
        if (batch->is_reason && batch->count > 0)
            return &batch->questions[0];
    return NULL;
}

void inquiry_wait_reason(struct inquiry *inquiry, const struct wait *wait)
{
    struct question *q = reason_question(inquiry);
    int64_t call_ms = 0;

    if (q == NULL)
        return;
    pthread_mutex_lock(&inquiry->lock);
    while (q->open && clock_ms() < wait->deadline_ms)
        inquiry_wait_once(inquiry, wait, &call_ms);
    pthread_mutex_unlock(&inquiry->lock);
}

/* Replaces the list's key, which some operators repeat in their texts. */
static void hide_key(char *text, const char *key)
{
    size_t length = key != NULL ? strlen(key) : 0;

    if (length == 0)
        return;
    for (char *at = strcasestr(text, key); at != NULL; at = strcasestr(at, key))
        memset(at, '*', length);
}

void inquiry_reason(struct inquiry *inquiry, char *out, size_t size)
{
    const struct question *q = reason_question(inquiry);
    char clean[4 * DNS_TEXT_MAX + 1] = ""; /* whole: a cut key would not be found */

    out[0] = '\0';
    if (q == NULL)
        return;
    pthread_mutex_lock(&inquiry->lock);
    if (!q->open && q->text != NULL && q->text->text != NULL)
        text_clean(q->text->text, clean, sizeof clean);
    pthread_mutex_unlock(&inquiry->lock);
    hide_key(clean, q->dnsbl->list->key);
    text_clean(clean, out, size);
}
