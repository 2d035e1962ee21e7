/* emit_map_pieces.c - a nest of a map in pieces of its loops, where the schedule has cut them (schedule_pieces.c).
 *
 * A piece is the nest once more, over fewer rounds and with the term that is left of it: no tests on its indices and no
 * quotients of them. Each index begins with 0 in it; one that is divided becomes two. What is outside of a tensor needs
 * no piece: there is an instruction for that. */
#include "emit_map.h"

#include <string.h>

enum { SHORT_ROW = 8 };

/* Whether rows of a quotient of the innermost index are so short that it is better computed. */
static bool has_short_rows(const struct stage *stage)
{
	for (int k = 0; k < stage->n_cut; k++) {
		const struct cut *cut = &stage->cut[k];

		if (cut->by && cut->slot + 1 == stage->eq->nfree &&
		    cut->at[cut->whole + 1] - cut->at[cut->whole] < SHORT_ROW * cut->by)
			return true;
	}
	return false;
}

/* Whether the pieces' terms are simpler than the whole one: it tests the index as a number, or divides it. */
static bool is_of_use(struct map *m, const struct stage *stage, const struct cut *cut)
{
	expr_list all = {0};
	bool use = false;

	collect_exprs(m->b->e->g, stage->term, &all);
	for (int i = 0; i < all.n; i++) {
		const struct expr *e = all.item[i];

		if (!(e->slots >> cut->slot & 1))
			continue;
		use |= cut->n > 1 && e->elem == ELEM_BOOL && e->n && e->arg[0]->elem == ELEM_INT;
		use |= cut->by && (e->op == EX_FLOORDIV || e->op == EX_MOD) && !has_short_rows(stage);
	}
	return use;
}

const struct cut *find_map_cut(struct map *m, int at, int end, int from, int to)
{
	const struct stage *stage = m->b->group->stages.item[at];

	if (m->flat || end > at + 1 || stage->form != FORM_MAP || stage->conditions.n)
		return NULL;
	for (int k = 0; k < stage->n_cut; k++) {
		const struct cut *cut = &stage->cut[k];

		if (cut->slot >= from && cut->slot < to && !m->piece[cut->slot].cut && is_of_use(m, stage, cut))
			return cut;
	}
	return NULL;
}

/* The equation in piece k: with its extents. */
static struct equation *equation_of(struct map *m, const struct stage *stage, const struct cut *cut, int k)
{
	const struct equation *whole = m->in_pieces ? stage->eq : stage->wide;
	struct equation *eq = arena_alloc(m->arena, sizeof *eq);
	struct index *index = arena_array(m->arena, (size_t)whole->n, sizeof *index);

	*eq = *whole;
	memcpy(index, whole->index, (size_t)whole->n * sizeof *index);
	index[cut->slot].extent = m->piece[cut->slot].digits ? 1 : cut->at[k + 1] - cut->at[k];
	eq->index = index;
	return eq;
}

/* What the index of a cut is in piece k. */
static struct expr *index_in(struct graph *g, const struct cut *cut, int k, bool digits)
{
	struct affine index = {.constant = cut->at[k]};

	if (digits) {
		index.coef[cut->high] = cut->by;
		index.coef[cut->high + 1] = 1;
	} else if (cut->at[k + 1] - cut->at[k] > 1) {
		index.coef[cut->slot] = 1;
	}
	return affine_expr(g, &index);
}

/* All values of the indices that the cut has in the piece at hand. */
static struct piece_ranges ranges_of(const struct map *m, const struct equation *eq, const struct cut *cut)
{
	struct piece_ranges ranges = {0};
	int from = m->piece[cut->slot].digits ? cut->high : cut->slot, n = m->piece[cut->slot].digits ? 2 : 1;

	for (int s = from; s < from + n; s++) {
		ranges.known |= (uint64_t)1 << s;
		ranges.of[s] = (struct range){0, eq->index[s].extent - 1};
	}
	return ranges;
}

void make_pieces(struct map *m, int at, int from, int to, const struct cut *cut)
{
	struct graph *g = m->b->e->g;
	struct stage *stage = m->b->group->stages.item[at];
	struct expr *term = stage->term, *in[MAX_SLOTS] = {0};
	struct equation *eq = stage->eq;
	bool in_pieces = m->in_pieces;

	for (int k = 0; k < cut->n && !m->failed; k++) {
		bool digits = cut->by && k == cut->whole && !has_short_rows(stage);
		struct piece_ranges ranges;

		m->in_pieces = in_pieces;
		m->piece[cut->slot] = (struct map_piece){true, cut->at[k], digits ? cut : NULL};
		stage->eq = equation_of(m, stage, cut, k);
		in[cut->slot] = index_in(g, cut, k, digits);
		stage->term = ex_substitute(g, term, in, MAX_SLOTS);
		ranges = ranges_of(m, stage->eq, cut);
		stage->term = restrict_term(g, stage->eq, stage->term, &ranges);
		m->in_pieces = true;
		make_nest(m, at, at + 1, from, to, true);
		stage->term = term;
		stage->eq = eq;
	}
	m->in_pieces = in_pieces;
	m->piece[cut->slot] = (struct map_piece){0};
}
