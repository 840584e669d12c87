/* test_prompts.c: prompts that take the place of the one that is written: those offered at the start, samples, former
 * ones and those of files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/test.h"
#include "tests/tui/guest.h"

static char folder[] = "/tmp/atmanscope-prompts-XXXXXX";

/* A file in the folder, whose path is returned until the next call. */
static const char *make_file(const char *name, const char *text, size_t length)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    CHECK(file && fwrite(text, 1, length, file) == length && fclose(file) == 0, "%s", path);
    return path;
}

/* "NAME=FOLDER/FILE" */
static const char *setting(char *text, size_t size, const char *name, const char *file)
{
    snprintf(text, size, "%s=%s/%s", name, folder, file);
    return text;
}

static const char samples[] =
    "The first hat\n--\nThe second ball,\nof two rows\n--\nThe third, with more words than a narrow window has\n--\n"
    "The fourth\n--\nThe fifth\n";

/* An empty start offers three samples: Enter, a number, a click or the arrows take one, anything typed is a prompt. */
static void test_offer(void)
{
    static const struct {
        const char *keys, *seen, *not_seen, *next;
    } cases[] = {
        {"\r", "The first hat", "The second", "The second"},
        {"2", "of two rows", "The first", "The third"},
        {DOWN DOWN "\r", "The third", "The first", "The fourth"},
        {UP "\r", "The third", "The first", "The fourth"},
        {"\033[<0;8;5M", "The second ball,", "The first", "The third"}, /* a click on the fifth row */
    };
    char from[128];
    make_file("samples", samples, strlen(samples));
    setting(from, sizeof from, "FAKE_SAMPLES", "samples");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pty *pty = guest_start(&(struct guest){.settings = {from, "FAKE_PROMPT="}});
        CHECK(pty_wait(pty, "or take one of these") && pty_wait(pty, " 3 The third") && pty_wait(pty, "ready"));
        CHECK(!pty_find(pty, "The fourth", NULL, NULL), "%s", pty_screen(pty));
        pty_send(pty, cases[i].keys);
        CHECK(pty_wait(pty, "probes in") && pty_wait(pty, cases[i].seen) && pty_wait_gone(pty, cases[i].not_seen),
              "%zu: %s", i, pty_screen(pty));
        pty_send(pty, CONTROL('T'));
        CHECK(pty_wait(pty, cases[i].next), "^T goes on from there");
        pty_stop(pty);
    }
    struct pty *pty = guest_start(&(struct guest){.rows = 12, .columns = 40, .settings = {from, "FAKE_PROMPT="}});
    CHECK(pty_wait(pty, "Type a prompt, or take one:") && pty_wait(pty, " 3 The third") && pty_wait(pty, "ready"), "%s",
          pty_screen(pty));
    CHECK(pty_wait(pty, "3 The third, with more words than a.."), "%s", pty_screen(pty));
    CHECK(pty_wait(pty, "Colours show what an answer rests on."), "%s", pty_screen(pty));
    pty_send(pty, "Own hat");
    CHECK(pty_wait(pty, "Own hat") && pty_wait_gone(pty, "take one"));
    CHECK(pty_wait(pty, "ready: Enter continues"), "%s", pty_screen(pty));
    pty_send(pty, CONTROL('U'));
    CHECK(pty_wait(pty, "take one"), "what is erased brings the offer back");
    pty_send(pty, "mine\r");
    CHECK(pty_wait(pty, "probes in"));
    pty_send(pty, CONTROL('U'));
    CHECK(pty_wait(pty, "Type a prompt, then Enter."), "not once something was measured");
    pty_stop(pty);
    pty = guest_start(&(struct guest){.settings = {"FAKE_PROMPT="}});
    CHECK(pty_wait(pty, "Type a prompt, then Enter."), "no samples, no offer");
    pty_send(pty, CONTROL('T'));
    CHECK(pty_wait(pty, "the file of sample prompts is not there"));
    pty_stop(pty);
}

/* What is being typed while the model is loaded waits for Enter; what Enter was pressed for waits for the model. */
static void test_early(void)
{
    for (int enter = 0; enter < 2; enter++) {
        struct pty *pty = guest_start(&(struct guest){.settings = {"FAKE_PROMPT=", "FAKE_OPEN_MS=1500"}});
        CHECK(pty_wait(pty, "loading"));
        pty_send(pty, enter ? "a hat\r" : "a hat");
        CHECK(pty_wait(pty, "a hat") && pty_wait(pty, enter ? "probes in" : "ready"), "%s", pty_screen(pty));
        pty_send(pty, enter ? " more" : "\r");
        CHECK(pty_wait(pty, enter ? "edited" : "probes in"));
        pty_stop(pty);
    }
}

/* Whoever has tried a sample is told how to make room for a prompt of their own; who has typed one is not. */
static void test_erasing(void)
{
    char from[128];
    setting(from, sizeof from, "FAKE_SAMPLES", "samples");
    struct pty *pty = guest_start(&(struct guest){.settings = {from, "FAKE_PROMPT="}});
    CHECK(pty_wait(pty, "ready"));
    pty_send(pty, "1");
    CHECK(pty_wait(pty, "probes in") && pty_wait(pty, "^U clears the prompt"), "%s", pty_screen(pty));
    pty_send(pty, "\025my hat");
    CHECK(pty_wait(pty, "my hat") && pty_wait_gone(pty, "The first") && pty_wait_gone(pty, "^U clears"));
    pty_send(pty, "\r");
    CHECK(pty_wait_gone(pty, "edited") && pty_wait(pty, "probes in") && !pty_find(pty, "^U clears", NULL, NULL));
    pty_send(pty, "\024\024");
    CHECK(pty_wait(pty, "The third") && pty_wait_gone(pty, "edited") && pty_wait(pty, "^U clears"), "%s",
          pty_screen(pty));
    pty_stop(pty);
}

static void test_samples(void)
{
    char from[128];
    setting(from, sizeof from, "FAKE_SAMPLES", "samples");
    struct pty *pty = guest_start(&(struct guest){.settings = {from}});
    CHECK(pty_wait(pty, DONE));
    pty_send(pty, CONTROL('T'));
    CHECK(pty_wait(pty, "The first hat") && pty_wait_gone(pty, "edited"));
    pty_send(pty, CONTROL('T'));
    CHECK(pty_wait(pty, "The second ball,") && pty_wait(pty, "of two rows"));
    pty_send(pty, CONTROL('_'));
    CHECK(pty_wait(pty, "The first hat"), "undo brings the former text back");
    pty_stop(pty);
}

/* Alt-p and Alt-n go through what was measured, also in an earlier session; what was being typed comes back. */
static void test_former(void)
{
    char history[128];
    setting(history, sizeof history, "FAKE_HISTORY", "state/history");
    struct guest guest = {.settings = {history, "FAKE_PROMPT=one hat"}};
    struct pty *pty = guest_start(&guest);
    CHECK(pty_wait(pty, "probes in"));
    pty_send(pty, "\033p");
    CHECK(pty_wait(pty, "oldest prompt"));
    pty_send(pty, " two\r");
    CHECK(pty_wait(pty, "one hat two") && pty_wait_gone(pty, "edited"));
    pty_send(pty, CONTROL('Q'));
    CHECK(pty_wait_end(pty) == 0);
    pty_stop(pty);

    guest.settings[1] = "FAKE_PROMPT=";
    pty = guest_start(&guest);
    CHECK(pty_wait(pty, "ready"));
    pty_send(pty, "being typed");
    pty_send(pty, "\033p");
    CHECK(pty_wait(pty, "one hat two") && pty_wait_gone(pty, "being typed"));
    pty_send(pty, "\033p");
    CHECK(pty_wait_gone(pty, "one hat two") && pty_wait(pty, "one hat"));
    pty_send(pty, "\033p");
    CHECK(pty_wait(pty, "oldest prompt"));
    pty_send(pty, "\033n");
    CHECK(pty_wait(pty, "one hat two"));
    pty_send(pty, "\033n");
    CHECK(pty_wait(pty, "being typed") && pty_wait_gone(pty, "one hat"));
    pty_send(pty, "\033n");
    CHECK(pty_wait(pty, "latest prompt"));
    pty_send(pty, "\033p\033p\r");
    CHECK(pty_wait(pty, "probes in"));
    pty_send(pty, "\033h");
    CHECK(pty_wait(pty, "Former prompts") && pty_wait(pty, "one hat two"));
    pty_send(pty, "TWO");
    CHECK(pty_wait(pty, "Former prompts: TWO"));
    pty_send(pty, "x");
    CHECK(pty_wait(pty, "Backspace takes a letter back"));
    pty_send(pty, "\b\r");
    CHECK(pty_wait_gone(pty, "Former prompts") && pty_wait(pty, "one hat two") && pty_wait(pty, "edited"));
    pty_send(pty, "\033h\033");
    CHECK(pty_wait_gone(pty, "Former prompts"));
    pty_stop(pty);
}

/* The folder of the sources as a whole path, malloced; "" where there is none. */
static char *source_folder(void)
{
    const char *source = getenv("srcdir");
    char *path = realpath(source && *source ? source : "..", NULL);
    return path ? path : strdup("");
}

/* The history's pictures are read again; one that is gone is said to be. */
static void test_former_pictures(void)
{
    char text[600], history[128], *source = source_folder();
    snprintf(text, sizeof text,
             "{\"prompt\":\"gone hat\",\"images\":[\"%s/no.png\"]}\n{\"prompt\":\"no hat\"}\n{\"prompt\":\"cat "
             "hat\",\"images\":[\"%s/assets/pictures/cat.png\"]}\n",
             folder, source);
    free(source);
    make_file("pictures", text, strlen(text));
    setting(history, sizeof history, "FAKE_HISTORY", "pictures");
    struct pty *pty = guest_start(&(struct guest){.settings = {history, "FAKE_PROMPT="}});
    CHECK(pty_wait(pty, "ready"));
    pty_send(pty, "\033p");
    CHECK(pty_wait(pty, "cat hat") && pty_wait(pty, " Picture "), "%s", pty_screen(pty));
    pty_send(pty, "\r");
    CHECK(pty_wait(pty, "probes in"));
    pty_send(pty, "\033p");
    CHECK(pty_wait(pty, "no hat") && pty_wait(pty, "edited") && pty_wait_gone(pty, " Picture "));
    pty_send(pty, "\033n");
    CHECK(pty_wait(pty, "cat hat") && pty_wait(pty, " Picture ") && pty_wait_gone(pty, "edited"),
          "it is the picture that was measured: %s", pty_screen(pty));
    pty_send(pty, "\033p\033p");
    CHECK(pty_wait(pty, "gone hat") && pty_wait(pty, "cannot open") && pty_wait(pty, "no.png: No such") &&
              pty_wait_gone(pty, " Picture "),
          "%s", pty_screen(pty));
    pty_stop(pty);
}

/* The hint of a sample says what ^U clears: its picture too. */
static void test_picture_sample(void)
{
    char text[600], from[128], *source = source_folder();
    snprintf(text, sizeof text, "image: %s/assets/pictures/cat.png\nA cat hat\n", source);
    free(source);
    make_file("shown", text, strlen(text));
    setting(from, sizeof from, "FAKE_SAMPLES", "shown");
    struct pty *pty = guest_start(&(struct guest){.settings = {from, "FAKE_PROMPT="}});
    CHECK(pty_wait(pty, "ready"));
    pty_send(pty, "1");
    CHECK(pty_wait(pty, "probes in") && pty_wait(pty, " Picture ") && pty_wait(pty, "^U clears"), "%s",
          pty_screen(pty));
    pty_send(pty, CONTROL('U'));
    CHECK(pty_wait_gone(pty, "cat hat") && pty_wait_gone(pty, " Picture "), "%s", pty_screen(pty));
    pty_stop(pty);
}

static void test_file(void)
{
    static char large[(1 << 20) + 2];
    char line[300];
    memset(large, 'x', sizeof large);
    make_file("good.txt", "a hat from a file,\nof two lines\n", 32);
    make_file("binary", "a\0b", 3);
    make_file("latin", "caf\xe9", 4);
    make_file("large", large, sizeof large);
    struct pty *pty = guest_start(&(struct guest){.settings = {"FAKE_PROMPT=x"}});
    CHECK(pty_wait(pty, "probes in"));
    static const struct {
        const char *name, *said;
    } bad[] = {
        {"", "is no file; Tab completes to one"},       {"binary", "binary: byte 1 is NUL"},
        {"latin", "latin: byte 3 (0xe9) is not UTF-8"}, {"large", "large: 1.0 MB are too long for a prompt; cut it"},
        {"none", "none: cannot open: No such file"},
    };
    pty_send(pty, "\033o");
    CHECK(pty_wait(pty, "Read the prompt from a text file"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(line, sizeof line, "%s%s/%s\r", CONTROL('U'), folder, bad[i].name);
        pty_send(pty, line);
        CHECK(pty_wait(pty, bad[i].said), "%s: %s", bad[i].name, pty_screen(pty));
    }
    snprintf(line, sizeof line, "%s%s/goo\t", CONTROL('U'), folder);
    pty_send(pty, line);
    CHECK(pty_wait(pty, "good.txt"), "Tab completes");
    pty_send(pty, "\r");
    CHECK(pty_wait(pty, "a hat from a file,") && pty_wait(pty, "31 bytes read; Enter measures them") &&
          pty_wait_gone(pty, "text file"));
    pty_send(pty, CONTROL('_'));
    CHECK(pty_wait_gone(pty, "a hat from"));
    pty_stop(pty);
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    test_offer();
    test_early();
    test_samples();
    test_erasing();
    test_former();
    test_former_pictures();
    test_picture_sample();
    test_file();
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    CHECK(system(command) == 0);
    return test_end();
}
