/* scene_explanation.h: an explanation as pieces of a scene, and back.
 *
 * Relevances are kept to four significant digits, as the screen shows them, those for candidates and those of direct
 * paths to three.  All else is exact.  What comes back has been checked: whoever shows explanations may trust it as
 * one of the worker's. */
#ifndef TUI_SCENE_EXPLANATION_H
#define TUI_SCENE_EXPLANATION_H

#include "core/engine.h"
#include "tui/scene.h"

/* Which number a picture has in SCENE_IMAGES; -1: it is not kept. */
typedef long scene_image_number(void *context, struct image *);

/* which: 0 .. SCENE_EXPLANATIONS - 1 */
void scene_put_explanation(struct scene_writer *, int which, const struct explanation *, scene_image_number *,
                           void *context);
/* Ids of all tokens whose texts are needed to show it, given to `take` one by one. */
void scene_each_token(const struct explanation *, void (*take)(void *context, int32_t id), void *context);

/* A new explanation, or NULL: damaged, or no memory.  images [image_count]: those of SCENE_IMAGES, NULL: not there. */
struct explanation *scene_take_explanation(const struct scene *, int which, struct image *const *images,
                                           size_t image_count);
/* Whether any of its pieces has changed; forgets that. */
bool scene_explanation_changed(struct scene *, int which);

#endif
