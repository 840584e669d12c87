/* chance.h: random numbers that are the same everywhere for the same seed (SplitMix64). */
#ifndef CORE_CHANCE_H
#define CORE_CHANCE_H

#include <stdint.h>

struct chance {
    uint64_t state; /* at first the seed */
};
double chance_next(struct chance *); /* from 0 up to, not including, 1 */

#endif
