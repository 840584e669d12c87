#include "core/logits.h"

#include <math.h>

double logits_log_sum_exp(const float *logits, int n)
{
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++)
        most = logits[i] > most ? logits[i] : most;
    for (int i = 0; i < n; i++)
        sum += exp(logits[i] - most);
    return most + log(sum);
}

double logits_logprob(const float *logits, int n, int32_t id)
{
    return logits[id] - logits_log_sum_exp(logits, n);
}

void logits_best(const float *logits, int n, double lse, struct candidate *best)
{
    int count = 0;
    for (int id = 0; id < n; id++) {
        if (count == CANDIDATES && logits[id] - lse <= best[count - 1].logprob)
            continue;
        int at = count < CANDIDATES ? count++ : count - 1;
        for (; at > 0 && logits[id] - lse > best[at - 1].logprob; at--)
            best[at] = best[at - 1];
        best[at] = (struct candidate){id, logits[id] - lse};
    }
    for (; count < CANDIDATES; count++)
        best[count] = (struct candidate){-1, -INFINITY};
}
