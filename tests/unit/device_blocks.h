/* device_blocks.h: weights of every type with random content, for the tests of a device. */
#ifndef TESTS_UNIT_DEVICE_BLOCKS_H
#define TESTS_UNIT_DEVICE_BLOCKS_H

#include "tests/unit/device_test.h"

static const uint32_t types[] = {DTYPE_F32,  DTYPE_F16,  DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0, DTYPE_Q5_1, DTYPE_Q8_0,
                                 DTYPE_Q2_K, DTYPE_Q3_K, DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K, DTYPE_BF16,
                                 DTYPE_IQ4_NL, DTYPE_IQ4_XS, DTYPE_MXFP4};
enum { TYPES = sizeof types / sizeof *types };

/* A half between 2^-9 and 2^-5, either sign. */
static inline void put_half(uint8_t *at)
{
    uint16_t half = (uint16_t)((random_bits() & 0x83ff) | ((6 + random_bits() % 4) << 10));
    memcpy(at, &half, sizeof half);
}

/* Random blocks whose scales are small normal numbers; freed by the caller. */
static inline uint8_t *random_blocks(uint32_t type, size_t elements)
{
    const struct dtype_info *info = dtype_info(type);
    size_t blocks = elements / info->block, bytes = blocks * info->bytes;
    uint8_t *data = malloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)random_bits();
    for (size_t i = 0; i < blocks; i++) {
        uint8_t *block = data + i * info->bytes;
        float small = random_float(0.1f);
        uint32_t bits;
        memcpy(&bits, &small, sizeof bits);
        switch (type) {
        case DTYPE_F32:
            memcpy(block, &small, 4);
            break;
        case DTYPE_BF16:
            block[0] = (uint8_t)(bits >> 16), block[1] = (uint8_t)(bits >> 24);
            break;
        case DTYPE_MXFP4:
            block[0] = (uint8_t)(118 + random_bits() % 6);
            break;
        case DTYPE_Q2_K:
            put_half(block + 80), put_half(block + 82);
            break;
        case DTYPE_Q3_K:
            put_half(block + 108);
            break;
        case DTYPE_Q6_K:
            put_half(block + 208);
            break;
        case DTYPE_Q4_1:
        case DTYPE_Q5_1:
        case DTYPE_Q4_K:
        case DTYPE_Q5_K:
            put_half(block), put_half(block + 2);
            break;
        default:
            put_half(block);
            break;
        }
    }
    return data;
}

#endif
