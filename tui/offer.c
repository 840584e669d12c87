#include "tui/offer.h"

void offer_make(struct offer *offer, const struct samples *samples)
{
    struct samples from = *samples;
    struct sample sample;
    size_t texts = 0, pictures = 0;
    *offer = (struct offer){0};
    from.next = 0;
    while (offer->count < OFFER_MOST && from.next < from.length && samples_next(&from, &sample)) {
        size_t *seen = sample.image_count > 0 ? &pictures : &texts;
        if (*seen == (sample.image_count > 0 ? 1 : OFFER_TEXTS))
            continue;
        ++*seen;
        offer->behind[offer->count] = from.next;
        offer->samples[offer->count++] = sample;
    }
}
