/* scene_layout.h: which fields of the structs that the screen shows a recording keeps.
 *
 * A new field of one of these structs needs a row in scene_layout.c: tests/tui/test_recording.c fails without. */
#ifndef TUI_SCENE_LAYOUT_H
#define TUI_SCENE_LAYOUT_H

#include "tui/shape.h"

extern const struct shape layout_explanation, layout_token, layout_picture, layout_output, layout_unit, layout_alike;
extern const struct shape layout_proof, layout_pairs;
/* and what stands within them */
extern const struct shape layout_candidate, layout_method, layout_cost, layout_error, layout_answer, layout_proof_point,
    layout_flip, layout_pair;
extern const struct shape layout_info, layout_view, layout_settings, layout_steer, layout_editor, layout_about;

/* The part of struct view that layout_view is about: what says how things are shown. */
#define LAYOUT_VIEW_START offsetof(struct view, focus)
#define LAYOUT_VIEW_END offsetof(struct view, too_small)

/* A number that is another one as soon as any table is. */
uint32_t scene_layout(void);

#endif
