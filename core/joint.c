#include "core/joint.h"

#include <stdlib.h>

/* The job's own report is about units; nobody waits for single sets. */
static void report(void *context, const int *units, int n, int64_t rows)
{
    (void)context;
    (void)units;
    (void)n;
    (void)rows;
}

static int run_once(struct job *j, struct probes *p, struct error *error)
{
    struct probe_watch watch = {.report = report, .cancelled = &j->cancelled};
    int status = probes_start(p, j->lanes, &watch, error);
    while (status == 0 && probes_running(j->lanes))
        j->wait(j->context);
    int finished = probes_finish(j->lanes, error);
    return status < 0 ? status : finished;
}

int joint_run(struct job *j, const struct plan_set *sets, int set_count, struct joint *joint, struct error *error)
{
    *joint = (struct joint){0};
    int status = plan_join(j->plan, sets, set_count, &joint->plan, error);
    if (status == 0)
        status = probes_new(j->baseline, j->stream, joint->plan, &j->method, &j->probes->targets, PRECISION_F32,
                            &joint->probes, error);
    if (status == 0)
        status = job_make_lanes(j, j->plan->positions, error);
    if (status == 0)
        status = run_once(j, joint->probes, error);
    while (status == ERROR_MEMORY && joint->probes && lanes_halve(&j->lanes) == 0)
        status = run_once(j, joint->probes, error);
    return status;
}

void joint_free(struct joint *joint)
{
    probes_free(joint->probes);
    plan_free(joint->plan);
    *joint = (struct joint){0};
}

int joint_relevance(const struct joint *joint, struct job *j, int t, int32_t id, float *relevance, struct error *error)
{
    return probes_retarget(joint->probes, j->stream, t, id, relevance, error);
}

int joint_logits(const struct joint *joint, struct job *j, int s, int t, float *logits, struct error *error)
{
    const struct probes *p = joint->probes;
    const struct model *m = j->engine->model;
    const struct device_ops *ops = m->device->ops;
    size_t d = (size_t)m->width, bytes = (size_t)m->vocabulary * sizeof *logits;
    struct pool pool;
    pool_init(&pool, m->device);
    float *hidden = pool_floats(&pool, 1, d), *said = pool_floats(&pool, 1, (size_t)m->vocabulary);
    int status = pool.status;
    if (status < 0 && error)
        *error = pool.error;
    if (status == 0) {
        ops->copy(j->stream, p->hidden + (size_t)t * d, d * sizeof *hidden, hidden);
        if (t >= probes_first_target(p, s))
            ops->add(j->stream, p->change + ((size_t)s * (size_t)p->targets.count + (size_t)t) * d, 1, d, hidden);
        ops->logits(j->stream, &m->head, hidden, 1, said);
        ops->download(j->stream, said, bytes, logits);
        status = ops->stream_finish(j->stream, error);
    }
    pool_free(&pool);
    return status;
}
