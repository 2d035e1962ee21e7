/* schedule_groups.c - which equations become one function.
 *
 * Equations that follow one another join a group where that is legal and saves memory traffic: element by element in
 * the same loops (a sum, the bias, the activation), or row by row within shared outer loops (the parts of a softmax).
 * The chain rule's equations and an optimiser's are treated like any others, and so are those of one step of a scan. */
#include "schedule.h"

#include <string.h>

struct grouping {
	struct program *p;
	struct graph *g;
	struct group *group;	       /* open for more, or NULL */
	const struct step_loop *steps; /* the scan that is gone through, or NULL */
	enum part part;
	unsigned readers; /* INFERENCE: calls that need that scan */
};

static const struct stage *last_stage(const struct group *group) { return group->stages.item[group->stages.n - 1]; }

/* Free indices that two stages have in common, from the left. */
static int common_free(const struct stage *one, const struct stage *other)
{
	const struct equation *a = one->eq, *b = other->eq;
	int n = 0;

	while (n < a->nfree && n < b->nfree && a->index[n].extent == b->index[n].extent &&
	       a->index[n].rows == b->index[n].rows)
		n++;
	return n;
}

/* The first n subscripts of a read are slots 0..n-1. */
bool reads_identity(const struct expr *read, int n)
{
	if (read->tensor->rank < n)
		return false;
	for (int a = 0; a < n; a++)
		if (read->arg[a]->op != EX_INDEX || read->arg[a]->slot != a)
			return false;
	return true;
}

bool reads_element(const struct expr *read, const struct equation *eq)
{
	if (read->guarded || read->tensor->rank != eq->nfree || !reads_identity(read, eq->nfree))
		return false;
	for (int a = 0; a < eq->nfree; a++)
		if (read->tensor->axis[a].extent != eq->index[a].extent)
			return false;
	return true;
}

bool reads_other_step(const struct expr *read, const struct equation *eq, int n_steps)
{
	const struct tensor *t = read->tensor;

	for (int d = 0; d < n_steps; d++)
		if (t->rank <= t->batched + d || read->arg[t->batched + d]->op != EX_INDEX ||
		    read->arg[t->batched + d]->slot != eq->tensor->batched + d)
			return true;
	return false;
}

/* The stage of the group that defines t's memory, or -1. */
static int defining_stage(const struct group *group, const struct tensor *t)
{
	for (int i = 0; i < group->stages.n; i++)
		if (root_of(group->stages.item[i]->eq->tensor) == root_of(t))
			return i;
	return -1;
}

/* The first stage of the nest of loops that the last stage stands in. */
static int nest_start(const struct group *group)
{
	int i = group->stages.n - 1;

	while (i > 0 && group->stages.item[i]->joins)
		i--;
	return i;
}

/* Whether a stage of the group reads, of the step before, what the stage would overwrite too early: memory of one step,
 * of which other elements than its own are read in the same loops. */
static bool overwrites_early(const struct grouping *w, const struct stage *stage, int depth, bool joins)
{
	const struct tensor *t = stage->eq->tensor;
	int first_step = t->batched, behind = t->batched + stage->n_steps;

	if (!layout_of(t)->once)
		return false;
	for (int i = 0; i < w->group->stages.n; i++) {
		expr_list reads = w->group->stages.item[i]->reads;
		int shared = joins && i >= nest_start(w->group) ? t->rank : depth;

		for (int k = 0; k < reads.n; k++)
			for (int a = 0; reads.item[k]->tensor == t && a < shared; a++)
				if ((a < first_step || a >= behind) &&
				    (reads.item[k]->arg[a]->op != EX_INDEX || reads.item[k]->arg[a]->slot != a))
					return true;
	}
	return false;
}

/* Whether all that stage reads of the group is ready when its loops run inside the first `depth` ones. *linked: it
 * reads something of the group, or both read the same elements. */
static bool reads_fit(struct grouping *w, const struct stage *stage, int depth, bool joins, bool *linked)
{
	struct group *group = w->group;
	expr_list reads = stage->reads;

	*linked = false;
	if (overwrites_early(w, stage, depth, joins))
		return false;
	for (int i = 0; i < reads.n; i++) {
		const struct expr *read = reads.item[i];
		int from = defining_stage(group, read->tensor);

		if (from < 0) {
			expr_list theirs = last_stage(group)->reads;

			if (!joins || read->tensor->rank == 0 || !reads_element(read, stage->eq))
				continue;
			for (int k = 0; k < theirs.n; k++)
				*linked |= theirs.item[k] == read;
			continue;
		}
		if (reads_other_step(read, stage->eq, stage->n_steps))
			continue; /* the call for that step has stored it */
		if (read->tensor->role == ROLE_VIEW || group->stages.item[from]->eq->tensor->role == ROLE_VIEW)
			return false;
		if (joins && from >= nest_start(group) ? !reads_element(read, stage->eq) : !reads_identity(read, depth))
			return false;
		*linked = true;
	}
	return true;
}

/* Axes of a tensor that are more than one element long. */
static int long_axes(const struct tensor *t)
{
	int n = 0;

	for (int a = 0; a < t->rank; a++)
		n += t->axis[a].extent > 1;
	return n;
}

/* Nothing large that does not depend on the shared loops is gone through again for each of their rounds: no matrix, but
 * vectors may be. */
static bool works_by_row(const struct stage *stage, int depth)
{
	expr_list reads = stage->reads;
	uint64_t shared = ((uint64_t)1 << depth) - 1;

	if (stage->form == FORM_SCATTER)
		return false;
	for (int i = 0; i < reads.n; i++)
		if (!(reads.item[i]->slots & shared) && long_axes(reads.item[i]->tensor) > 1)
			return false;
	return true;
}

double group_cost(const struct group *group)
{
	double cost = 0;

	for (int i = 0; i < group->stages.n; i++)
		cost += stage_cost(group->stages.item[i]);
	return cost;
}

/* The depth of the shared loops once stage is in the group; -1: it does not fit. */
static int joint_depth(struct grouping *w, struct stage *stage, unsigned readers)
{
	struct group *group = w->group;
	const struct stage *last;
	int common, depth;
	bool linked;

	if (!group || group->readers != readers || stage->form == FORM_SCATTER || stage->tile)
		return -1;
	last = last_stage(group);
	if (last->form == FORM_SCATTER || last->tile || defining_stage(group, stage->eq->tensor) >= 0)
		return -1;
	if (w->g->ctx->options->unroll == NNC_UNROLL_ALL && group_cost(group) + stage_cost(stage) > FUNCTION_LIMIT)
		return -1;
	common = common_free(group->stages.item[0], stage);
	if (last->form != FORM_ROW && stage->form != FORM_ROW && stage->eq->nfree == last->eq->nfree &&
	    common_free(last, stage) == stage->eq->nfree && reads_fit(w, stage, group->depth, true, &linked) &&
	    linked) {
		stage->joins = true;
		return group->depth;
	}
	depth = common < group->depth ? common : group->depth;
	if (stage->n_free < depth)
		depth = stage->n_free;
	if (depth < 1 || !reads_fit(w, stage, depth, false, &linked) || !linked)
		return -1;
	if (depth == group->depth && last->form == FORM_ROW && stage->form == FORM_MAP)
		return depth; /* what follows a row stands right behind it */
	if (group_cost(group) + stage_cost(stage) <= WRITE_OUT_LIMIT)
		return depth;
	if (group_cost(group) <= WRITE_OUT_LIMIT)
		return -1;
	for (int i = 0; i < group->stages.n; i++)
		if (!works_by_row(group->stages.item[i], depth))
			return -1;
	return works_by_row(stage, depth) ? depth : -1;
}

static void plan_tiles(struct grouping *w, struct stage *stage)
{
	int steps = w->steps ? w->steps->scan->depth + 1 : 0;
	uint64_t open = 0;

	if (stage_cost(stage) <= WRITE_OUT_LIMIT && w->g->ctx->options->unroll == NNC_UNROLL_AUTO)
		return;
	for (int s = 0; s < stage->eq->n; s++)
		open |= (uint64_t)is_step(stage->eq, steps, s) << s;
	stage->tile = plan_tile(w->p, stage, w->part, open, false);
	if (w->part == PART_INFERENCE)
		stage->row_tile = plan_tile(w->p, stage, w->part, open, true);
	if (stage->tile && stage->row_tile && same_but_for_rows(stage->tile, stage->row_tile))
		stage->row_tile = stage->tile;
}

bool serves_one_row(const struct group *group)
{
	bool serves = !group->written_out;

	for (int i = 0; i < group->stages.n && serves; i++)
		serves = group->stages.item[i]->tile == group->stages.item[i]->row_tile;
	return serves;
}

static void add_equation(struct grouping *w, struct equation *eq, group_list *out)
{
	struct arena *arena = &w->g->ctx->arena;
	struct layout *layout = layout_of(root_of(eq->tensor));
	unsigned readers = w->part != PART_INFERENCE ? 0 : w->steps ? w->readers : layout->need;
	struct stage *stage;
	int depth;

	if (eq->kind == EQ_VIEW || (w->part == PART_INFERENCE && !readers))
		return;
	if (w->part == PART_INIT && eq->tensor->role != ROLE_VALUE && eq->red == RED_NONE && ex_is_num(eq->value, 0))
		return; /* init clears everything first */
	stage = make_stage(w->g, write_out_terms(w->g, eq), w->steps ? w->steps->scan->depth + 1 : 0);
	stage->written = eq;
	stage->clears = !layout->group;
	plan_tiles(w, stage);
	depth = joint_depth(w, stage, readers);
	if (depth < 0) {
		w->group = arena_alloc(arena, sizeof *w->group);
		w->group->part = w->part;
		w->group->readers = readers;
		w->group->steps = w->steps;
		list_add(arena, out, w->group);
		depth = stage->form == FORM_SCATTER ? 0 : stage->n_free;
	}
	list_add(arena, &w->group->stages, stage);
	w->group->depth = depth;
	layout->group = w->group;
}

static void add_equations(struct grouping *w, struct equation *const *item, int n, group_list *out);

/* All of a scan is computed where some of it is needed. */
static unsigned scan_readers(const struct scan *scan)
{
	const struct equation *first = scan->body[0];

	return first->kind == EQ_SCAN ? scan_readers(first->scan) : layout_of(root_of(first->tensor))->need;
}

/* The groups of a step. */
static void add_scan(struct grouping *w, const struct equation *eq, group_list *out)
{
	const struct step_loop *outer = w->steps;
	struct step_loop *steps = arena_alloc(&w->g->ctx->arena, sizeof *steps);

	*steps = (struct step_loop){eq->scan, outer};
	w->readers = scan_readers(eq->scan);
	w->group = NULL;
	w->steps = steps;
	add_equations(w, eq->scan->body, eq->scan->n, out);
	w->steps = outer;
	w->group = NULL;
}

static void add_equations(struct grouping *w, struct equation *const *item, int n, group_list *out)
{
	for (int i = 0; i < n; i++)
		if (item[i]->kind == EQ_SCAN)
			add_scan(w, item[i], out);
		else
			add_equation(w, item[i], out);
}

void group_equations(struct program *p, enum part part, const equation_list *list, group_list *out)
{
	struct grouping w = {.p = p, .g = p->g, .part = part};

	add_equations(&w, list->item, list->n, out);
}

void visit_uses(const struct group *group, use_fn *fn, void *user)
{
	for (int i = 0; i < group->stages.n; i++) {
		const struct stage *stage = group->stages.item[i];
		const struct tensor *t = stage->eq->tensor;
		expr_list reads = stage->reads;

		fn(user, MAKES, layout_of(root_of(t)));
		if (t->role == ROLE_NEXT)
			fn(user, REPLACES, layout_of(t->of));
		for (int k = 0; k < reads.n; k++)
			fn(user, READS, layout_of(root_of(reads.item[k]->tensor)));
	}
}

/* Loops that the group shares are no longer the stage's own. */
void split_loops(struct group *group)
{
	for (int i = 0; i < group->stages.n; i++) {
		struct stage *stage = group->stages.item[i];
		int depth = stage->form == FORM_SCATTER ? 0 : group->depth;

		memmove(stage->loop, stage->loop + depth, (size_t)(stage->n_loop - depth) * sizeof *stage->loop);
		stage->n_loop -= depth;
		stage->n_free -= depth;
	}
}
