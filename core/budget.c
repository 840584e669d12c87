#include "core/budget.h"

#include "core/gguf.h"

enum {
    PROGRAM = 42 << 20,   /* bytes that a program needs besides, in the default limit */
    USUAL = 24 << 20,     /* bytes in use before anything is computed, as PROGRAM has them */
    LIBRARIES = 26 << 20, /* pages of the program's and its libraries' files, and what these allocate later */
    PACKED = 4 << 20,     /* what oneDNN copies a thread's operands of f32 products to */
    TIMES = 3,            /* the default limit, in plain passes */
    DEPTH = 4, /* groups that a lane should be able to park: with fewer, most time goes into doing things again */
};

/* The bytes of the weights' copies for products in a precision. */
static size_t copy_bytes(const struct model *m, enum precision precision)
{
    static const size_t element[] = {[PRECISION_F32] = 0, [PRECISION_BF16] = 2, [PRECISION_INT8] = 1};
    size_t d = (size_t)m->width, q = (size_t)m->heads * (size_t)m->head_dim, f = (size_t)m->ffn;
    size_t kv = (size_t)m->kv_heads * (size_t)m->head_dim;
    return element[precision] * (size_t)m->layers * (2 * d * q + 2 * d * kv + (m->layer->up.weight ? 3 : 2) * d * f);
}

/* Pages of the model's file that are in memory at once: those of the largest weight, and what all lanes work with. */
static size_t file_bytes(const struct model *m, int lanes)
{
    size_t head = 0, of_layer = m->weight_bytes / (size_t)m->layers;
    const struct gguf *file = m->file;
    for (size_t i = 0; i < gguf_tensors(file); i++)
        head = gguf_tensor_at(file, i)->bytes > head ? gguf_tensor_at(file, i)->bytes : head;
    return head + (size_t)lanes * of_layer / 2;
}

/* What a stream for so many threads needs beside lanes_bytes(): an expanded tile of a weight, a tile of the vocabulary,
 * keys and values in panels; for each thread those that a probe changed, and scores. */
static size_t stream_bytes(const struct model *m, int positions, int threads)
{
    size_t wide = (size_t)(m->ffn > m->width ? m->ffn : m->width), kv = (size_t)m->kv_heads * (size_t)m->head_dim;
    size_t tiles = 256 * wide + 512 * (size_t)m->width + 256 * 512, own = 2 * (size_t)m->head_dim + 48;
    return (tiles + (size_t)positions * (2 * kv + (size_t)threads * own)) * sizeof(float) * 5 / 4;
}

/* What is kept of the probes: final states, changes, factors. */
static size_t state_bytes(const struct model *m, const struct task *task)
{
    size_t cells = (size_t)task->units * (size_t)task->targets;
    return cells * ((size_t)m->width * sizeof(float) + 12 * sizeof(double)) +
           (size_t)task->units * (size_t)task->positions * sizeof(float);
}

/* Room for positions to come is not touched until they do. */
static size_t sum(const struct model *m, const struct task *task, const struct budget *b)
{
    int threads = m->device->ops->info(m->device)->streams, lanes = task->probes ? b->room.count : 0;
    size_t wide = task->probes && !b->keep ? 2 : 1; /* of the baseline, and of its activations once more */
    size_t bytes = task->used + LIBRARIES + file_bytes(m, lanes + 1) + baseline_bytes(m, task->positions, b->keep) +
                   wide * stream_bytes(m, b->capacity, threads) +
                   (size_t)lanes * (stream_bytes(m, b->capacity, 1) + PACKED);
    if (!task->probes)
        return bytes;
    bytes += task->precision != task->copied ? copy_bytes(m, task->precision) : 0;
    return bytes + state_bytes(m, task) + lanes_bytes(m, b->capacity, &b->room);
}

bool budget_fits(const struct model *m, const struct budget *b, size_t used, int positions)
{
    return b->limit == 0 || used + LIBRARIES + file_bytes(m, 1) + baseline_bytes(m, positions, false) <= b->limit;
}

/* Room for groups to be parked, of what the limit leaves. */
static void park(const struct model *m, const struct task *task, struct budget *b)
{
    size_t need = sum(m, task, b), row = (size_t)m->width * sizeof(float) * (size_t)b->room.count;
    int64_t all = (int64_t)task->units * task->positions / b->room.count + b->room.rows; /* more would stay empty */
    int64_t more = need < b->limit ? (int64_t)((b->limit - need) / row) : 0;
    b->room.parked += more < all ? more : all;
    b->need = sum(m, task, b);
}

/* Activations are kept where that fits.  If not, as many lanes as fit with room to park some groups; then fewer. */
static void spend(const struct model *m, const struct task *task, struct budget *b)
{
    struct lanes_room like = lanes_like(m, b->capacity);
    b->room = like;
    b->keep = true;
    size_t memory = m->device->ops->memory(m->device);
    if ((b->need = sum(m, task, b)) <= b->limit && (memory == 0 || baseline_bytes(m, b->capacity, true) <= memory / 2))
        return;
    b->keep = false;
    b->room.parked = (int64_t)DEPTH * like.rows;
    if (!task->limit) {
        park(m, task, b);
        return;
    }
    for (int count = like.count; count > 0; count = count > 1 ? (count + 1) / 2 : 0)
        for (int depth = DEPTH; depth > 0; depth /= 2) {
            int rows = count == 1 && depth == 1 ? b->capacity : like.rows;
            b->room = (struct lanes_room){count, rows, (int64_t)rows * depth};
            if ((b->need = sum(m, task, b)) <= b->limit) {
                park(m, task, b);
                return;
            }
        }
}

/* Room for positions to come is not touched yet.  Where activations are not kept a sequence has too many rows. */
size_t budget_past(const struct model *m, const struct task *task, const struct budget *b)
{
    if (!task->resume || !b->keep)
        return 0;
    if (b->limit == 0)
        return m->device->ops->info(m->device)->memory / 8;
    size_t need = b->need - baseline_bytes(m, b->capacity, true) + baseline_bytes(m, task->positions, true);
    need += baseline_bytes(m, task->positions, false) + lanes_past_bytes(m, &b->room);
    return need < b->limit ? b->limit - need : 0;
}

/* Positions there is room for, `more` of them for what may still be typed, as far as the model goes. */
static int roomy(const struct model *m, int positions, int more)
{
    int most = positions > m->near_context ? m->context : m->near_context;
    return positions > most ? positions : positions + more < most ? positions + more : most;
}

/* A card's memory is taken as far as it is free: half of it for activations. */
static void spend_freely(const struct model *m, const struct task *task, struct budget *b)
{
    size_t memory = m->device->ops->info(m->device)->memory;
    b->capacity = roomy(m, task->positions, task->positions / 4 + 32);
    b->keep = baseline_bytes(m, b->capacity, true) <= (memory ? memory / 2 : (size_t)1 << 30);
}

/* What else there is, another model for example, does not take from what an explanation may have by default. */
static size_t others_bytes(const struct model *m, const struct task *task)
{
    size_t own = USUAL + copy_bytes(m, task->copied);
    return task->used > own ? task->used - own : 0;
}

int budget_make(const struct model *m, const struct task *task, struct budget *b, struct error *error)
{
    if (task->used == 0) {
        *b = (struct budget){0};
        spend_freely(m, task, b);
        return 0;
    }
    int n = task->positions;
    *b = (struct budget){.capacity = roomy(m, n, task->limit ? 0 : n / 8 + 16), .limit = task->limit};
    if (!task->limit)
        b->limit = TIMES * (gguf_file_bytes(m->file) + baseline_bytes(m, n, false) + PROGRAM) + state_bytes(m, task) +
                   others_bytes(m, task);
    if (task->probes)
        spend(m, task, b);
    else
        b->need = sum(m, task, b);
    if (b->need <= b->limit || !task->limit)
        return 0;
    return error_set(
        error, ERROR_LIMIT,
        "%d tokens of this model need %.0f MB, and --memory allows %.0f; allow more, or shorten the prompt", n,
        (double)b->need / 1e6 + 1, (double)b->limit / 1e6);
}
