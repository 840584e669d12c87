/* view.h: what the screen shows, and where.
 *
 * Owns the places of the panes, the texts laid out in them and their drawing.  It shows what its fields say and changes
 * nothing of it; screen.c acts on keys and events and sets the fields.  Drawn whole into curses' window each time:
 * curses sends only what differs. */
#ifndef TUI_VIEW_H
#define TUI_VIEW_H

#include <stdbool.h>

#include "core/engine.h"
#include "tui/dialog.h"
#include "tui/difference.h"
#include "tui/editor.h"
#include "tui/kept.h"
#include "tui/keys.h"
#include "tui/layout.h"
#include "tui/map.h"
#include "tui/offer.h"
#include "tui/paint.h"
#include "tui/picture.h"
#include "tui/sources.h"
#include "tui/terminal.h"
#include "tui/words.h"

enum { VIEW_MESSAGE = 1024, VIEW_CHOICES = CANDIDATES + 2, VIEW_NAME = 40 };

/* With what the explanation is compared. */
struct view_compare {
    /* set from outside */
    const struct kept *kept;   /* borrowed; NULL: with nothing */
    const struct about *about; /* the explanation's own; borrowed */
    enum pin { PIN_NONE, PIN_SHOWN, PIN_KEPT } pin;
    enum compare_mode { COMPARE_OFF, COMPARE_DIFFERENCE, COMPARE_BESIDE } mode;
    bool aligned; /* false: units or outputs are others than when they were aligned */

    /* made by view_arrange() and view_draw() */
    struct difference difference;
    struct words said; /* the kept output */
    struct layout layout; /* the kept prompt */
    struct area prompt, output; /* of the kept one, each with a row for its title above; no rows: it is not shown */
    int prompt_first, output_first; /* first rows shown */
    int removed; /* row of what is no more in the prompt; 0: none */
    struct map before;
    double limit;         /* nats at the ends of the scale of differences */
    float *shown;         /* [shown_capacity] differences on that scale, for view.map */
    size_t shown_capacity;
    long token;           /* the kept output token that the chosen one is compared with; -1: none */
    bool known;           /* the kept explanation knows the choice, and what it is contrasted with */
};

struct view {
    /* what is shown; borrowed */
    const struct terminal *terminal;
    const struct editor *editor;
    const struct explanation *explanation;
    const struct engine_info *info;    /* of its model; NULL before the first is loaded */
    const struct tokenizer *tokenizer; /* the same model's, or what a recording knows of it */
    const struct request *settings; /* of the next request: units, method, generate */
    const char *loading;            /* the model that is being loaded, or "" */
    struct dialog *dialog;
    const struct explanation *mixed; /* the output with units turned up or down */
    const struct steer *steers;      /* those units */
    size_t steer_count;
    struct image *const *images; /* of the edited prompt */
    size_t image_count;
    const struct offer *offer;
    bool sampled;       /* what was submitted last is a sample of one line: the hints say how to erase it */
    bool recording;     /* what happens goes to a file */
    const char *replay; /* where a recording is that is played: in place of the hints; NULL: it is no recording */

    /* how: what of it is recorded, scene_layout.c says */
    enum key_place focus;
    size_t token;  /* the chosen output token */
    int choice;    /* as in map.h: 0: itself, 1 + k: candidate k, or what was typed */
    bool contrast; /* the choice is compared with another one, view_against() */
    struct {
        size_t token;
        int32_t id; /* -1: none */
    } typed;        /* what could stand in place of a token */
    bool shared_scale;
    enum view_side { SIDE_CANDIDATES, SIDE_PROOF, SIDE_PAIRS } side; /* what stands beside the output */
    long marked; /* the unit that another is to be paired with; -1: none */
    enum map_paths paths; /* the map is that of these */
    bool specials; /* the special tokens are shown */
    long special;  /* the one among them that the prompt's cursor is on, a token of the explanation; -1: it is in the
                      text */
    bool pending; /* a request waits for its first event */
    double waited; /* seconds since what view_waits() for began */
    bool mixing;  /* the mixed output is being written */
    char message[VIEW_MESSAGE];
    bool message_bad;
    size_t shown; /* the picture that is shown */
    enum picture_mode picture_mode;
    double opacity;               /* of the heat over it */
    int patch_column, patch_row;  /* the chosen place in its grid; -1: none yet */

    /* where; made by view_arrange() */
    bool too_small;
    struct area prompt, output, candidates;
    struct area answer; /* in the place of the candidates, or of the whole pane: there is then no output; no rows: none
                           is shown */
    int prompt_title, output_title, lines, line_count; /* rows; the lines at the bottom */
    int columns, word_rows;   /* of the panes of words, from the screen's upper left on */
    struct area picture_at;   /* the cells that the picture covers; no columns: there is no pane */
    int picture_title;        /* row */
    int picture_border;       /* column of the line between words and picture; -1: it is below them */
    int picture_width, picture_height; /* its pixels, or its halves of cells */
    struct area mix; /* below the output, with a row for its title above; no rows: nothing is mixed */
    struct area strip; /* of the specials, above the prompt; no rows: none is shown */
    int strip_first;   /* first row shown of it */
    struct words strip_words; /* what it is called, then a word for each token of the prompt: only specials have text */
    struct layout prompt_layout;
    struct words said, remixed;                 /* the output, the mixed one */
    int prompt_first, output_first, candidate_first; /* first rows shown */
    size_t same_before, same_behind; /* bytes of the edited prompt that are still those that were explained */
    struct map map;
    struct view_compare compare;
    struct sources sources; /* whose numbers are drawn before tokens and words; empty: none are */
    struct picture_canvas canvas; /* where it is drawn in halves of cells */
};

enum { VIEW_ROWS = 10, VIEW_COLUMNS = 36 }; /* in less room there is only a message */

void view_free(struct view *);

/* The prompt's text changed; the explanation's output changed; the size or the focus changed: lay out anew.  Cheap
 * enough for every key. */
void view_arrange(struct view *);
/* Scroll so that the cursor and the chosen token are seen. */
void view_follow(struct view *);
/* Draw everything; refresh() then sends what changed. */
void view_draw(struct view *);

/* The edited prompt, with its pictures, is not what was explained. */
bool view_is_stale(const struct view *);
/* Choices of the chosen token from top to bottom: numbers as in map.h; returns how many, at most VIEW_CHOICES. */
int view_choices(const struct view *, int *choices);
/* The token's text as the model would write it; not terminated. */
const char *view_token_text(const struct view *, int32_t id, size_t *length);
int32_t view_choice_id(const struct view *, int choice);
/* What a contrast compares the chosen one with: what was typed, else the model's choice, else its runner-up; -1: no
 * contrast is wanted, or there is nothing to compare with. */
int view_against(const struct view *);

/* The unit of the explanation under the prompt's cursor, or the picture's where that has the focus; -1: none. */
long view_unit(const struct view *);
/* Its text, of prompt or output; of a patch its name, for which there must be room. */
const char *view_unit_text(const struct view *, long unit, char name[VIEW_NAME], size_t *length);

/* What a click means: the byte of the prompt, the output token or the choice that is drawn there; false: none. */
bool view_prompt_at(const struct view *, int row, int column, size_t *byte);
bool view_token_at(const struct view *, int row, int column, size_t *token);
bool view_choice_at(const struct view *, int row, int column, int *choice);
bool view_patch_at(const struct view *, int row, int column, int *patch_column, int *patch_row);
/* What belongs to the word, or the output token, of the kept explanation that is drawn there. */
bool view_before_prompt_at(const struct view *, int row, int column, size_t *byte);
bool view_before_token_at(const struct view *, int row, int column, size_t *token);
/* The special that is drawn there, as a token of the explanation. */
bool view_special_at(const struct view *, int row, int column, long *token);
bool view_inside(struct area, int row, int column);

/* Samples are offered, as nothing is written and nothing was measured. */
bool view_offers(const struct view *);
/* Which of them stands in a row; -1: none. */
int view_offer_at(const struct view *, int row);

/* How the explanation is compared: as wanted, if there is one to compare it with. */
enum compare_mode view_compare_mode(const struct view *);
/* Whether the byte of the explained prompt belongs to a word that was not there before, where that is compared. */
bool view_is_fresh(const struct view *, size_t byte);
/* Whether the output token is not the one that was there before, where that is compared. */
bool view_token_changed(const struct view *, size_t token);

/* What goes on has no measure of how far it is: the time is told instead, and has to be drawn anew. */
bool view_waits(const struct view *);

/* There is a picture to show, whether or not there is room for it. */
bool view_has_picture(const struct view *);
/* The shown picture's number in the explanation, or -1. */
long view_picture_index(const struct view *);
/* The unit at the chosen place of the picture, or -1. */
long view_patch_unit(const struct view *);
/* The cell in the middle of that place; false: there is none. */
bool view_patch_cell(const struct view *, int *row, int *column);
/* What its pane shows; false: there is no pane. */
bool view_picture_look(const struct view *, struct picture_look *);

/* -- its parts, for view.c ----------------------------------------------------------------------------------------- */

/* "F2 word": the first key of an action that works in the focused pane, and its value, up to a column; all or nothing.
 * Returns the columns used. */
int view_draw_key(const struct view *, int row, int column, int end, enum action, const char *value);

/* A scale from -nats to +nats with its numbers.  Returns the columns used. */
int view_draw_scale(const struct view *, int row, int column, int end, double nats);
/* The text in quotes, without the spaces around it, of at most `most` columns.  Returns the columns used. */
int view_draw_quoted(int row, int column, int end, int most, const char *text, size_t length);
/* The same of a choice of the chosen token. */
int view_draw_choice(const struct view *, int row, int column, int end, int most, int choice);
/* The same of a unit; a patch's name without quotes. */
int view_draw_unit_text(const struct view *, int row, int column, int end, int most, long unit);
/* Units one behind the other with their nats, as far as there is room; those with the same words are numbered. */
enum { VIEW_LIST = 12 };
void view_draw_list(const struct view *, int row, int column, const long *units, const double *values, size_t count);
/* The chosen token or candidate, and the units that weigh most: first those it rests on, then those against it.  Where
 * the strongest speaks against it, it rests on nothing, but depends on them. */
void view_draw_top(struct view *, int row); /* view_list.c */
/* What the chosen patch works with: those like it, which were suppressed along, and the words of the prompt. */
void view_draw_words(struct view *, int row);
/* The unit under the prompt's cursor or the picture's: its value, its rank where there is room, and what it means. */
void view_draw_unit(struct view *, int row); /* view_unit.c */
/* A text without the spaces around it, of at most VIEW_SHORT columns, ".." at its end where it is cut; in name. */
enum { VIEW_SHORT = 20, VIEW_SHORT_BYTES = 128 };
const char *view_shorten(const char *text, size_t length, char name[VIEW_SHORT_BYTES]);
/* Why a unit has no value: ": not measured yet". */
const char *view_unknown(const struct view *);
/* Repeating a probe moves its value by as much, so that it says nothing; false while the noise is not known. */
bool view_is_noise(const struct view *, double value);
/* NAN for what was typed: only the likeliest are kept. */
double view_choice_logprob(const struct view *, int choice);
/* The first row to show so that `row` is among `rows` of `total`, moving no more than needed. */
int view_scroll(int first, int row, int rows, int total);

/* Join and align what is compared; find places for it among those of the panes; lay it out in them. */
void view_align_compare(struct view *); /* view_compare.c */
void view_place_compare(struct view *);
void view_layout_compare(struct view *);
/* Ask the kept explanation what the other is asked, and put both on one scale: when view.map is there. */
void view_ask_compare(struct view *);
void view_draw_compare(struct view *);
/* Their line at the bottom; false: the usual ones are to be drawn. */
bool view_draw_compare_legend(struct view *, int row);
bool view_draw_compare_line(struct view *, int row);
void view_free_compare(struct view *);
/* A source's number in the cell before a word: on a space in the same row, or beside the area where a row begins.
 * Nothing where neither is. */
void view_draw_number(const struct view *, struct area, int first, const struct layout *, size_t glyph, int number,
                      struct style); /* view_sources.c */
/* Whose numbers are shown: while the output comes and is measured, and where a token is chosen; none where two
 * explanations are compared. */
void view_find_sources(struct view *);
/* What the map's paths are called, or "" for all. */
const char *view_paths_name(const struct view *);

/* Take the picture's pane out of the room of the words: sets columns, word_rows and picture_*. */
void view_place_picture(struct view *); /* view_picture.c */
void view_draw_picture(struct view *);
void view_draw_prompt(struct view *); /* view_prompt.c */
/* Take the specials' rows from the prompt's pane. */
void view_place_specials(struct view *); /* view_specials.c */
void view_follow_special(struct view *);
void view_draw_specials(struct view *);
/* The unit that is the chosen special, or -1. */
long view_special_unit(const struct view *);
/* The next special behind a token (by 1) or before it (by -1), as a token; -1: none. */
long view_next_special(const struct view *, long token, int by);
/* The cell of the chosen special; false: it is not seen. */
bool view_special_cell(const struct view *, int *row, int *column);
void view_draw_output(struct view *); /* view_output.c */
void view_draw_lines(struct view *);  /* view_lines.c */
/* What goes on, or how it ended: view_status.c. */
void view_describe_work(const struct view *, char *text, size_t size);
/* view_answer.c: its title in the row of titles, and what it says. */
void view_draw_answer_title(const struct view *, int row, int column, int end);
void view_draw_answer(const struct view *);
/* Whether the unit is one of the flip set that is shown. */
bool view_answer_flips(const struct view *, long unit);
/* The answer that is being worked out, or NULL. */
const struct answer *view_answer_busy(const struct view *);

#endif
