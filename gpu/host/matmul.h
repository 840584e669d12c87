/* matmul.h: products in fewer bits by oneDNN, with a weight that it has packed as it likes best.
 *
 * What a processor has for them (AVX-512's instructions, AMX's tiles) oneDNN finds out by itself.  A product always
 * takes the same number of rows: oneDNN goes about other numbers otherwise, which would show in a row's last bits. */
#ifndef GPU_HOST_MATMUL_H
#define GPU_HOST_MATMUL_H

#include <stdbool.h>
#include <stddef.h>

/* rows x weights -> outputs.  INT8: exact sums, as long as they fit 32 bits. */
enum matmul_kind {
    MATMUL_BF16, /* bf16 x bf16 -> f32 */
    MATMUL_INT8, /* u8 x s8 -> s32 */
};

struct matmul;

/* Whether this processor has what makes it worth while, and INT8 exact. Thread: any. */
bool matmul_offered(enum matmul_kind);

/* For products with `rows` rows and a weight yet to be packed.  NULL: no memory, or oneDNN cannot. */
struct matmul *matmul_new(enum matmul_kind, int rows, int outputs, int columns);
void matmul_free(struct matmul *); /* NULL ok */

/* Pack weight [outputs, columns], not looked at any more afterwards: memory for it that is asked for after matmul_new()
 * and freed after this leaves no hole behind. */
bool matmul_pack(struct matmul *, const void *weight);

size_t matmul_scratch(const struct matmul *); /* bytes that a product needs besides */

/* y [rows, outputs] = x [rows, columns] . weight^T, in the calling thread; scratch 64-byte aligned.  False: it failed.
 * Thread: any, several at once. */
bool matmul_run(const struct matmul *, const void *x, void *scratch, void *y);

#endif
