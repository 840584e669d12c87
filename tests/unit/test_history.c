/* The prompts kept across runs: order, bounds, files that are broken, missing or not to be written, several programs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"
#include "tui/history.h"

static char folder[] = "/tmp/atmanscope-history-XXXXXX", file[128];

static void add(struct history *history, const char *prompt)
{
    history_add(history, prompt, strlen(prompt), NULL, 0);
}

static bool is_entry(const struct history *history, size_t from_last, const char *prompt)
{
    return from_last < history->count && strcmp(history->entries[history->count - 1 - from_last].prompt, prompt) == 0;
}

static void write_text(const char *text)
{
    FILE *out = fopen(file, "w");
    CHECK(out && fputs(text, out) >= 0 && fclose(out) == 0);
}

static void test_paths(void)
{
    char path[64];
    history_path(path, sizeof path, "/home/a", NULL);
    CHECK(strcmp(path, "/home/a/.local/state/atmanscope/history") == 0, "%s", path);
    history_path(path, sizeof path, "/home/a", "/state");
    CHECK(strcmp(path, "/state/atmanscope/history") == 0, "%s", path);
    history_path(path, sizeof path, "/home/a", "relative");
    CHECK(strcmp(path, "/home/a/.local/state/atmanscope/history") == 0, "%s", path);
    history_path(path, sizeof path, NULL, NULL);
    CHECK(*path == '\0');
    history_path(path, 20, "/home/a", NULL);
    CHECK(*path == '\0', "too long");
}

static void test_order(void)
{
    struct history history;
    struct stat found;
    char *images[] = {"/a/cat.png", NULL, "/b/dog.png"};
    history_open(&history, file);
    CHECK(history.count == 0);
    add(&history, "first");
    add(&history, "second,\nof \"two\" lines \xc3\xa9");
    history_add(&history, "third", 5, images, 3);
    add(&history, "first");
    add(&history, "first");
    add(&history, "");
    CHECK(history.count == 3 && is_entry(&history, 0, "first") && is_entry(&history, 1, "third"), "%zu", history.count);
    history_close(&history);
    CHECK(stat(file, &found) == 0 && (found.st_mode & 0777) == 0600, "%o", (unsigned)found.st_mode);
    history_open(&history, file);
    CHECK(history.count == 3 && is_entry(&history, 0, "first") &&
          is_entry(&history, 2, "second,\nof \"two\" lines \xc3\xa9"));
    const struct history_entry *third = &history.entries[1];
    CHECK(third->image_count == 2 && strcmp(third->images[1], "/b/dog.png") == 0);
    history_add(&history, "third", 5, NULL, 0);
    CHECK(history.count == 4, "other pictures, another prompt");
    history_close(&history);
}

static void test_bound(void)
{
    struct history history;
    char text[32];
    unlink(file);
    history_open(&history, NULL);
    for (int i = 0; i < HISTORY_MOST + 10; i++) {
        snprintf(text, sizeof text, "prompt %d", i);
        add(&history, text);
    }
    CHECK(history.count == HISTORY_MOST && is_entry(&history, 0, text) &&
          is_entry(&history, HISTORY_MOST - 1, "prompt 10"));
    CHECK(access(file, F_OK) != 0, "nothing is kept without a file");
    size_t length = 300 << 10;
    char *large = malloc(length);
    memset(large, 'x', length);
    history_add(&history, large, length, NULL, 0);
    CHECK(is_entry(&history, 0, text), "an enormous one is not taken");
    free(large);
    history_close(&history);
    FILE *out = fopen(file, "w"); /* a longer file than ours may be */
    for (int i = 0; out && i < 2 * HISTORY_MOST; i++)
        fprintf(out, "{\"prompt\":\"old %d\"}\n", i);
    fclose(out);
    history_open(&history, file);
    add(&history, "new");
    CHECK(history.count == HISTORY_MOST && is_entry(&history, 0, "new") && is_entry(&history, 1, "old 1999"));
    history_close(&history);
}

static void test_broken(void)
{
    struct history history;
    write_text("no "
               "JSON\n[1]\n{\"prompt\":\"\"}\n{\"prompt\":7}\n{\"prompt\":\"good\",\"images\":[\"/"
               "x.png\",3]}\n{\"prompt\":\"cut");
    history_open(&history, file);
    CHECK(history.count == 1 && is_entry(&history, 0, "good") && history.entries[0].image_count == 1, "%zu",
          history.count);
    add(&history, "next");
    history_add(&history, "bad \xff", 5, NULL, 0);
    history_close(&history);
    history_open(&history, file);
    CHECK(history.count == 2 && is_entry(&history, 0, "next"), "%zu", history.count);
    history_close(&history);
}

static void test_no_place(void)
{
    struct history history;
    history_open(&history, "/proc/no/such/history");
    add(&history, "kept while we run");
    CHECK(history.count == 1);
    history_close(&history);
    history_open(&history, folder); /* a folder in place of the file */
    add(&history, "kept while we run");
    CHECK(history.count == 1);
    history_close(&history);
}

/* What another program wrote meanwhile comes before ours, and what was there before both stays where it is. */
static void test_two(void)
{
    struct history one, other;
    unlink(file);
    history_open(&one, file);
    add(&one, "old");
    add(&one, "older than both");
    history_open(&other, file);
    add(&other, "the other's");
    add(&one, "ours");
    CHECK(one.count == 4 && is_entry(&one, 0, "ours") && is_entry(&one, 1, "the other's") && is_entry(&one, 3, "old"),
          "%zu", one.count);
    history_close(&one);
    history_close(&other);
}

/* The file does not grow beyond 16 MB, give or take a prompt. */
static void test_file_size(void)
{
    enum { LARGE = 200000, PROMPTS = 100 };
    struct history history;
    struct stat found;
    char *prompt = malloc(LARGE + 1);
    FILE *out = fopen(file, "w");
    memset(prompt, 'x', LARGE);
    prompt[LARGE] = '\0';
    for (int i = 0; out && i < PROMPTS; i++)
        fprintf(out, "{\"prompt\":\"%d %s\"}\n", i, prompt);
    fclose(out);
    history_open(&history, file);
    CHECK(history.count == PROMPTS, "%zu", history.count);
    add(&history, "new");
    history_close(&history);
    CHECK(stat(file, &found) == 0 && found.st_size > 15 << 20 && found.st_size < 17 << 20, "%ld bytes",
          (long)found.st_size);
    history_open(&history, file);
    CHECK(is_entry(&history, 0, "new"), "the oldest are left out");
    history_close(&history);
    free(prompt);
}

/* Programs that write at the same time lose nothing of each other. */
static void test_several(void)
{
    enum { PROGRAMS = 4, PROMPTS = 10 };
    struct history history;
    unlink(file);
    for (int p = 0; p < PROGRAMS; p++) {
        if (fork() != 0)
            continue;
        char text[32];
        history_open(&history, file);
        for (int i = 0; i < PROMPTS; i++) {
            snprintf(text, sizeof text, "prompt %d of %d", i, p);
            do /* a lock that is not to be had is no loss: the next one writes it too */
                add(&history, text);
            while (history.entries[history.count - 1].unsaved);
        }
        _exit(0);
    }
    while (wait(NULL) > 0) {
    }
    history_open(&history, file);
    CHECK(history.count == PROGRAMS * PROMPTS, "%zu", history.count);
    history_close(&history);
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    snprintf(file, sizeof file, "%s/state/atmanscope/history", folder);
    test_paths();
    test_order();
    test_bound();
    test_broken();
    test_no_place();
    test_two();
    test_file_size();
    test_several();
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    CHECK(system(command) == 0);
    return test_end();
}
