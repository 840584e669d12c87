/* vision_rect.c: where in a picture a token looks: the way back through patches, square, padding and stretching. */
#include "core/vision.h"

#include <string.h>

static float clamp(float value, float high)
{
    return value < 0 ? 0 : value > high ? high : value;
}

struct rect vision_rect(const struct vision_info *i, int image_width, int image_height, int token)
{
    bool padded = strcmp(i->projector, "mlp") == 0;
    int longer = image_width > image_height ? image_width : image_height;
    float width = (float)(padded ? longer : image_width), height = (float)(padded ? longer : image_height);
    int left = padded ? (longer - image_width) / 2 : 0, top = padded ? (longer - image_height) / 2 : 0;
    /* patches need not fill the square: what is left over at its right and bottom is seen by none */
    int side = i->side / i->patch / i->columns * i->patch, column = token % i->columns, row = token / i->columns;
    float x[2], y[2];
    for (int end = 0; end < 2; end++) {
        float right = (float)((column + end) * side), down = (float)((row + end) * side), whole = (float)i->side;
        x[end] = clamp(right / whole * width - (float)left, (float)image_width);
        y[end] = clamp(down / whole * height - (float)top, (float)image_height);
    }
    struct rect rect = {x[0], y[0], x[1] - x[0], y[1] - y[0]};
    if (rect.width <= 0 || rect.height <= 0)
        rect.width = rect.height = 0;
    return rect;
}
