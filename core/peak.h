/* peak.h: the most memory that this process has had in use so far. */
#ifndef CORE_PEAK_H
#define CORE_PEAK_H

#include <stddef.h>

/* Bytes, pages of mapped files included; 0: not known. */
size_t peak_bytes(void);

#endif
