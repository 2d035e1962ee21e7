/* stream_steps.c - which tensors are timed, along which axis.
 *
 * It begins with the tensors of a scan, whose axis is known, and follows reads in both directions until nothing
 * changes: what a timed equation reads along its steps is timed, and so is what reads something timed at its own step
 * or a number of steps earlier. Reads in any other way are of the last step, or the model cannot go step by step. */
#include "stream.h"

static void refuse(struct streaming *s, const struct tensor *t, const char *why)
{
	if (!s->refused)
		s->refused = arena_printf(s->arena, "'%s' %s", t->name, why);
}

static void refuse_read(struct streaming *s, const struct tensor *t, const char *when)
{
	refuse(s, s->eq->tensor, arena_printf(s->arena, "needs '%s' %s", t->name, when));
}

/* ---- what is timed ---- */

static void set_timed(struct streaming *s, const struct tensor *t, int axis)
{
	struct timed *timed = timed_of(s, t);

	if (timed->axis == axis)
		return;
	if (timed->axis >= 0) {
		refuse(s, t, "is read along two of its axes");
		return;
	}
	if (t->axis[axis].extent != s->trips)
		refuse(s, t,
		       arena_printf(s->arena, "has %lld steps where others have %lld", (long long)t->axis[axis].extent,
				    (long long)s->trips));
	timed->axis = axis;
	s->changed = true;
}

bool find_shift(const struct streaming *s, const struct expr *sub, struct shift *shift)
{
	struct affine a;
	struct range r;

	shift->slot = s->time;
	if (!affine_of(sub, &a))
		return false;
	for (int k = 0; shift->slot < 0 && k < s->eq->nfree; k++)
		if (a.coef[k] == 1 && s->eq->index[k].extent == s->trips)
			shift->slot = k;
	if (shift->slot >= 0) {
		if (a.coef[shift->slot] == 1)
			a.coef[shift->slot] = 0;
		else if (sub->slots)
			return false;
		else
			shift->slot = -1;
	}
	for (int k = 0; k < 64; k++)
		a.coef[k] = -a.coef[k];
	a.constant = -a.constant;
	shift->lag = affine_expr(s->g, &a);
	if (shift->slot < 0 && shift->lag->op != EX_INT)
		return false;
	if (!range_of(shift->lag, s->eq->index, &r))
		return false;
	shift->least = r.low;
	shift->most = r.high;
	return true;
}

static bool holds_values(const struct tensor *t)
{
	return t->role == ROLE_VALUE || t->role == ROLE_INPUT || t->role == ROLE_VIEW;
}

/* A read of a timed tensor: at the reader's own step or earlier, or at the last. */
static void follow_timed(struct streaming *s, const struct expr *read)
{
	const struct tensor *t = read->tensor;
	struct timed *timed = timed_of(s, t);
	struct shift shift;

	if (!find_shift(s, read->arg[timed->axis], &shift))
		refuse_read(s, t, "at other steps than its own");
	else if (shift.slot < 0 && (shift.least != 1 - s->trips || s->time >= 0))
		refuse_read(s, t, "at one certain step");
	else if (shift.slot >= 0 && shift.least < 0)
		refuse_read(s, t, "at later steps");
	else if (shift.slot >= 0) {
		set_timed(s, s->eq->tensor, shift.slot);
		if (shift.most > timed->lag)
			timed->lag = shift.most;
	}
}

/* A read by a timed equation, of what is not known to be timed: it is, if it is read along the steps. */
static void follow_back(struct streaming *s, const struct expr *read)
{
	const struct tensor *t = read->tensor;

	for (int a = 0; a < t->rank; a++) {
		struct shift shift;

		if (!(read->arg[a]->slots >> s->time & 1))
			continue;
		if (!find_shift(s, read->arg[a], &shift))
			refuse_read(s, t, "at other steps than its own");
		else if (timed_of(s, t)->axis < 0)
			set_timed(s, t, a);
	}
}

static void follow_read(void *user, struct expr *e)
{
	struct streaming *s = user;

	if (e->op == EX_DRAW)
		refuse(s, s->eq->tensor, "draws random numbers");
	if (e->op != EX_READ || !holds_values(e->tensor))
		return;
	if (s->time >= 0 && e->slots >> s->time & 1)
		follow_back(s, e);
	if (timed_of(s, e->tensor)->axis >= 0)
		follow_timed(s, e);
}

/* The views of a timed tensor are timed, and the other way round, where both begin with the steps. */
static void follow_view(struct streaming *s, const struct tensor *t)
{
	int axis = timed_of(s, t)->axis, of = timed_of(s, t->of)->axis;

	if (axis < 0 && of < 0)
		return;
	if (axis >= 0 ? axis != t->batched : of != t->of->batched)
		refuse(s, t, "has another shape across its steps");
	else if (t->rank == t->batched || t->of->rank == t->of->batched ||
		 t->axis[t->batched].extent != t->of->axis[t->of->batched].extent)
		refuse(s, t, "has another shape across its steps");
	else {
		set_timed(s, t, t->batched);
		set_timed(s, t->of, t->of->batched);
	}
}

static void follow_equation(struct streaming *s, const struct equation *eq)
{
	const struct tensor *t = eq->tensor;

	if (!timed_of(s, t)->needed)
		return;
	s->eq = eq;
	if (eq->kind == EQ_VIEW) {
		follow_view(s, t);
		return;
	}
	s->time = eq->kind == EQ_MAP ? timed_of(s, t)->axis : -1;
	ex_visit(s->g, eq->value, follow_read, s);
	for (int a = 0; eq->kind == EQ_SCATTER && a < t->rank; a++)
		ex_visit(s->g, eq->target[a], follow_read, s);
	if (eq->kind == EQ_SCATTER && timed_of(s, t)->axis >= 0)
		refuse(s, t, "is scattered over steps");
}

static void follow_list(struct streaming *s, struct equation *const *item, int n)
{
	for (int i = 0; i < n; i++)
		if (item[i]->kind == EQ_SCAN)
			follow_list(s, item[i]->scan->body, item[i]->scan->n);
		else
			follow_equation(s, item[i]);
}

/* A scan of which something is timed is gone through with the others. */
static void join_scan(struct streaming *s, const struct scan *scan, struct equation *const *item, int n, bool whole)
{
	for (int i = 0; i < n; i++) {
		const struct tensor *t = item[i]->tensor;

		if (item[i]->kind == EQ_SCAN)
			join_scan(s, scan, item[i]->scan->body, item[i]->scan->n, whole);
		else if (whole)
			set_timed(s, t, t->batched);
		else if (timed_of(s, t)->axis >= 0 && (scan->reverse || scan->trips != s->trips))
			refuse(s, t, "is computed from the last step to the first");
	}
}

bool has_timed(struct streaming *s, struct equation *const *item, int n)
{
	for (int i = 0; i < n; i++)
		if (item[i]->kind == EQ_SCAN ? has_timed(s, item[i]->scan->body, item[i]->scan->n)
					     : timed_of(s, item[i]->tensor)->axis >= 0)
			return true;
	return false;
}

static void find_timed(struct streaming *s, const equation_list *list, const struct scan *scan)
{
	for (int i = 0; i < s->g->tensors.n; i++) {
		s->of[i].axis = -1;
		s->of[i].lag = 0;
	}
	s->trips = scan->trips;
	s->refused = NULL;
	join_scan(s, scan, scan->body, scan->n, true);
	do {
		s->changed = false;
		follow_list(s, list->item, list->n);
		for (int i = 0; i < list->n; i++) {
			const struct scan *other = list->item[i]->scan;

			if (list->item[i]->kind != EQ_SCAN || !has_timed(s, other->body, other->n))
				continue;
			join_scan(s, other, other->body, other->n, false);
			join_scan(s, other, other->body, other->n, true);
		}
	} while (s->changed);
}

/* ---- what outputs need ---- */

static void need_read(void *user, struct expr *read) { timed_of(user, read->tensor)->needed = true; }

static void need_reads(void *user, struct equation *eq)
{
	struct streaming *s = user;

	if (eq->kind == EQ_VIEW) {
		timed_of(s, eq->tensor->of)->needed = true;
		return;
	}
	ex_visit_reads(s->g, eq->value, need_read, s);
	for (int a = 0; eq->kind == EQ_SCATTER && a < eq->tensor->rank; a++)
		ex_visit_reads(s->g, eq->target[a], need_read, s);
}

static void set_needed(void *user, struct equation *eq) { timed_of(user, eq->tensor)->needed = true; }

bool has_needed(struct streaming *s, struct equation *const *item, int n)
{
	for (int i = 0; i < n; i++)
		if (item[i]->kind == EQ_SCAN ? has_needed(s, item[i]->scan->body, item[i]->scan->n)
					     : timed_of(s, item[i]->tensor)->needed)
			return true;
	return false;
}

static void find_needed(struct streaming *s, const equation_list *list)
{
	for (int i = 0; i < s->g->outputs.n; i++)
		timed_of(s, s->g->outputs.item[i].value)->needed = true;
	for (int i = list->n - 1; i >= 0; i--) {
		if (!has_needed(s, &list->item[i], 1))
			continue;
		visit_equations(&list->item[i], 1, set_needed, s);
		visit_equations(&list->item[i], 1, need_reads, s);
	}
}

/* ---- the scan whose steps they are ---- */

static bool links_input(struct streaming *s)
{
	for (int i = 0; i < s->p->inputs.n; i++)
		if (timed_of(s, s->p->inputs.item[i])->axis >= 0)
			return true;
	return false;
}

static bool links_output(struct streaming *s)
{
	for (int i = 0; i < s->g->outputs.n; i++)
		if (timed_of(s, s->g->outputs.item[i].value)->axis >= 0)
			return true;
	return false;
}

bool find_steps(struct streaming *s)
{
	const equation_list *list = &s->g->part[PART_INFERENCE];

	find_needed(s, list);
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < list->n; i++) {
			if (list->item[i]->kind != EQ_SCAN || !has_needed(s, &list->item[i], 1))
				continue;
			find_timed(s, list, list->item[i]->scan);
			if (!(pass ? links_output(s) : links_input(s)))
				continue;
			if (!s->refused)
				return true;
			if (!s->out->refused)
				s->out->refused = s->refused;
		}
	return false;
}
