/* schedule_shape.c - how a group is computed: written out, flat over all elements, or in loops; and which of its values
 * are local variables.
 *
 * Small groups are written out with no loops, unless loops would run in vectors, which C compilers find few of in what
 * is written out; element-wise ones run flat over all elements. --unroll=all writes out whatever can be, in functions
 * of bounded size: a group that is too large for one is cut into ranges of elements. */
#include "schedule.h"

#include "expr.h"

enum {
	FLAT_MINIMUM = 16,  /* elements per row from which an element-wise group is a loop */
	LINES_OF_SUMS = 64, /* sums over the rows that are written out */
	LINES_OF_MAPS = 16, /* elements of a group without sums that are written out */
	LOCAL_SUMS = 16,    /* accumulators over the rows that may be local variables */
	SMALL_NET = 1024,   /* multiply-adds per row of a part, all groups together, */
	LEAST_LANES = 4,    /* of the smallest vectors */
	LINES_OF_LARGE =
		32 /* and what a group of a larger one may have that is written out: more gains nothing there */
};

static bool is_rows(const struct stage *stage, int slot) { return stage->eq->index[slot].rows; }

/* ---- written out, flat, or loops ---- */

/* An element's own part of a rank-0 equation that belongs to a parameter: flat like the other parameters'. */
static bool is_element_of_param(const struct tensor *t)
{
	switch (t->role) {
	case ROLE_PARAM:
	case ROLE_GRAD: return true;
	case ROLE_NEXT: return t->of->role == ROLE_PARAM || t->of->owner;
	case ROLE_STATE: return t->owner != NULL;
	default: return false;
	}
}

bool is_elementwise(const struct expr *read, const struct equation *eq)
{
	return reads_element(read, eq) && (eq->nfree > 0 || is_element_of_param(read->tensor));
}

/* Uses indices only as whole subscripts of reads element by element. */
static bool is_flat_equation(struct graph *g, const struct equation *eq)
{
	expr_list all = {0};

	for (int i = 1; i < eq->nfree; i++)
		if (eq->index[i].rows) /* with fewer rows than the batch its elements do not lie one after the other */
			return false;
	collect_exprs(g, eq->value, &all);
	for (int i = 0; i < all.n; i++) {
		const struct expr *e = all.item[i];

		if (e->op == EX_READ) {
			if (e->guarded || (e->slots && !reads_element(e, eq)))
				return false;
			continue;
		}
		if (e->op == EX_DRAW && eq->nfree && eq->index[0].rows)
			return false;
		for (int k = 0; k < e->n; k++)
			if (e->arg[k]->op == EX_INDEX)
				return false;
	}
	return eq->value->op != EX_INDEX;
}

/* Whether the group reads a tensor element by element, too: then one pointer to it is not enough. */
static bool is_read_by_element(const struct group *group, const struct tensor *t)
{
	for (int i = 0; i < group->stages.n; i++) {
		expr_list reads = group->stages.item[i]->reads;

		for (int k = 0; k < reads.n; k++)
			if (reads.item[k]->tensor == t && reads.item[k]->slots)
				return true;
	}
	return false;
}

/* Whether a stage reads one element of a tensor that is gone through as well. */
static bool reads_both_ways(const struct group *group, const struct stage *stage)
{
	for (int k = 0; k < stage->reads.n; k++) {
		const struct expr *read = stage->reads.item[k];

		if (!read->slots && tensor_size(read->tensor) > 1 && is_read_by_element(group, read->tensor))
			return true;
	}
	return false;
}

static bool is_flat_group(struct graph *g, const struct group *group)
{
	const struct equation *first = group->stages.item[0]->eq;

	if ((first->nfree == 0 && !is_element_of_param(first->tensor)) || tensor_size(first->tensor) > INT32_MAX)
		return false;
	for (int i = 0; i < group->stages.n; i++) {
		const struct stage *stage = group->stages.item[i];

		if (stage->form != FORM_MAP || (i > 0 && !stage->joins) || !is_flat_equation(g, stage->eq) ||
		    reads_both_ways(group, stage))
			return false;
	}
	return true;
}

/* Elements of one row that a stage makes, in one step. */
static int64_t row_elements(const struct stage *stage)
{
	int64_t n = 1;

	for (int s = 0; s < stage->eq->nfree; s++)
		if (!is_rows(stage, s) && !is_step(stage->eq, stage->n_steps, s))
			n *= stage->eq->index[s].extent;
	return n;
}

static bool can_be_written_out(struct graph *g, const struct stage *stage)
{
	const struct equation *eq = stage->eq;
	int sums = 0;

	/* one loop over rows that all stages stand in, the first free index, and in it one of a sum or product */
	for (int s = 0; s < eq->n; s++) {
		bool bound = s >= eq->nfree;

		if (!eq->index[s].rows)
			continue;
		sums += bound;
		if (bound ? sums > 1 || (eq->red != RED_SUM && eq->red != RED_PROD) : s > 0)
			return false;
	}
	if (g->ctx->options->unroll == NNC_UNROLL_AUTO && stage->form == FORM_ROW && stage_cost(stage) > LINES_OF_SUMS)
		return false;
	return stage->form != FORM_SCATTER && !ex_has(eq->value, EX_DRAW);
}

/* How much text a group is, written out: its multiply-adds, more where a term has more than the two reads of one. */
static double text_of_group(struct graph *g, const struct group *group)
{
	double text = 0;

	for (int i = 0; i < group->stages.n; i++) {
		const struct stage *stage = group->stages.item[i];
		expr_list all = {0};
		int reads = 0;

		collect_exprs(g, stage->eq->value, &all);
		for (int k = 0; k < all.n; k++)
			reads += all.item[k]->op == EX_READ;
		text += stage_cost(stage) * (reads > 2 ? reads / 2.0 : 1);
	}
	return text;
}

/* Whether loops do as well: element by element, without a sum. C compilers that look for vectors in long stretches of
 * such lines take minutes. */
static bool is_long_map(const struct group *group)
{
	for (int i = 0; i < group->stages.n; i++)
		if (group->stages.item[i]->eq->n > group->stages.item[i]->eq->nfree)
			return false;
	return group_cost(group) > LINES_OF_MAPS;
}

/* The extent of a stage's innermost loop, or 1 where that is the one over the rows. */
static int64_t innermost_extent(const struct stage *stage)
{
	const struct index *inner = stage->n_loop ? &stage->eq->index[stage->loop[stage->n_loop - 1]] : NULL;

	return !inner || inner->rows || is_step(stage->eq, stage->n_steps, stage->loop[stage->n_loop - 1])
		       ? 1
		       : inner->extent;
}

/* Whether a group is large enough for the host's vector instructions (emit_map.c). */
static bool runs_in_maps(const struct program *p, const struct group *group)
{
	for (int i = 0; p->maps && i < group->stages.n; i++) {
		const struct equation *eq = group->stages.item[i]->eq;
		bool rows = false;

		for (int s = 0; s < eq->n; s++)
			rows |= eq->index[s].rows;
		if (stage_cost(group->stages.item[i]) * (rows ? (double)p->g->batch : 1) >= LEAST_OF_MAP)
			return true;
	}
	return false;
}

/* Whether there would be vectors for the loops of a group: C compilers find few in what is written out. */
static bool runs_in_vectors(const struct program *p, const struct group *group)
{
	if (p->in_process)
		return runs_in_maps(p, group);
	if (p->g->ctx->options->fp == NNC_FP_STRICT)
		return false;
	for (int i = 0; i < group->stages.n; i++)
		if (innermost_extent(group->stages.item[i]) % LEAST_LANES == 0)
			return true;
	return false;
}

static void choose_shape(struct program *p, struct group *group, double limit)
{
	enum nnc_unroll unroll = p->g->ctx->options->unroll;
	double cost = group_cost(group);
	bool small = (unroll == NNC_UNROLL_ALL && (cost <= FUNCTION_LIMIT || group->stages.n == 1)) ||
		     (unroll == NNC_UNROLL_AUTO && !runs_in_vectors(p, group) && text_of_group(p->g, group) <= limit);

	if (group->part == PART_INIT || (unroll == NNC_UNROLL_AUTO && is_long_map(group)))
		small = false;
	for (int i = 0; small && i < group->stages.n; i++)
		small = can_be_written_out(p->g, group->stages.item[i]);
	group->flat = !group->steps && is_flat_group(p->g, group);
	if (group->flat && small && group->part != PART_UPDATE && cost <= FLAT_MINIMUM)
		group->flat = false;
	if (group->flat && unroll == NNC_UNROLL_ALL)
		group->flat = false;
	group->written_out = small && !group->flat;
}

/* A group of one stage as several, none of more than FUNCTION_LIMIT multiply-adds unless one element has more. */
static void cut_group(struct program *p, struct group *group, group_list *out)
{
	struct arena *arena = &p->g->ctx->arena;
	struct stage *stage = group->stages.item[0];
	int64_t n = row_elements(stage), each = (int64_t)(FUNCTION_LIMIT / (stage_cost(stage) / (double)n));

	each = each < 1 ? 1 : each;
	for (int64_t from = 0; from < n; from += each) {
		struct group *piece = arena_alloc(arena, sizeof *piece);
		struct stage *part = arena_alloc(arena, sizeof *part);

		*piece = *group;
		*part = *stage;
		part->from = from;
		part->to = from + each < n ? from + each : n;
		piece->stages = (struct stage_list){0};
		list_add(arena, &piece->stages, part);
		list_add(arena, out, piece);
		layout_of(root_of(stage->eq->tensor))->group = piece;
	}
}

static void cut_groups(struct program *p, group_list *list)
{
	group_list out = {0};

	for (int i = 0; i < list->n; i++) {
		struct group *group = list->item[i];

		if (group->written_out && group->stages.n == 1 && group_cost(group) > FUNCTION_LIMIT)
			cut_group(p, group, &out);
		else
			list_add(&p->g->ctx->arena, &out, group);
		p->statements += group->written_out ? group_cost(group) : 0;
	}
	*list = out;
}

/* ---- locals ---- */

static void note_reads(struct group *group)
{
	for (int i = 0; i < group->stages.n; i++) {
		expr_list reads = group->stages.item[i]->reads;

		for (int k = 0; k < reads.n; k++) {
			struct layout *layout = layout_of(root_of(reads.item[k]->tensor));

			if (reads.item[k]->tensor->role == ROLE_VIEW)
				layout->kept = true;
			if (layout->readers == 0 || layout->reader != group)
				layout->readers++;
			layout->reader = group;
		}
	}
}

/* All reads of t within the group are of the element that its stage has just made. */
static bool read_in_place(const struct group *group, int at)
{
	const struct stage *stage = group->stages.item[at];
	bool same_nest = true;

	for (int i = at + 1; i < group->stages.n; i++) {
		const struct stage *other = group->stages.item[i];
		expr_list reads = other->reads;

		same_nest &= other->joins;
		for (int k = 0; k < reads.n; k++) {
			if (reads.item[k]->tensor != stage->eq->tensor)
				continue;
			if (reads.item[k]->guarded || !reads_identity(reads.item[k], stage->eq->nfree))
				return false;
			if (!same_nest && stage->n_free > 0)
				return false;
		}
	}
	return true;
}

/* All reads of t within the group are of elements that are known while the code is written out. */
static bool read_at_constants(struct program *p, const struct group *group, int at)
{
	const struct tensor *t = group->stages.item[at]->eq->tensor;

	for (int i = at + 1; i < group->stages.n; i++) {
		const struct equation *eq = group->stages.item[i]->eq;
		expr_list reads = group->stages.item[i]->reads;

		for (int k = 0; k < reads.n; k++)
			for (int a = 0; reads.item[k]->tensor == t && a < t->rank; a++) {
				struct expr *sub = reads.item[k]->arg[a];
				bool own_row = a == 0 && t->batched && sub == ex_index(p->g, 0);

				if (own_row || (a >= t->batched && a < t->batched + count_steps(group)))
					continue;
				for (int s = 0; s < eq->n; s++)
					if (!sub->affine || (eq->index[s].rows && sub->slots >> s & 1))
						return false;
			}
	}
	return true;
}

/* A later step reads what this one has made. */
static bool read_by_other_step(const struct group *group, const struct tensor *t)
{
	for (int i = 0; i < group->stages.n; i++) {
		const struct stage *stage = group->stages.item[i];
		expr_list reads = stage->reads;

		for (int k = 0; k < reads.n; k++)
			if (reads.item[k]->tensor == t && reads_other_step(reads.item[k], stage->eq, stage->n_steps))
				return true;
	}
	return false;
}

static void find_locals(struct program *p, struct group *group)
{
	for (int i = 0; i < group->stages.n; i++) {
		struct stage *stage = group->stages.item[i];
		struct tensor *t = stage->eq->tensor;
		struct layout *layout = layout_of(t);
		bool sums_rows = false;

		if (t->role != ROLE_VALUE || layout->kept || layout->readers != 1 || layout->reader != group ||
		    stage->tile)
			continue;
		for (int s = stage->eq->nfree; s < stage->eq->n; s++)
			sums_rows |= is_rows(stage, s);
		if (stage->form == FORM_SCATTER || read_by_other_step(group, t))
			continue;
		if (group->written_out)
			stage->local =
				(!sums_rows || stage_cost(stage) <= LOCAL_SUMS) && read_at_constants(p, group, i);
		else
			stage->local = stage->form != FORM_ROW && read_in_place(group, i);
	}
}

void finish_groups(struct program *p, group_list *list)
{
	double whole = 0;

	for (int i = 0; i < list->n; i++)
		whole += group_cost(list->item[i]);
	for (int i = 0; i < list->n; i++) {
		choose_shape(p, list->item[i], whole <= SMALL_NET ? WRITE_OUT_LIMIT : LINES_OF_LARGE);
		find_pieces(p, list->item[i]);
		split_loops(list->item[i]);
	}
	cut_groups(p, list);
	for (int i = 0; i < list->n; i++)
		note_reads(list->item[i]);
	for (int i = 0; i < list->n; i++)
		find_locals(p, list->item[i]);
}
