/* SPDX-License-Identifier: BSD-2-Clause */
#include "config_helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/rblmilter-test-XXXXXX";

void config_tell(void *context, const char *text)
{
    struct told *told = context;
    size_t used = strlen(told->text), length = strlen(folder);
    const char *at;

    while ((at = strstr(text, folder)) != NULL) {
        used += (size_t)snprintf(told->text + used, TOLD_SIZE - used, "%.*s",
                                 (int)(at - text), text);
        text = at + length + (at[length] == '/' ? 1 : 0);
    }
    snprintf(told->text + used, TOLD_SIZE - used, "%s\n", text);
}

const char *path_of(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *f = fopen(path_of(name), "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path_of(name), mode), 0);
}

struct config *load(const char *text, struct told *told)
{
    told->text[0] = '\0';
    write_file("main.conf", text, 0644);
    return config_load(path_of("main.conf"), config_tell, told);
}

struct config *load_good(const char *text)
{
    struct told told;
    struct config *config = load(text, &told);

    if (config == NULL)
        fail_msg("refused: %s\n%s", text, told.text);
    assert_string_equal(told.text, "");
    return config;
}

static void fail_but_warnings(void *context, const char *text)
{
    (void)context;
    if (strstr(text, "warning: ") == NULL)
        fail_msg("%s", text);
}

struct config *config_of(const char *text)
{
    struct config *config = config_of_text("test", text, fail_but_warnings, NULL);

    assert_non_null(config);
    return config;
}

int set_up_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL || mkdir(path_of("sub"), 0755) != 0)
        return -1;
    write_file("good.key", "# comes from the portal\n S3cret \n", 0640);
    write_file("open.key", "s3cret\n", 0644);
    write_file("empty.key", "\n# nothing\n", 0600);
    write_file("two.key", "a\nb\n", 0600);
    write_file("bad.conf", "# x\n\nlog { level = \"x\" }\nbogus = 1\n", 0644);
    write_file("value.conf", "log { level = \"x\" }\n", 0644);
    write_file("value2.conf", "# x\nverdict { reject = x } # y\n", 0644);
    write_file("quote.conf", "# x\nuser = 'x\n", 0644);
    write_file("open.conf", "log {\n", 0644);
    write_file("list.conf", "list \"inc\" { zone = \"inc.example\" }\n", 0644);
    write_file("sub/more.conf", "verdict { reject = 6 }", 0644);
    return 0;
}

int tear_down_folder(void **state)
{
    static const char *const names[] = {"good.key",   "open.key",    "empty.key",
                                        "two.key",    "bad.conf",    "open.conf",
                                        "value.conf", "value2.conf", "quote.conf",
                                        "list.conf",  "main.conf",   "sub/more.conf"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(path_of(names[i]));
    rmdir(path_of("sub"));
    return rmdir(folder);
}
