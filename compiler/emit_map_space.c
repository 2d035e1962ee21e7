/* emit_map_space.c - the loops of a map: of a nest, and of the sums within it.
 *
 * Adjoining loops become one where everything steps through them as through one, so that strips are long. */
#include "emit_map.h"

enum { MOST_LEVELS = 8, FEW_STEPS = 12 /* on the C stack */ };

/* Its value, in the piece of its loops that is being written; the conditions of a sum stay within. */
struct expr *map_value_of(const struct stage *stage) { return stage->conditions.n ? stage->eq->value : stage->term; }

bool is_place(enum reducer red) { return red == RED_ARGMAX || red == RED_ARGMIN; }

struct affine target_steps(const struct map *m, const struct equation *eq)
{
	struct affine flat = {0};

	if (m->flat) {
		flat.coef[0] = 1;
		return flat;
	}
	for (int s = 0; s < eq->nfree; s++) {
		const struct cut *digits = m->piece[s].digits;

		flat.coef[s] = axis_stride(eq->tensor, s);
		if (!digits)
			continue;
		flat.coef[digits->high] = digits->by * flat.coef[s];
		flat.coef[digits->high + 1] = flat.coef[s];
	}
	return flat;
}

struct affine bound_place(const struct equation *eq)
{
	struct affine flat = {0};
	int64_t stride = 1;

	for (int s = eq->n - 1; s >= eq->nfree; s--) {
		flat.coef[s] = stride;
		stride *= eq->index[s].extent;
	}
	return flat;
}

/* Integers that are made, affine ones: those in a subscript are where it is not affine itself. */
static void collect_integers(struct map *m, struct expr *e, condition_list *steps, expr_list *seen)
{
	struct affine flat;
	int from = 0;

	for (int i = 0; i < seen->n; i++)
		if (seen->item[i] == e)
			return;
	list_add(m->arena, seen, e);
	if (e->elem == ELEM_INT && e->op != EX_READ && affine_of(e, &flat)) {
		list_add(m->arena, steps, flat);
		return;
	}
	if (e->op == EX_READ && flat_subscript(e->tensor, e->arg, &flat))
		from = e->tensor->rank;
	for (int i = from; i < e->n; i++)
		collect_integers(m, e->arg[i], steps, seen);
}

/* All that steps through memory in a stage, as steps by slot; and what bounds reads, for which loops stay as they are.
 */
static void collect_steps(struct map *m, const struct stage *stage, condition_list *steps, condition_list *bounds)
{
	const struct equation *eq = stage->eq;
	struct affine flat = {0};
	expr_list seen = {0}, reads = stage->reads;

	if (m->in_pieces) {
		reads = (expr_list){0};
		collect_reads(m->b->e->g, stage->term, &reads);
	}
	for (int i = 0; i < reads.n; i++) {
		struct expr *read = reads.item[i];

		if (flat_subscript(read->tensor, read->arg, &flat))
			list_add(m->arena, steps, flat);
		if (read->guarded)
			guard_conditions(m->b->e->g, bounds, eq->index, read);
	}
	collect_integers(m, map_value_of(stage), steps, &seen);
	if (is_place(eq->red))
		list_add(m->arena, steps, bound_place(eq));
	list_add(m->arena, steps, target_steps(m, eq));
}

static bool can_merge(const struct map_level *outer, const struct map_level *inner, const condition_list *steps,
		      const condition_list *bounds)
{
	if (inner->rows)
		return false;
	for (int i = 0; i < steps->n; i++)
		if (steps->item[i].coef[outer->slot] != steps->item[i].coef[inner->slot] * inner->extent)
			return false;
	for (int i = 0; i < bounds->n; i++)
		if (bounds->item[i].coef[outer->slot] || bounds->item[i].coef[inner->slot])
			return false;
	return true;
}

/* A loop over a slot inside of those that the space has. */
static void add_level(struct map *m, struct map_space *space, const struct equation *eq, int slot,
		      const condition_list *steps, const condition_list *bounds)
{
	const struct index *index = &eq->index[slot];
	struct map_level level = {slot, index->extent, index->rows && has_run_time_rows(m->b->group), 1}, *outer;

	if (level.extent == 1 || runs_once(m->b, eq, slot))
		return;
	if (!level.rows)
		level.each = level.extent;
	outer = space->n ? &space->level[space->n - 1] : NULL;
	if (outer && can_merge(outer, &level, steps, bounds)) {
		outer->slot = slot;
		outer->extent *= level.extent;
		outer->each *= level.extent;
	} else if (space->n < MOST_LEVELS) {
		space->level[space->n++] = level;
	} else {
		m->failed = true;
	}
}

struct map_space *new_space(struct map *m) { return arena_alloc(m->arena, sizeof(struct map_space)); }

struct map_space *bound_space(struct map *m, const struct stage *stage)
{
	struct map_space *space = new_space(m);
	struct affine first[FEW_STEPS];
	condition_list steps = {.item = first, .room = FEW_STEPS}, bounds = {0};
	int end = stage->form == FORM_ROW ? stage->n_loop - 1 : stage->n_loop;

	collect_steps(m, stage, &steps, &bounds);
	for (int k = stage->n_free; k < end; k++)
		add_level(m, space, stage->eq, stage->loop[k], &steps, &bounds);
	return space;
}

struct map_space *free_space(struct map *m, int at, int end, int from, int to)
{
	struct map_space *space = new_space(m);
	struct affine first[FEW_STEPS];
	condition_list steps = {.item = first, .room = FEW_STEPS}, bounds = {0};
	const struct stage_list *stages = &m->b->group->stages;

	if (m->flat) {
		space->level[space->n++] = (struct map_level){0, tensor_size(stages->item[at]->eq->tensor), true, 1};
		return space;
	}
	for (int i = at; i < end; i++)
		collect_steps(m, stages->item[i], &steps, &bounds);
	for (int s = from; s < to; s++) {
		const struct cut *digits = m->piece[s].digits;
		bool innermost = s + 1 == to; /* of which rows are as long as can be */

		if (digits)
			add_level(m, space, stages->item[at]->eq, digits->high + innermost, &steps, &bounds);
		add_level(m, space, stages->item[at]->eq, digits ? digits->high + !innermost : s, &steps, &bounds);
	}
	return space;
}

double space_size(const struct map_space *space)
{
	double size = 1;

	for (int l = 0; l < space->n; l++)
		size *= (double)space->level[l].extent;
	return size;
}
