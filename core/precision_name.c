/* precision_name.c: what precisions are called; apart from how one is chosen, as who reads a recording has no
 * device. */
#include "core/precision.h"

const char *precision_name(enum precision precision)
{
    static const char *const names[] = {"f32", "bf16", "int8"};
    return names[precision];
}
