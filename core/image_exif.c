/* image_exif.c: the one entry of an EXIF block that matters here, how the camera was held.  A block is a TIFF file in
 * little, in either byte order; whatever is wrong with it, the picture is taken as it lies. */
#include "core/image_file.h"

#include <string.h>

struct exif {
    const uint8_t *data;
    size_t bytes;
    bool big; /* byte order: the most significant first */
};

enum { TAG_ORIENTATION = 0x112, TYPE_SHORT = 3, ENTRY_BYTES = 12 };

/* count bytes at a place, 0 outside the block. */
static uint32_t exif_number(const struct exif *exif, size_t at, size_t count)
{
    uint32_t value = 0;
    if (at > exif->bytes || count > exif->bytes - at)
        return 0;
    for (size_t i = 0; i < count; i++)
        value = value << 8 | exif->data[at + (exif->big ? i : count - 1 - i)];
    return value;
}

int image_exif_orientation(const uint8_t *data, size_t bytes)
{
    static const char prefix[6] = "Exif\0"; /* and another 0 */
    if (bytes >= sizeof prefix && memcmp(data, prefix, sizeof prefix) == 0) {
        data += sizeof prefix;
        bytes -= sizeof prefix;
    }
    if (bytes < 8 || (memcmp(data, "II*\0", 4) != 0 && memcmp(data, "MM\0*", 4) != 0))
        return 1;
    struct exif exif = {data, bytes, data[0] == 'M'};
    size_t table = exif_number(&exif, 4, 4);
    uint32_t entries = exif_number(&exif, table, 2);
    for (uint32_t i = 0; i < entries; i++) {
        size_t entry = table + 2 + (size_t)i * ENTRY_BYTES;
        if (exif_number(&exif, entry, 2) != TAG_ORIENTATION)
            continue;
        uint32_t value = exif_number(&exif, entry + 8, 2);
        bool sensible = exif_number(&exif, entry + 2, 2) == TYPE_SHORT && value >= 1 && value <= 8;
        return sensible ? (int)value : 1;
    }
    return 1;
}
