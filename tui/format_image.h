/* format_image.h: the module that draws explanations with Pango, atmanscope-image.so, which image_module.c loads. */
#ifndef TUI_FORMAT_IMAGE_H
#define TUI_FORMAT_IMAGE_H

#include "tui/picture.h"
#include "tui/report.h"

#define IMAGE_MODULE_FILE "atmanscope-image.so"

/* Program and module have to be of one build: the sizes of what both look into. */
struct image_module_contract {
    size_t report, explanation, token, unit, map, look;
};

#define IMAGE_MODULE_CONTRACT                                                                                          \
    {                                                                                                                  \
        sizeof(struct report), sizeof(struct explanation), sizeof(struct token), sizeof(struct unit),                  \
            sizeof(struct map), sizeof(struct picture_look)                                                            \
    }
/* as the module was built with it */
extern const struct image_module_contract image_module_contract;

/* Draw a report, as PNG or as SVG; errors as format_png(). */
int format_image_draw(const struct report *, bool svg, FILE *, struct error *);

#endif
