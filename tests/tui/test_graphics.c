/* test_graphics.c: the picture's pane on terminals that draw sixel and on those that do not, over the engine without a
 * model.  Pictures are cut out of the stream and decoded; the fake terminal says what it can do in various ways, late,
 * or not at all. */
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"
#include "tests/tui/fake_engine.h"
#include "tests/tui/guest.h"
#include "tests/tui/sixel_read.h"
#include "tui/picture.h"

/* With one picture: 144 patches more. */
#define ALL "170 probes in"
enum { WIDE = 9, HIGH = 18 };

/* ms without a byte after which nothing comes any more: a slow build takes longer to draw, and longer between pictures.
 */
static int quiet(void)
{
    return getenv("SLOW_BUILD") ? 2500 : 500;
}

/* Wait for the last picture of a burst, and decode it. */
static struct sixel_pixels last_picture(struct pty *pty)
{
    struct sixel_pixels pixels = {0};
    while (pty_listen(pty, quiet()) > 0) {
    }
    const struct pty_picture *picture = pty_picture(pty);
    CHECK(picture && sixel_read(picture->bytes, picture->length, &pixels), "%zu bytes", picture ? picture->length : 0);
    return pixels;
}

static const uint8_t *pixel(const struct sixel_pixels *pixels, double x, double y)
{
    static const uint8_t none[3];
    size_t at = (size_t)(y * pixels->height) * (size_t)pixels->width + (size_t)(x * pixels->width);
    return pixels->rgb ? pixels->rgb + 3 * at : none;
}

/* A pixel in the middle of a patch of the grid. */
static const uint8_t *patch(const struct sixel_pixels *pixels, int column, int row)
{
    return pixel(pixels, (column + 0.5) / 12, (row + 0.5) / 12);
}

static bool is_near(const uint8_t *rgb, unsigned wanted, int most)
{
    for (int c = 0; c < 3; c++)
        if (abs(rgb[c] - (int)(wanted >> (16 - 8 * c) & 255)) > most)
            return false;
    return true;
}

static struct guest with_picture(const char *more)
{
    return (struct guest){
        .sixel = true, .cell_width = WIDE, .cell_height = HIGH, .settings = {"FAKE_PICTURES=1", "FAKE_BATCH=16", more}};
}

static struct pty *start(const char *more)
{
    struct guest guest = with_picture(more);
    struct pty *pty = guest_start(&guest);
    CHECK(pty_wait(pty, ALL) && pty_wait_picture(pty, 0));
    return pty;
}

/* Expect no picture. */
static void check_quiet(struct pty *pty, int pictures, const char *what)
{
    pty_listen(pty, quiet());
    CHECK(pty_pictures(pty) == pictures, "%s: %d pictures, not %d", what, pty_pictures(pty), pictures);
}

/* -- pixels -------------------------------------------------------------------------------------------------------- */

/* The picture alone is picture.c's to within what fewer colours and sixel's percents cost. */
static void test_pixels(void)
{
    struct pty *pty = start(NULL);
    struct image *image = fake_picture(0);
    struct picture_canvas canvas = {0};
    struct picture_look look = {.image = image, .picture = -1, .mode = PICTURE_PLAIN, .unit = -1};
    pty_send(pty, CONTROL('V'));
    struct sixel_pixels seen = last_picture(pty);
    CHECK(seen.width > 300 && seen.height > 300 && seen.height % 6 == 0, "%d x %d", seen.width, seen.height);
    CHECK(picture_draw(&canvas, &look, seen.width, seen.height, NULL) == 0);
    int far = 0, bare = 0;
    for (int i = 0; i < seen.width * seen.height; i++) {
        const uint8_t *c = canvas.rgb + 3 * i;
        far += !is_near(seen.rgb + 3 * i, (unsigned)c[0] << 16 | (unsigned)c[1] << 8 | c[2], 12);
        bare += !seen.painted[i];
    }
    CHECK(far == 0 && bare == 0, "%d of %d pixels are off, %d are bare", far, seen.width * seen.height, bare);
    const struct pty_picture *picture = pty_picture(pty);
    int right = picture->column * WIDE + seen.width, bottom = picture->row * HIGH + seen.height;
    CHECK(picture->row == 1 && right <= 80 * WIDE && bottom <= 20 * HIGH, "%d, %d", right, bottom);
    picture_canvas_free(&canvas);
    image_release(image);
    sixel_pixels_free(&seen);
    pty_stop(pty);
}

/* The colours of the words, on the patches. */
static void test_heat(void)
{
    struct pty *pty = start(NULL);
    pty_send(pty, "\t" RIGHT);
    pty_send(pty, CONTROL('V'));
    pty_send(pty, CONTROL('V'));
    CHECK(pty_wait(pty, "\"blue\" rests on \"blue\" +2.000"));
    struct sixel_pixels seen = last_picture(pty);
    const uint8_t *hot = patch(&seen, FAKE_COLUMN, FAKE_ROW);
    CHECK(is_near(hot, colour_rgb(SCALE_BLUE_ORANGE, GROUND_DARK, 0.75), 6), "%d %d %d", hot[0], hot[1], hot[2]);
    sixel_pixels_free(&seen);
    pty_send(pty, DOWN); /* " red" in its place */
    CHECK(pty_wait(pty, "\"red\" rests on"), "%s", pty_screen(pty));
    seen = last_picture(pty);
    hot = patch(&seen, FAKE_COLUMN, FAKE_ROW);
    CHECK(is_near(hot, colour_rgb(SCALE_BLUE_ORANGE, GROUND_DARK, -0.5), 6), "%d %d %d", hot[0], hot[1], hot[2]);
    sixel_pixels_free(&seen);
    pty_send(pty, CONTROL('V'));
    pty_send(pty, "\t");
    CHECK(pty_wait(pty, "60 %"));
    struct sixel_pixels before = last_picture(pty);
    pty_send(pty, "++++");
    CHECK(pty_wait(pty, "100 %"));
    seen = last_picture(pty);
    const uint8_t *strong = pixel(&seen, 9.85 / 12, 4.85 / 12), *weak = pixel(&before, 9.85 / 12, 4.85 / 12);
    CHECK(is_near(strong, colour_rgb(SCALE_BLUE_ORANGE, GROUND_DARK, -0.5), 30) &&
              !is_near(weak, colour_rgb(SCALE_BLUE_ORANGE, GROUND_DARK, -0.5), 30),
          "%d %d %d, %d %d %d", strong[0], strong[1], strong[2], weak[0], weak[1], weak[2]);
    sixel_pixels_free(&seen);
    sixel_pixels_free(&before);
    pty_stop(pty);
}

static void test_cursor(void)
{
    struct pty *pty = start(NULL);
    char click[64];
    pty_send(pty, "\t" RIGHT "\t");
    CHECK(pty_wait(pty, "patch 8,3 +1.500 nats, rank 2: without it \"blue\" is 4.5 times less likely"), "%s",
          pty_row(pty, 21));
    CHECK(pty_wait(pty, "and 8 patches like it (dots), with the words \"blue\" +2.000"), "%s", pty_row(pty, 22));
    struct sixel_pixels before = last_picture(pty);
    CHECK(is_near(patch(&before, 9, 3), 0xffffff, 6) && !is_near(patch(&before, 11, 3), 0xffffff, 40), "the dots");
    pty_send(pty, RIGHT DOWN);
    CHECK(pty_wait(pty, "patch 9,4 +1.500"));
    struct sixel_pixels seen = last_picture(pty);
    CHECK(is_near(pixel(&seen, 8.04 / 12, 3.5 / 12), 0xffffff, 6) &&
              is_near(pixel(&before, 7.04 / 12, 2.5 / 12), 0xffffff, 6) &&
              !is_near(pixel(&seen, 7.04 / 12, 2.5 / 12), 0xffffff, 40),
          "the frame moves");
    pty_send(pty, LEFT LEFT LEFT LEFT LEFT LEFT LEFT LEFT LEFT LEFT LEFT LEFT UP UP UP UP UP);
    CHECK(pty_wait(pty, "patch 1,1"));
    const struct pty_picture *picture = pty_picture(pty);
    sprintf(click, "\033[<0;%d;%dM", picture->column + seen.width / WIDE, picture->row + seen.height / HIGH);
    pty_send(pty, click);
    CHECK(pty_wait(pty, "patch 12,12"));
    pty_send(pty, "g");
    CHECK(pty_wait(pty, "rank 2:"));
    pty_send(pty, "g");
    CHECK(pty_wait(pty, "rank 3:"));
    pty_send(pty, "u\t");
    CHECK(pty_wait(pty, "F12 patch"));
    pty_send(pty, "\033[24~"); /* F12 */
    CHECK(pty_wait(pty, "F12 2x2") && pty_wait(pty, "62 probes"), "%s", pty_screen(pty));
    pty_send(pty, "\t\t");
    CHECK(pty_wait(pty, "patches 7-8,3-4 +1.500"), "%s", pty_row(pty, 21));
    sixel_pixels_free(&seen);
    sixel_pixels_free(&before);
    pty_stop(pty);
}

/* -- when it is sent ----------------------------------------------------------------------------------------------- */

/* Nothing is sent again that has not changed, and no text is written where it stands. */
static void test_calm(void)
{
    struct pty *pty = start(NULL);
    struct sixel_pixels seen = last_picture(pty);
    const struct pty_picture *at = pty_picture(pty);
    int pictures = pty_pictures(pty);
    pty_written(pty, at->row, at->column, seen.height / HIGH, seen.width / WIDE);
    size_t before = pty_received(pty);
    for (int i = 0; i < 30; i++)
        pty_send(pty, i % 3 ? "x " : "\b");
    pty_send(pty, CONTROL('U'));
    pty_send(pty, CONTROL('_'));
    CHECK(pty_wait(pty, "edited"));
    check_quiet(pty, pictures, "typing");
    CHECK(pty_received(pty) - before < 6000, "%zu bytes", pty_received(pty) - before);
    int written = pty_written(pty, 0, 0, 0, 0);
    CHECK(written == 0, "%d writes over the picture", written);
    sixel_pixels_free(&seen);
    pty_stop(pty);
}

static void test_overlay(void)
{
    struct pty *pty = start(NULL);
    struct sixel_pixels seen = last_picture(pty);
    int pictures = pty_pictures(pty);
    pty_send(pty, F(1));
    CHECK(pty_wait(pty, "Everywhere"));
    pty_send(pty, DOWN DOWN);
    check_quiet(pty, pictures, "below a dialog");
    pty_send(pty, "\033");
    CHECK(pty_wait_gone(pty, "Everywhere") && pty_wait_picture(pty, pictures));
    check_quiet(pty, pictures + 1, "a closed dialog");
    pty_send(pty, CONTROL('L'));
    CHECK(pty_wait_picture(pty, pictures + 1));
    sixel_pixels_free(&seen);
    pty_stop(pty);
}

static void test_resize(void)
{
    struct pty *pty = start(NULL);
    struct sixel_pixels seen = last_picture(pty), larger;
    int pictures = pty_pictures(pty), column = pty_picture(pty)->column;
    pty_resize(pty, 40, 130);
    CHECK(pty_wait_picture(pty, pictures) && pty_wait(pty, ALL));
    larger = last_picture(pty);
    CHECK(pty_picture(pty)->column != column && larger.width > seen.width * 3 / 2, "%d", larger.width);
    CHECK(pty_picture(pty)->length < 200000, "%zu", pty_picture(pty)->length);
    pictures = pty_pictures(pty);
    pty_resize(pty, 9, 30);
    CHECK(pty_wait(pty, "needs 36x10 cells"));
    check_quiet(pty, pictures, "no room");
    pty_resize(pty, 12, 40);
    CHECK(pty_wait_picture(pty, pictures));
    sixel_pixels_free(&larger);
    larger = last_picture(pty);
    CHECK(larger.width <= 16 * WIDE && pty_picture(pty)->row * HIGH + larger.height <= 10 * HIGH, "%d", larger.width);
    pictures = pty_pictures(pty);
    pty_send(pty, "\t");
    CHECK(pty_wait(pty, "Candidates"), "the picture makes room: %s", pty_screen(pty));
    check_quiet(pty, pictures, "the candidates' turn");
    pty_send(pty, "\t");
    CHECK(pty_wait_gone(pty, "Candidates") && pty_wait_picture(pty, pictures));
    pictures = pty_pictures(pty);
    pty_resize(pty, 40, 60);
    CHECK(pty_wait_picture(pty, pictures));
    pty_listen(pty, 300);
    CHECK(pty_picture(pty)->row > 15 && pty_picture(pty)->column == 1, "below the words");
    sixel_pixels_free(&seen);
    sixel_pixels_free(&larger);
    pty_stop(pty);
}

static void test_suspend(void)
{
    struct guest guest = with_picture(NULL);
    char command[600];
    guest.shell = true;
    struct pty *pty = guest_start(&guest);
    CHECK(pty_wait(pty, "$"));
    snprintf(command, sizeof command, "%s\r", guest_program());
    pty_send(pty, command);
    CHECK(pty_wait(pty, ALL) && pty_wait_picture(pty, 0));
    pty_listen(pty, quiet());
    int pictures = pty_pictures(pty);
    pty_send(pty, CONTROL('Z'));
    CHECK(pty_wait(pty, "Stopped"));
    pty_send(pty, "fg\r");
    CHECK(pty_wait(pty, ALL) && pty_wait_picture(pty, pictures));
    pty_stop(pty);
}

/* While the terminal has not drawn one picture, no other is sent, whatever is measured or typed; then the newest is. */
static void test_flow(void)
{
    char gate[] = "/tmp/atmanscope-gate-XXXXXX", setting[64];
    int fd = mkstemp(gate);
    snprintf(setting, sizeof setting, "FAKE_GATE=%s", gate);
    struct guest guest = with_picture(setting);
    struct pty *pty = guest_start(&guest);
    CHECK(pty_wait(pty, "measuring 0 of") && pty_wait_picture(pty, 0));
    pty_listen(pty, quiet());
    pty_hold(pty, true);
    int pictures = pty_pictures(pty);
    for (int batch = 1; batch <= 11; batch++)
        CHECK(write(fd, "x", 1) == 1);
    CHECK(pty_wait(pty, ALL) && pty_wait_picture(pty, pictures));
    pty_send(pty, "\t\t" RIGHT RIGHT DOWN);
    CHECK(pty_wait(pty, "patch"));
    check_quiet(pty, pictures + 1, "the line is busy");
    pty_hold(pty, false);
    CHECK(pty_wait_picture(pty, pictures + 1));
    check_quiet(pty, pictures + 2, "the newest is enough");
    CHECK(pty_wait_gone(pty, "62;4"), "an answer is no text");
    pty_stop(pty);
    close(fd);
    unlink(gate);
}

/* A tmux that draws pictures drops one when text is written on its rows. */
static void test_tmux(void)
{
    struct pty *pty = start("FAKE_TMUX=1");
    pty_listen(pty, quiet());
    int pictures = pty_pictures(pty);
    pty_send(pty, "x");
    CHECK(pty_wait_picture(pty, pictures));
    pty_stop(pty);
}

/* -- how much is sent ---------------------------------------------------------------------------------------------- */

static void check_budget(int cell_width, int cell_height, int registers, const char *noise)
{
    struct guest guest = with_picture(noise);
    guest.cell_width = cell_width;
    guest.cell_height = cell_height;
    guest.registers = registers;
    struct pty *pty = guest_start(&guest);
    CHECK(pty_wait(pty, ALL) && pty_wait_picture(pty, 0));
    struct sixel_pixels seen = last_picture(pty);
    size_t before = pty_received(pty);
    int pictures = pty_pictures(pty);
    pty_send(pty, "\t\t");
    CHECK(pty_wait_picture(pty, pictures));
    check_quiet(pty, pictures + 1, "one update");
    size_t sent = pty_received(pty) - before;
    CHECK(sent <= 64 << 10 && seen.width > 100, "%zu bytes", sent);
    printf("%d x %d cells%s: a picture of %d x %d pixels in %zu bytes\n", cell_width, cell_height,
           noise ? ", noise" : "", seen.width, seen.height, sent);
    int colours = 0;
    const struct pty_picture *picture = pty_picture(pty);
    for (size_t i = 0; i + 3 < picture->length; i++)
        colours += picture->bytes[i] == '#' && memchr(picture->bytes + i, ';', 5) &&
                   strspn(picture->bytes + i + 1, "0123456789") < 4 &&
                   picture->bytes[i + 1 + strspn(picture->bytes + i + 1, "0123456789")] == ';';
    CHECK(registers == 0 || colours <= registers, "%d colours", colours);
    sixel_pixels_free(&seen);
    pty_stop(pty);
}

static void test_most(void)
{
    struct guest guest = with_picture(NULL);
    guest.side = 120;
    struct pty *pty = guest_start(&guest);
    CHECK(pty_wait(pty, ALL) && pty_wait_picture(pty, 0));
    struct sixel_pixels seen = last_picture(pty);
    CHECK(seen.width <= 120 && seen.height <= 120 && seen.width > 100, "%d x %d", seen.width, seen.height);
    sixel_pixels_free(&seen);
    pty_stop(pty);
}

/* -- what the terminal says ---------------------------------------------------------------------------------------- */

static void check_halves(struct pty *pty, const char *what)
{
    CHECK(pty_wait(pty, "Picture"));
    check_quiet(pty, 0, what);
}

static void test_detection(void)
{
    struct guest guest = with_picture(NULL);
    guest.cell_asked = true;
    struct pty *pty = guest_start(&guest);
    CHECK(pty_wait(pty, ALL) && pty_wait_picture(pty, 0));
    struct sixel_pixels seen = last_picture(pty);
    CHECK(seen.height > 17 * HIGH, "the size of a cell is asked for: %d", seen.height);
    sixel_pixels_free(&seen);
    pty_stop(pty);

    guest = with_picture(NULL);
    guest.sixel = false;
    pty = guest_start(&guest);
    CHECK(pty_wait(pty, ALL));
    check_halves(pty, "no 4 among its attributes");
    pty_stop(pty);

    guest = with_picture("FAKE_GRAPHICS=blocks");
    pty = guest_start(&guest);
    CHECK(pty_wait(pty, ALL));
    check_halves(pty, "not wanted");
    pty_stop(pty);

    guest = with_picture("FAKE_GRAPHICS=none");
    pty = guest_start(&guest);
    CHECK(pty_wait(pty, ALL) && pty_wait_gone(pty, "Picture"));
    check_quiet(pty, 0, "no pictures at all");
    pty_stop(pty);
}

/* An answer that comes late, in pieces, with keys around it; none at all; none, but sixel by the option. */
static void test_late(void)
{
    struct guest guest = with_picture(NULL);
    guest.mute = true;
    struct pty *pty = guest_start(&guest);
    CHECK(pty_wait(pty, ALL));
    check_halves(pty, "no answer");
    pty_send(pty, "a\033[?62;");
    pty_send(pty, "4;22cb");
    CHECK(pty_wait(pty, "have?ab") && pty_wait_picture(pty, 0), "%s", pty_row(pty, 2));
    int pictures = pty_pictures(pty);
    pty_send(pty, "\t\t"); /* it never answers: after some patience it is taken to have drawn */
    CHECK(pty_wait_picture(pty, pictures));
    pty_stop(pty);
    guest = with_picture("FAKE_GRAPHICS=sixel");
    guest.mute = true;
    pty = guest_start(&guest);
    CHECK(pty_wait(pty, ALL) && pty_wait_picture(pty, 0));
    pty_stop(pty);
}

/* -- without pixels ------------------------------------------------------------------------------------------------ */

/* The cell in which the middle of a patch is drawn, in 80 columns and 24 rows with cells of unknown size. */
static struct pty_cell cell_of_patch(struct pty *pty, int column, int row)
{
    int title_row, title_column;
    CHECK(pty_find(pty, "Picture", &title_row, &title_column));
    return pty_cell(pty, 1 + (int)((row + 0.5) / 12 * 19), 80 - 1 - 38 + (int)((column + 0.5) / 12 * 38));
}

static void test_halves(const char *term, const char *setting)
{
    char command[100];
    snprintf(command, sizeof command, "infocmp %s >/dev/null 2>&1", term);
    if (system(command) != 0) {
        SKIP("halves of cells: terminfo does not know %s (package ncurses-term)", term);
        return;
    }
    struct pty *pty =
        guest_start(&(struct guest){.term = term, .settings = {"FAKE_PICTURES=1", "FAKE_BATCH=16", setting}});
    CHECK(pty_wait(pty, ALL));
    pty_send(pty, CONTROL('V')); /* the picture alone */
    pty_listen(pty, 300);
    struct pty_cell blue = cell_of_patch(pty, FAKE_COLUMN, FAKE_ROW), red = cell_of_patch(pty, 3, 7),
                    grey = cell_of_patch(pty, 0, 0);
    CHECK(blue.background != red.background && red.background != grey.background && blue.background != -1,
          "%s: %x %x %x", term, blue.background, red.background, grey.background);
    int halves = 0;
    for (int row = 1; row < 20; row++)
        for (int column = 41; column < 79; column++)
            halves +=
                pty_cell(pty, row, column).character[0] == 0x2580 || pty_cell(pty, row, column).character[0] == 0x2584;
    CHECK(halves > 20, "%s: %d halves", term, halves);
    size_t before = pty_received(pty);
    pty_send(pty, "\t\t" RIGHT);
    CHECK(pty_wait(pty, "patch"));
    pty_listen(pty, 200);
    CHECK(pty_received(pty) - before < 64 << 10);
    printf("%s: two pictures' changes in %zu bytes\n", term, pty_received(pty) - before);
    before = pty_received(pty);
    pty_listen(pty, 200);
    CHECK(pty_received(pty) == before, "nothing that has not changed");
    pty_stop(pty);
}

static void test_characters(const char *setting, const char *term)
{
    struct pty *pty =
        guest_start(&(struct guest){.term = term, .settings = {setting, "FAKE_PICTURES=1", "FAKE_BATCH=16"}});
    CHECK(pty_wait(pty, ALL));
    int other = 0, reversed = 0;
    pty_send(pty, "\t" RIGHT);
    CHECK(pty_wait(pty, "2 of 12"));
    pty_listen(pty, 200);
    for (int row = 1; row < 20; row++)
        for (int column = 41; column < 79; column++) {
            struct pty_cell cell = pty_cell(pty, row, column);
            other += cell.ink != -1 || cell.background != -1 || !strchr(" .:-=+*#%@", (char)cell.character[0]);
            reversed += cell.reverse && cell.bold;
        }
    CHECK(other == 0 && reversed > 20 && reversed < 200, "%s: %d, %d reversed", setting, other, reversed);
    pty_stop(pty);
}

/* -- several pictures ---------------------------------------------------------------------------------------------- */

static void test_several(void)
{
    struct pty *pty = guest_start(&(struct guest){
        .sixel = true, .cell_width = WIDE, .cell_height = HIGH, .settings = {"FAKE_PICTURES=2", "FAKE_BATCH=32"}});
    CHECK(pty_wait(pty, "314 probes in") && pty_wait(pty, "Picture  1 of 2") && pty_wait_picture(pty, 0));
    pty_send(pty, "\t\t");
    CHECK(pty_wait(pty, "picture 1, patch"));
    pty_send(pty, "n");
    CHECK(pty_wait(pty, "Picture  2 of 2") && pty_wait(pty, "picture 2, patch"));
    struct sixel_pixels seen = last_picture(pty);
    CHECK(seen.width > 19 * seen.height / 10, "%d x %d", seen.width, seen.height);
    pty_send(pty, "d");
    CHECK(pty_wait(pty, "taken out") && pty_wait(pty, "edited") && pty_wait_gone(pty, "2 of 2"));
    pty_send(pty, "d");
    CHECK(pty_wait_gone(pty, "Picture"));
    pty_send(pty, "\r");
    CHECK(pty_wait(pty, DONE));
    sixel_pixels_free(&seen);
    pty_stop(pty);
}

/* A picture is added by its path, which Tab completes; a sample brings its own. */
static void test_files(void)
{
    static const unsigned char png[] =
        "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\b\x02\0\0\0\x90wS\xde\0\0\0\x0cIDATx\x9c"
        "c\xf8\xcf\xc0"
        "\0\0\x03\x01\x01\0\xc9\xfe\x92\xef\0\0\0\0IEND\xae"
        "B`\x82";
    char folder[] = "/tmp/atmanscope-pictures-XXXXXX", path[100], keys[200], setting[120];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/red dot.png", folder);
    FILE *file = fopen(path, "w");
    CHECK(file && fwrite(png, 1, sizeof png - 1, file) == sizeof png - 1 && fclose(file) == 0);
    snprintf(path, sizeof path, "%s/prompts.txt", folder);
    file = fopen(path, "w");
    CHECK(file && fputs("The first\n--\nimage: red dot.png\nThe second\n", file) >= 0 && fclose(file) == 0);
    snprintf(setting, sizeof setting, "FAKE_SAMPLES=%s", path);
    struct pty *pty = guest_start(&(struct guest){.settings = {setting, "FAKE_PROMPT="}});
    CHECK(pty_wait(pty, "[picture] The second"), "the picture is offered at the start");
    pty_send(pty, "\r");
    CHECK(pty_wait(pty, "The first") && pty_wait(pty, "probes in") && pty_wait_gone(pty, "Picture"));
    pty_send(pty, CONTROL('T'));
    CHECK(pty_wait(pty, "The second") && pty_wait(pty, "Picture") && pty_wait_gone(pty, "edited"));
    pty_send(pty, CONTROL('T'));
    CHECK(pty_wait(pty, "The first") && pty_wait_gone(pty, "Picture"));
    pty_send(pty, CONTROL('G'));
    CHECK(pty_wait(pty, "Add a picture"));
    snprintf(keys, sizeof keys, "%s/re\t", folder);
    pty_send(pty, keys);
    CHECK(pty_wait(pty, "red dot.png"), "%s", pty_screen(pty));
    pty_send(pty, "\r");
    CHECK(pty_wait_gone(pty, "Add a picture") && pty_wait(pty, "Picture") && pty_wait_gone(pty, "edited"));
    pty_send(pty, CONTROL('G'));
    CHECK(pty_wait(pty, "Add a picture") && pty_wait(pty, folder));
    pty_send(pty, "prompts.txt\r");
    CHECK(pty_wait(pty, " prompts.txt is no picture") && pty_wait(pty, "Add a picture"), "%s", pty_screen(pty));
    pty_stop(pty);
    snprintf(keys, sizeof keys, "rm -r %s", folder);
    CHECK(system(keys) == 0);
}

int main(void)
{
    test_pixels();
    test_heat();
    test_cursor();
    test_calm();
    test_overlay();
    test_resize();
    test_suspend();
    test_flow();
    test_tmux();
    check_budget(WIDE, HIGH, 0, NULL);
    check_budget(WIDE, HIGH, 16, NULL);
    check_budget(20, 40, 0, NULL);
    check_budget(WIDE, HIGH, 0, "FAKE_NOISE=1");
    check_budget(20, 40, 256, "FAKE_NOISE=1");
    test_most();
    test_detection();
    test_late();
    test_halves("xterm-256color", NULL);
    test_halves("xterm", NULL);
    test_halves("konsole-256color", "COLORTERM=truecolor");
    test_characters("NO_COLOR=1", NULL);
    test_characters("NO_COLOR=", "vt100");
    test_several();
    test_files();
    return test_end();
}
