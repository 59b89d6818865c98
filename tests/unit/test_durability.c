/* SPDX-License-Identifier: BSD-2-Clause */
/* What add and remove acknowledged is there after kill -9 at any moment, and after a
 * power loss, and nothing is half there. RBLMILTER_TEST_ROUNDS changes how often each is
 * tried. The power loss is played by a layer under SQLite (power_layer.h). */

#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "blocklist/store.h"
#include "blocklist/transaction.h"
#include "blocklist_helper.h"
#include "power_layer.h"

#define ROUNDS 60

/* --- the child that changes and is stopped --- */

static void tell(int fd, char what, unsigned number)
{
    char line[16];
    int n = snprintf(line, sizeof line, "%c%u\n", what, number);

    if (write(fd, line, (size_t)n) != n)
        _exit(3);
}

static struct entry numbered(const char *format, unsigned number)
{
    char text[64];

    snprintf(text, sizeof text, format, number);
    return box_entry(text);
}

/* Two entries in one change, so that half a change can be seen. */
static void add_pair(struct box *box, unsigned number)
{
    struct entry a = numbered("a%u.example", number), b = numbered("b%u.example", number);
    struct blocklist_row_in rows[] = {{.entry = &a, .reason = "why"}, {.entry = &b}};
    struct blocklist_actor actor = {"test", 0};

    if (blocklist_add(box->blocklist, rows, 2, NULL, &actor, NULL, box->error) !=
        BLOCKLIST_OK)
        _exit(4);
}

static void remove_pair(struct box *box, unsigned number)
{
    struct entry pair[] = {numbered("a%u.example", number),
                           numbered("b%u.example", number)};
    struct blocklist_actor actor = {"test", 0};
    size_t removed;

    if (blocklist_remove(box->blocklist, pair, 2, NULL, "", false, &actor, &removed,
                         box->error) != BLOCKLIST_OK)
        _exit(5);
}

/* Adds first, first + 1 … and removes every third again, telling each that is done, and
 * lets SQLite move the log now and then. When power_after > 0 the power goes then. */
static void change_until_stopped(struct box *box, int fd, unsigned first,
                                 unsigned power_after)
{
    struct blocklist_match match = {.subject = BLOCKLIST_BY_SENDER, .key = "a0.example"};

    if (box_try_open(box, BLOCKLIST_DAMAGE_STOP) == NULL)
        _exit(6);
    for (unsigned i = 0; i < 10000; i++) {
        add_pair(box, first + i);
        tell(fd, '+', first + i);
        if (i % 3 == 2) {
            tell(fd, '?', first + i - 1); /* from here on it may be gone */
            remove_pair(box, first + i - 1);
            tell(fd, '-', first + i - 1);
        }
        blocklist_hit(box->blocklist, &match);
        if (i % 7 == 6) {
            flusher_work(box->blocklist);
            (void)transaction_lock(box->blocklist, 10000, box->error);
            sqlite3_wal_checkpoint_v2(box->blocklist->writer.db, "main",
                                      SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
            transaction_unlock(box->blocklist);
        }
        if (power_after > 0 && i >= power_after)
            lose_power();
    }
    _exit(7);
}

/* --- what must be there afterwards --- */

#define NUMBERS_MAX 200000

enum said { SAID_NOTHING, SAID_ADDED, SAID_REMOVING, SAID_REMOVED };

/* Reads what the child acknowledges: so many lines, or all that is left. */
static unsigned read_told(FILE *from, unsigned char *said, unsigned highest,
                          unsigned most)
{
    char line[32];
    unsigned number;
    char what;

    while (most-- > 0 && fgets(line, sizeof line, from) != NULL) {
        if (strchr(line, '\n') == NULL || sscanf(line, "%c%u", &what, &number) != 2 ||
            number >= NUMBERS_MAX)
            break;
        said[number] = what == '+'   ? SAID_ADDED
                       : what == '?' ? SAID_REMOVING
                                     : SAID_REMOVED;
        if (number + 1 > highest)
            highest = number + 1;
    }
    return highest;
}

static void check(struct box *box, const unsigned char *said, unsigned highest, int round)
{
    box_open(box, false);
    for (unsigned i = 0; i < highest; i++) {
        char a[64], b[64];
        enum blocklist_verdict got_a, got_b;

        snprintf(a, sizeof a, "x@a%u.example", i);
        snprintf(b, sizeof b, "x@b%u.example", i);
        got_a = box_ask(box, a, NULL);
        got_b = box_ask(box, b, NULL);
        if (got_a != got_b)
            fail_msg("round %d: half of change %u is there", round, i);
        if (said[i] == SAID_ADDED && got_a != BLOCKLIST_BLOCK)
            fail_msg("round %d: %s was acknowledged and is lost", round, a);
        if (said[i] == SAID_REMOVED && got_a != BLOCKLIST_NONE)
            fail_msg("round %d: the removal of %s was acknowledged and is lost", round,
                     a);
    }
    box_close(box);
    assert_int_equal(box_number(box, "SELECT count(*) FROM pragma_quick_check"
                                     " WHERE quick_check = 'ok'"),
                     1);
    /* the audit log says of each row that stands, and of no other */
    assert_int_equal(box_number(box,
                                "SELECT count(*) FROM listing WHERE NOT EXISTS (SELECT 1"
                                " FROM audit WHERE audit.entry = listing.entry)"),
                     0);
    assert_int_equal(box_number(box,
                                "SELECT (SELECT count(*) FROM audit WHERE action = 'add')"
                                " - (SELECT count(*) FROM audit WHERE action = 'remove')"
                                " - (SELECT count(*) FROM listing)"),
                     0);
}

static unsigned rounds(void)
{
    const char *text = getenv("RBLMILTER_TEST_ROUNDS");

    return text != NULL ? (unsigned)strtoul(text, NULL, 10) : ROUNDS;
}

static pid_t start_child(struct box *box, unsigned first, unsigned power_after,
                         FILE **told)
{
    int fds[2];
    pid_t child;

    assert_int_equal(pipe(fds), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(fds[0]);
        srandom(first + 1);
        if (power_after > 0)
            put_layer_under_sqlite();
        change_until_stopped(box, fds[1], first, power_after);
    }
    close(fds[1]);
    *told = fdopen(fds[0], "r");
    assert_non_null(*told);
    return child;
}

static void test_kill(void **state)
{
    unsigned char *said = calloc(NUMBERS_MAX, 1);
    unsigned highest = 0;
    struct box box;

    (void)state;
    srandom(1);
    box_start(&box);
    for (unsigned round = 0; round < rounds(); round++) {
        FILE *told;
        pid_t child = start_child(&box, highest + 1, 0, &told);
        int status;

        /* after some changes, and anywhere within the next one */
        highest = read_told(told, said, highest + 1, 4 + (unsigned)random() % 40);
        usleep((useconds_t)(random() % 2000));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        /* one that was under way and not told may be there or not: leave its number out
         */
        highest = read_told(told, said, highest, UINT_MAX) + 2;
        fclose(told);
        if (round % 4 == 3 || round + 1 == rounds())
            check(&box, said, highest, (int)round);
    }
    assert_true(highest > rounds() * 3);
    free(said);
    box_end(&box);
}

static void test_power_loss(void **state)
{
    unsigned char *said = calloc(NUMBERS_MAX, 1);
    unsigned highest = 0;
    char shm[128];
    struct box box;

    (void)state;
    srandom(2);
    box_start(&box);
    snprintf(shm, sizeof shm, "%s-shm", box.path);
    for (unsigned round = 0; round < rounds(); round++) {
        FILE *told;
        pid_t child = start_child(&box, highest + 1, 1 + (unsigned)random() % 40, &told);
        int status;

        highest = read_told(told, said, highest + 1, UINT_MAX) + 2;
        fclose(told);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail_msg("round %u: the child's status is %x", round, (unsigned)status);
        (void)unlink(shm); /* it is memory: a power loss takes it */
        check(&box, said, highest, (int)round);
    }
    free(said);
    box_end(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_power_loss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
