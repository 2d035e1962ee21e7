/* schedule_steps.c - values of a recurrence that are needed for one step only.
 *
 * A tensor of a scan has an element for each step. Where all that reads h[t] is the same step, the next step before it
 * makes its own h[t], and what stands behind the scan, there only h of the last step, one row of memory is enough: each
 * step's values take the place of those before, and the axis of the steps has stride 0. So inference of a recurrent net
 * that asks for the last state needs memory for one step of it, and so does what training does not go back to.
 *
 * Reads that come too late, or of k steps before, are of copies: before[t] = h[t - 1], made as the first thing in a
 * step, and each of them one row. */
#include "schedule.h"

#include "chain.h"

enum { MAX_LAG = 4 };

/* What is known of a tensor that a scan defines. */
struct history {
	struct tensor *tensor;
	const struct equation *defined;
	int place;  /* of its equation in the body */
	bool inner; /* that is in a scan in this one: each of its steps makes some elements */
	bool whole; /* steps are read in a way that needs all of them */
	int copies; /* steps back that need a copy */
	struct tensor *before[MAX_LAG + 1];
};

struct folding {
	struct program *p;
	struct graph *g;
	struct scan *scan;
	LIST(struct history) histories; /* of the tensors that the scan itself defines */
	/* what is gone through: */
	const struct equation *eq;
	int place;   /* in the body, of eq or of the scan around it; -1: outside */
	bool behind; /* the scan has been met */
	bool inner;  /* in a scan in it */
};

static int step_axis(const struct folding *f, const struct tensor *t) { return t->batched + f->scan->depth; }

static struct history *history_of(const struct folding *f, const struct tensor *t)
{
	for (int i = 0; i < f->histories.n; i++)
		if (f->histories.item[i].tensor == t)
			return &f->histories.item[i];
	return NULL;
}

/* How many steps before its reader's a read in the scan is; false where that is not the same for all. */
static bool find_lag(const struct folding *f, const struct expr *read, int64_t *lag)
{
	struct affine sub;
	int slot = step_axis(f, f->eq->tensor);

	if (!affine_of(read->arg[step_axis(f, read->tensor)], &sub) || sub.coef[slot] != 1)
		return false;
	for (int s = 0; s < 64; s++)
		if (s != slot && sub.coef[s])
			return false;
	*lag = f->scan->reverse ? sub.constant : -sub.constant;
	return true;
}

/* Of the step of the scans around at which the reader is. */
static bool is_at_outer_steps(const struct folding *f, const struct expr *read)
{
	for (int d = 0; d < f->scan->depth; d++) {
		const struct expr *sub = read->arg[read->tensor->batched + d];

		if (sub->op != EX_INDEX || sub->slot != f->eq->tensor->batched + d)
			return false;
	}
	return true;
}

static bool is_last_step(const struct folding *f, const struct expr *read)
{
	return ex_is_num(read->arg[step_axis(f, read->tensor)], f->scan->reverse ? 0 : (double)(f->scan->trips - 1));
}

/* Every subscript but the step's is the reader's own index. */
static bool is_own_element(const struct folding *f, const struct expr *read)
{
	for (int a = 0; a < read->tensor->rank; a++)
		if (a != step_axis(f, read->tensor) && (read->arg[a]->op != EX_INDEX || read->arg[a]->slot != a))
			return false;
	return true;
}

static void note_read(struct folding *f, const struct expr *read, struct history *h)
{
	bool inside = f->place >= 0;
	int64_t lag;

	if (!inside || !is_at_outer_steps(f, read)) {
		h->whole |= (!inside && !f->behind) || !is_last_step(f, read);
		return;
	}
	if (!find_lag(f, read, &lag) || lag < 0 || lag > (h->inner ? 0 : MAX_LAG)) {
		h->whole = true;
		return;
	}
	if (lag == 0 || (lag == 1 && f->place < h->place))
		return;
	if (lag == 1 && f->eq == h->defined && f->eq->red == RED_NONE && is_own_element(f, read))
		return; /* it is read before it is overwritten */
	if (lag > h->copies)
		h->copies = (int)lag;
}

static void visit_reads(struct folding *f, struct expr *e)
{
	expr_list reads = {0};

	collect_reads(f->g, e, &reads);
	for (int i = 0; i < reads.n; i++) {
		struct history *h = history_of(f, reads.item[i]->tensor);

		if (h)
			note_read(f, reads.item[i], h);
	}
}

static void visit_list(struct folding *f, struct equation *const *item, int n)
{
	for (int i = 0; i < n; i++) {
		struct equation *eq = item[i];
		struct history *h = eq->kind == EQ_VIEW ? history_of(f, root_of(eq->tensor)) : NULL;

		if (h)
			h->whole = true;
		if (eq->kind == EQ_SCAN && eq->scan == f->scan) {
			for (f->place = 0; f->place < f->scan->n; f->place++)
				visit_list(f, &f->scan->body[f->place], 1);
			f->place = -1;
			f->behind = true;
		} else if (eq->kind == EQ_SCAN) {
			visit_list(f, eq->scan->body, eq->scan->n);
		} else if (eq->value) {
			f->eq = eq;
			visit_reads(f, eq->value);
			for (int a = 0; eq->kind == EQ_SCATTER && a < eq->tensor->rank; a++)
				visit_reads(f, eq->target[a]);
		}
	}
}

static void list_history(void *user, struct equation *eq)
{
	struct folding *f = user;

	if (eq->kind == EQ_MAP && eq->tensor->role == ROLE_VALUE && !layout_of(eq->tensor)->kept)
		list_add(&f->g->ctx->arena, &f->histories,
			 (struct history){.tensor = eq->tensor, .defined = eq, .place = f->place, .inner = f->inner});
}

static void list_histories(struct folding *f)
{
	for (f->place = 0; f->place < f->scan->n; f->place++) {
		f->inner = f->scan->body[f->place]->kind == EQ_SCAN;
		visit_equations(&f->scan->body[f->place], 1, list_history, f);
	}
	f->place = -1;
}

/* ---- copies of earlier steps ---- */

/* before[t] = t of the step before, as the first thing in a step. */
static struct equation *copy_step(struct folding *f, const struct equation *defined, struct tensor *from,
				  struct tensor *before)
{
	struct graph *g = f->g;
	int axis = step_axis(f, from);
	struct expr *sub[64], *zero = from->elem == ELEM_REAL ? ex_num(g, 0) : ex_int(g, 0);

	for (int a = 0; a < from->rank; a++)
		sub[a] = ex_index(g, a);
	sub[axis] = ex2(g, f->scan->reverse ? EX_ADD : EX_SUB, sub[axis], ex_int(g, 1));
	return graph_equation(g, before, RED_NONE, defined->nfree, defined->nfree, defined->index,
			      ex_read(g, from, sub, zero), defined->at);
}

static void make_copies(struct folding *f, struct history *h, equation_list *body)
{
	const struct tensor *t = h->tensor;
	struct equation *made[MAX_LAG + 1];

	h->before[0] = h->tensor;
	for (int k = 1; k <= h->copies; k++) {
		h->before[k] = make_tensor(f->p, t, ROLE_VALUE, arena_printf(&f->g->ctx->arena, "%s.before", t->name),
					   t->rank, t->axis);
		take_type(h->before[k], t);
		h->before[k]->batched = t->batched;
		h->before[k]->of = NULL;
		layout_of(h->before[k])->once = 1u << step_axis(f, t);
		made[k] = copy_step(f, h->defined, h->before[k - 1], h->before[k]);
	}
	for (int k = h->copies; k > 0; k--) /* each before what it is a copy of is overwritten */
		list_add(&f->g->ctx->arena, body, made[k]);
}

static struct expr *read_copy(void *user, struct expr *read)
{
	struct folding *f = user;
	struct graph *g = f->g;
	struct history *h = history_of(f, read->tensor);
	struct expr *sub[64], *step, *inside, *value, *otherwise = read->guarded ? read->arg[read->tensor->rank] : NULL;
	int64_t lag, last = f->scan->trips - 1;

	if (!h || h->whole || !h->copies || !is_at_outer_steps(f, read) || !find_lag(f, read, &lag) || lag == 0)
		return NULL;
	for (int a = 0; a < read->tensor->rank; a++)
		sub[a] = read->arg[a];
	sub[step_axis(f, read->tensor)] = step = ex_index(g, step_axis(f, f->eq->tensor));
	inside = f->scan->reverse ? ex2(g, EX_LE, step, ex_int(g, last - lag)) : ex2(g, EX_LE, ex_int(g, lag), step);
	if (!read->guarded)
		return ex_read(g, h->before[lag], sub, NULL);
	value = guard_reads(g, ex_read(g, h->before[lag], sub, otherwise), f->eq->index);
	if (ex_is_num(otherwise, 0)) /* as the copy has it at first */
		return value;
	return ex_select(g, inside, value, otherwise);
}

static struct equation *with_copies(struct folding *f, struct equation *eq)
{
	struct arena *arena = &f->g->ctx->arena;
	struct equation *made = arena_alloc(arena, sizeof *made);

	*made = *eq;
	if (eq->kind == EQ_SCAN) {
		made->scan = arena_alloc(arena, sizeof *made->scan);
		*made->scan = *eq->scan;
		made->scan->body = arena_array(arena, (size_t)eq->scan->n, sizeof *made->scan->body);
		for (int i = 0; i < eq->scan->n; i++)
			made->scan->body[i] = with_copies(f, eq->scan->body[i]);
	} else if (eq->value) {
		f->eq = eq;
		made->value = ex_map_reads(f->g, eq->value, read_copy, f);
	}
	return made;
}

/* ---- a scan ---- */

static void fold_scan(struct program *p, equation_list *list, struct scan *scan)
{
	struct arena *arena = &p->g->ctx->arena;
	struct folding f = {.p = p, .g = p->g, .scan = scan, .place = -1};
	equation_list body = {0};
	bool copies = false;

	for (int i = 0; i < scan->n; i++)
		if (scan->body[i]->kind == EQ_SCAN)
			fold_scan(p, list, scan->body[i]->scan);
	list_histories(&f);
	visit_list(&f, list->item, list->n);
	for (int i = 0; i < f.histories.n; i++) {
		struct history *h = &f.histories.item[i];

		h->whole |= h->copies > 0 && scan->trips <= 2 * (h->copies + 1);
		if (h->whole)
			continue;
		layout_of(h->tensor)->once |= 1u << step_axis(&f, h->tensor);
		copies |= h->copies > 0;
		make_copies(&f, h, &body);
	}
	if (!copies)
		return;
	for (int i = 0; i < scan->n; i++)
		list_add(arena, &body, with_copies(&f, scan->body[i]));
	scan->body = body.item;
	scan->n = body.n;
}

/* Requires: give_operands, so that scans are the list's own. Gives: layout.once. */
void keep_one_step(struct program *p, equation_list *list)
{
	for (int i = 0; i < list->n; i++)
		if (list->item[i]->kind == EQ_SCAN)
			fold_scan(p, list, list->item[i]->scan);
}
