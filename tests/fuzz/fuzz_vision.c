/* fuzz_vision.c: libFuzzer's way into the check of a vision tower's file, once its bytes are sound.
 *
 * A tower that passes is believed: so its numbers have to be within what the rest of the program takes. */
#include "core/gguf.h"
#include "core/vision_internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
    if (!ok)
        abort();
}

static void check_info(const struct vision_info *i)
{
    int tokens = i->columns * i->rows;
    expect(i->side >= 1 && i->side <= VISION_SIDE && i->patch >= 1 && i->patch <= i->side);
    expect(i->columns >= 1 && i->rows == i->columns && tokens <= VISION_PATCHES);
    expect(i->width >= 1 && i->width <= VISION_TOKEN);
    expect(i->before && i->after && i->parameters > 0 && i->weight_bytes > 0);
    for (int t = 0; t < tokens; t++) {
        struct rect r = vision_rect(i, 31, 7, t);
        expect(r.x >= 0 && r.y >= 0 && r.width >= 0 && r.height >= 0);
        expect(r.x + r.width <= 31.01f && r.y + r.height <= 7.01f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gguf *gguf;
    struct vision_info info;
    struct error error = {0};
    if (gguf_open_memory(data, size, &gguf, NULL) != 0)
        return 0;
    int code = vision_check(gguf, &info, &error);
    if (code == 0)
        check_info(&info);
    else
        expect(error.code == code && error.message[0]);
    gguf_close(gguf);
    return 0;
}
