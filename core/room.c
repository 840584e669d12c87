/* room.c: a job's large memory: the baseline and the lanes, made as budget.h says. */
#include "core/job.h"

/* Whether what there is does for the task too. */
static bool suits(const struct job *j, const struct task *task)
{
    const struct task *made = &j->task;
    if (!j->baseline || j->baseline->capacity < task->positions || (task->probes && !made->probes) ||
        (task->resume && !made->resume))
        return false;
    return task->limit == 0 || (int64_t)task->units * (task->targets + task->positions) <=
                                   (int64_t)made->units * (made->targets + made->positions);
}

/* The products' precision is that of the engine, but where it chose that itself and there is not the memory for copies
 * of the weights, f32. */
static int plan_budget(struct job *j, struct task *task, struct error *error)
{
    const struct engine *e = j->engine;
    j->precision = e->precision;
    task->precision = task->units <= FEW_UNITS ? PRECISION_F32 : e->precision;
    int status = budget_make(e->model, task, &j->budget, error);
    if (status == ERROR_LIMIT && !e->precision_asked && task->precision != PRECISION_F32) {
        j->precision = task->precision = PRECISION_F32;
        status = budget_make(e->model, task, &j->budget, error);
    }
    return status;
}

bool job_resumes(const struct job *j)
{
    const struct method *m = &j->request->method;
    return j->request->resume && m->paths != PATHS_DIRECT && m->suppression != SUPPRESS_ROW_MIN;
}

/* The bytes in use beside the job's large memory, which is gone; in the process's memory without the stream's scratch,
 * which a budget counts as it will be; 0: they are a card's. */
static int count_used(struct job *j, size_t *used, struct error *error)
{
    struct device *device = j->engine->device;
    struct stream *fresh;
    if ((*used = device->ops->used(device)) == 0)
        return 0;
    int status = device->ops->stream_new(device, true, &fresh, error);
    if (status < 0)
        return status;
    device->ops->stream_free(j->stream);
    j->stream = fresh;
    *used = device->ops->used(device);
    if (*used > former_bytes(&j->former)) /* it makes way where it must: job_make_states() */
        *used -= former_bytes(&j->former);
    return 0;
}

int job_make_room(struct job *j, int positions, int targets, struct error *error)
{
    const struct engine *e = j->engine;
    struct task task = {.positions = positions,
                        .targets = targets,
                        .units = (int)j->unit_count + targets,
                        .probes = j->request->explain && j->request->map == MAP_ATMAN,
                        .resume = job_resumes(j),
                        .copied = atomic_load(&e->rounded) ? e->precision : PRECISION_F32,
                        .limit = e->memory};
    j->cost.limit_bytes = j->budget.limit;
    if (suits(j, &task)) {
        j->past_limit = budget_past(e->model, &task, &j->budget);
        return 0;
    }
    lanes_free(j->lanes);
    baseline_free(j->baseline);
    j->lanes = NULL;
    j->baseline = NULL;
    int status = count_used(j, &task.used, error);
    if (status < 0 || (status = plan_budget(j, &task, error)) < 0)
        return status;
    j->past_limit = budget_past(e->model, &task, &j->budget);
    former_shrink(&j->former, j->past_limit);
    j->task = task;
    j->cost.limit_bytes = j->budget.limit;
    return baseline_new(e->model, j->budget.capacity, j->budget.keep, &j->baseline, error);
}

int job_make_lanes(struct job *j, int positions, struct error *error)
{
    if (j->lanes && j->lane_capacity >= positions)
        return 0;
    lanes_free(j->lanes);
    j->lanes = NULL;
    j->lane_capacity = j->baseline->capacity;
    return lanes_new(j->engine->model, j->lane_capacity, j->budget.room.count ? &j->budget.room : NULL, &j->lanes,
                     error);
}

void job_make_states(struct job *j)
{
    const struct engine *e = j->engine;
    former_shrink(&j->former, j->past_limit);
    size_t used = e->device->ops->used(e->device), cells = j->unit_count * (size_t)j->output_count;
    size_t states = cells * ((size_t)e->model->width * sizeof(float) + (1 + WANTED) * sizeof(double));
    if (used > 0 && e->memory > 0 && used + states > e->memory)
        former_clear(&j->former);
}

int job_make_way(struct job *j, int positions, struct error *error)
{
    const struct engine *e = j->engine;
    size_t used = e->device->ops->used(e->device);
    if (used == 0 || budget_fits(e->model, &j->budget, used, positions))
        return 0;
    lanes_free(j->lanes);
    j->lanes = NULL;
    if (e->memory == 0 || budget_fits(e->model, &j->budget, e->device->ops->used(e->device), positions))
        return 0;
    return error_set(error, ERROR_LIMIT,
                     "there is no room for a second pass of %d tokens within %.0f MB; allow more with "
                     "--memory",
                     positions, (double)e->memory / 1e6);
}
