/* stream.c - inference one step of a sequence at a time.
 *
 * Where outputs are made by a recurrence, the axis of its steps is found again in what it reads and in what reads it:
 * a tensor is `timed` along one of its axes if its element t depends on nothing later than t. Such a tensor is
 * replaced by its slice at the step at hand, h[batch, t, i] by h[batch, i], and a read of k steps earlier by a read of
 * what is kept of them. A slice that is read one step later is simply the next value of a state: with
 * h[t, i] = f(h[t-1, k else 0]) the step is h'[i] = f(h[k]). What is read at the last step is read at this one, so a
 * result of the whole sequence is that of the sequence so far. What is kept is 0 at first, and a read before the
 * beginning is told from the others by the number of steps, where its value is another than 0. */
#include "stream.h"

#include <string.h>

/* ---- equations of one step ---- */

/* t without the axis of its steps, perhaps with one of `lag` of them. */
static struct tensor *make_slice(struct streaming *s, const struct tensor *t, enum role role, int64_t lag)
{
	int axis = timed_of(s, t)->axis, n = 0;
	struct axis shape[64];
	struct tensor *slice;

	for (int a = 0; a < t->rank; a++) { /* there is one: that of the steps, at the latest */
		if (a == t->batched && lag > 1)
			shape[n++] = (struct axis){lag, false};
		if (a != axis)
			shape[n++] = t->axis[a];
	}
	slice = make_tensor(s->p, t, role, t->name, n, shape);
	take_type(slice, t);
	slice->batched = t->batched;
	return slice;
}

static bool is_direct_state(const struct timed *timed, const struct tensor *t)
{
	return timed->axis >= 0 && timed->lag == 1 && t->role == ROLE_VALUE;
}

static void make_tensors(struct streaming *s)
{
	for (int i = 0; i < s->g->tensors.n; i++) {
		struct tensor *t = s->g->tensors.item[i];
		struct timed *timed = timed_of(s, t);

		timed->slice = t;
		if (!timed->needed || (timed->axis < 0 && t->role != ROLE_VALUE && t->role != ROLE_VIEW))
			continue;
		timed->slice = make_slice(s, t, is_direct_state(timed, t) ? ROLE_NEXT : t->role, 0);
		if (!timed->lag)
			continue;
		timed->before = make_slice(s, t, ROLE_STATE, timed->lag);
		if (is_direct_state(timed, t))
			timed->slice->of = timed->before;
	}
	for (int i = 0; i < s->g->tensors.n; i++) /* what a view is of may come behind it */
		if (s->g->tensors.item[i]->role == ROLE_VIEW && timed_of(s, s->g->tensors.item[i])->needed)
			timed_of(s, s->g->tensors.item[i])->slice->of = timed_of(s, s->g->tensors.item[i]->of)->slice;
	for (int i = 0; i < s->g->tensors.n; i++)
		if (s->g->tensors.item[i]->role == ROLE_VIEW && timed_of(s, s->g->tensors.item[i])->needed)
			find_root(timed_of(s, s->g->tensors.item[i])->slice);
}

static void keep(struct streaming *s, struct tensor *t)
{
	for (int i = 0; i < s->kept.n; i++)
		if (s->kept.item[i] == t)
			return;
	if (!timed_of(s, t)->before)
		return;
	list_add(s->arena, &s->kept, t);
	list_add(s->arena, &s->out->kept, timed_of(s, t)->before);
}

static void keep_result(void *user, struct equation *eq) { keep(user, eq->tensor); }

/* In the order of the text, which the text of the graph keeps: inputs, then what equations define. */
static void list_kept(struct streaming *s)
{
	const equation_list *list = &s->g->part[PART_INFERENCE];

	for (int i = 0; i < s->p->inputs.n; i++)
		keep(s, s->p->inputs.item[i]);
	visit_equations(list->item, list->n, keep_result, s);
}

/* The number of steps before this one. */
static struct expr *count_steps_so_far(struct streaming *s)
{
	s->uses_count = true;
	return ex_read(s->g, s->count, NULL, NULL);
}

/* What stands for a read of earlier steps, in the slots of the whole equation. */
static struct expr *read_before(struct streaming *s, const struct expr *read, const struct shift *shift)
{
	struct graph *g = s->g;
	const struct tensor *t = read->tensor;
	const struct timed *timed = timed_of(s, t);
	struct expr *now[64], *earlier[64], *otherwise = read->guarded ? read->arg[t->rank] : NULL, *value;
	bool leaves = false;
	int n = 0, m = 0;

	for (int a = 0; a < t->rank; a++) {
		if (a == t->batched && timed->lag > 1)
			earlier[m++] = ex2(g, EX_SUB, shift->lag, ex_int(g, 1));
		if (a == timed->axis)
			continue;
		leaves |= may_leave(t, a, read->arg[a], s->eq->index);
		now[n++] = earlier[m++] = read->arg[a];
	}
	value = ex_read(g, timed->before, earlier, leaves ? otherwise : NULL);
	if (shift->least == 0)
		value = ex_select(g, ex2(g, EX_EQ, shift->lag, ex_int(g, 0)),
				  ex_read(g, timed->slice, now, leaves ? otherwise : NULL), value);
	if (!otherwise || ex_is_num(otherwise, 0)) /* it is 0 at first */
		return value;
	return ex_select(g, ex2(g, EX_LE, shift->lag, count_steps_so_far(s)), value, otherwise);
}

static struct expr *replace_read(void *user, struct expr *read)
{
	struct streaming *s = user;
	const struct tensor *t = read->tensor;
	const struct timed *timed = timed_of(s, t);
	struct expr *sub[64];
	struct shift shift;
	int n = 0;

	if (timed->axis < 0)
		return ex_read(s->g, timed->slice, read->arg, read->guarded ? read->arg[t->rank] : NULL);
	if (find_shift(s, read->arg[timed->axis], &shift) && shift.slot >= 0 && shift.most > 0)
		return read_before(s, read, &shift);
	for (int a = 0; a < t->rank; a++)
		if (a != timed->axis)
			sub[n++] = read->arg[a];
	return ex_read(s->g, timed->slice, sub, read->guarded ? read->arg[t->rank] : NULL);
}

/* e at this step, in the slots that are left. */
static struct expr *at_step(struct streaming *s, struct expr *e)
{
	struct expr *map[64] = {0};

	e = ex_map_reads(s->g, e, replace_read, s);
	if (s->time < 0)
		return e;
	if (e->slots >> s->time & 1) {
		s->uses_time = true;
		map[s->time] = count_steps_so_far(s);
	}
	for (int k = s->time + 1; k < s->eq->n; k++)
		map[k] = ex_index(s->g, k - 1);
	return ex_substitute(s->g, e, map, s->eq->n);
}

static struct equation *step_equation(struct streaming *s, const struct equation *eq)
{
	struct equation *step = arena_alloc(s->arena, sizeof *step);

	*step = *eq;
	step->tensor = timed_of(s, eq->tensor)->slice;
	if (eq->kind == EQ_VIEW)
		return step;
	s->eq = eq;
	s->time = timed_of(s, eq->tensor)->axis;
	step->value = at_step(s, eq->value);
	step->target = arena_array(s->arena, (size_t)eq->tensor->rank + 1, sizeof *step->target);
	for (int a = 0; eq->kind == EQ_SCATTER && a < eq->tensor->rank; a++)
		step->target[a] = at_step(s, eq->target[a]);
	step->index = arena_array(s->arena, (size_t)eq->n + 1, sizeof *step->index);
	for (int k = 0; k < eq->n; k++)
		step->index[k] = eq->index[k];
	if (s->time >= 0) {
		memmove(step->index + s->time, step->index + s->time + 1,
			(size_t)(eq->n - s->time - 1) * sizeof *step->index);
		step->nfree--;
		step->n--;
	}
	return step;
}

static void add_steps(struct streaming *s, struct equation *const *item, int n, equation_list *out)
{
	for (int i = 0; i < n; i++) {
		const struct scan *scan = item[i]->scan;
		struct equation *inner;
		equation_list body = {0};

		if (!has_needed(s, &item[i], 1))
			continue;
		if (item[i]->kind != EQ_SCAN) {
			list_add(s->arena, out, step_equation(s, item[i]));
			continue;
		}
		if (!scan->depth && has_timed(s, &item[i], 1)) {
			add_steps(s, scan->body, scan->n, out);
			continue;
		}
		add_steps(s, scan->body, scan->n, &body);
		inner = arena_alloc(s->arena, sizeof *inner);
		*inner = *item[i];
		inner->scan = arena_alloc(s->arena, sizeof *inner->scan);
		*inner->scan = *scan;
		inner->scan->depth -= has_timed(s, &item[i], 1);
		inner->scan->body = body.item;
		inner->scan->n = body.n;
		list_add(s->arena, out, inner);
	}
}

/* ---- what is kept ---- */

/* state'[..] = value, over the state's axes. */
static void add_next(struct streaming *s, struct tensor *state, struct expr *value)
{
	struct index index[64];
	struct tensor *next = make_tensor(s->p, state, ROLE_NEXT, state->name, state->rank, state->axis);

	next->elem = state->elem;
	next->batched = state->batched;
	next->of = state;
	for (int a = 0; a < state->rank; a++)
		index[a] = (struct index){a == 0 && state->batched ? "batch" : arena_printf(s->arena, "i%d", a),
					  state->axis[a].extent, state->axis[a].rows};
	list_add(s->arena, &s->out->equations,
		 graph_equation(s->g, next, RED_NONE, state->rank, state->rank, index, value, state->at));
}

/* The latest slice comes in front of the earlier ones. */
static struct expr *shifted_value(struct streaming *s, const struct timed *timed, const struct tensor *t)
{
	struct expr *now[64], *earlier[64];
	int n = 0, lag = t->batched;

	for (int a = 0; a < timed->before->rank; a++) {
		earlier[a] = ex_index(s->g, a);
		if (timed->lag == 1 || a != lag)
			now[n++] = ex_index(s->g, a);
	}
	if (timed->lag == 1)
		return ex_read(s->g, timed->slice, now, NULL);
	earlier[lag] = ex2(s->g, EX_SUB, ex_index(s->g, lag), ex_int(s->g, 1));
	return ex_read(s->g, timed->before, earlier, ex_read(s->g, timed->slice, now, NULL));
}

static void add_updates(struct streaming *s)
{
	struct graph *g = s->g;
	int64_t most = 0;

	for (int i = 0; i < s->kept.n; i++) {
		struct tensor *t = s->kept.item[i];
		struct timed *timed = timed_of(s, t);

		most = timed->lag > most ? timed->lag : most;
		if (!is_direct_state(timed, t))
			add_next(s, timed->before, shifted_value(s, timed, t));
	}
	most = s->uses_time ? s->trips - 1 : most;
	s->out->limit = s->uses_time ? s->trips : 0;
	if (!s->uses_count)
		return;
	list_add(s->arena, &s->out->kept, s->count);
	s->count->classes = most + 1;
	add_next(s, s->count, ex2(g, EX_MIN, ex2(g, EX_ADD, count_steps_so_far(s), ex_int(g, 1)), ex_int(g, most)));
}

static int own_axis(const struct streaming *s, const struct tensor *t)
{
	int axis = timed_of(s, t)->axis;

	return axis < 0 ? -1 : axis - t->batched;
}

/* Requires: part inference of a verified graph. Keeps: it; the step's equations have tensors of their own. */
struct stream *make_stream(struct program *p)
{
	struct graph *g = p->g;
	struct streaming s = {.p = p, .g = g, .arena = &g->ctx->arena};
	const equation_list *list = &g->part[PART_INFERENCE];

	s.of = arena_array(s.arena, (size_t)g->tensors.n + 1, sizeof *s.of);
	s.out = arena_alloc(s.arena, sizeof *s.out);
	if (!find_steps(&s))
		return s.out;
	s.count = make_tensor(p, g->outputs.item[0].value, ROLE_STATE, "steps", 0, NULL);
	s.count->elem = ELEM_INT;
	s.count->classes = s.trips;
	make_tensors(&s);
	list_kept(&s);
	add_steps(&s, list->item, list->n, &s.out->equations);
	add_updates(&s);
	s.out->input_axis = arena_array(s.arena, (size_t)p->inputs.n + 1, sizeof *s.out->input_axis);
	s.out->output_axis = arena_array(s.arena, (size_t)g->outputs.n + 1, sizeof *s.out->output_axis);
	for (int i = 0; i < p->inputs.n; i++) {
		list_add(s.arena, &s.out->inputs, timed_of(&s, p->inputs.item[i])->slice);
		s.out->input_axis[i] = own_axis(&s, p->inputs.item[i]);
	}
	for (int i = 0; i < g->outputs.n; i++) {
		list_add(s.arena, &s.out->outputs, timed_of(&s, g->outputs.item[i].value)->slice);
		s.out->output_axis[i] = own_axis(&s, g->outputs.item[i].value);
	}
	s.out->present = true;
	return s.out;
}
