/* schedule_turn.c - a sum of products whose results are made in another order than they are kept in.
 *
 * Vectors of results run along an index that moves the result and one factor by 1. A convolution's results lie along
 * the pixels of a row, which may be few; a vector of channels would waste nothing:
 *
 *     y.turned[batch, i, j, o] = sum[a, u, v] w.operand[a, u, v, o] * x[batch, a, i + u, j + v]
 *     y[batch, o, i, j] = y.turned[batch, i, j, o]
 *
 * Each index of the result is tried as the last one; the copy is the price. What comes next in the same loops reads the
 * copy's elements as they are made, so that it may need no memory.
 *
 * requires  what schedule_operands.c does to an equation
 * gives     the same for the equation in the cheapest order, with the copy behind it */
#include "schedule_operands.h"

#include <math.h>
#include <string.h>

/* to[s]: the place of free index s where `last` is the last one. If one factor has all the others, they are in its
 * order, so that some may move like one. */
static void find_places(struct operands *w, int last, int to[MAX_SLOTS])
{
	const struct equation *eq = w->eq;
	struct product product = {0};
	struct expr *factor = NULL;
	int64_t rank[MAX_SLOTS];
	uint64_t others = (((uint64_t)1 << eq->nfree) - 1) & ~((uint64_t)1 << last);

	find_product(w, &product);
	for (int k = 0; k < product.factors.n; k++)
		if (!(others & ~product.factors.item[k]->slots))
			factor = product.factors.item[k];
	for (int s = 0; s < eq->nfree; s++) /* the sample's stays the first */
		rank[s] = s == last ? -1 : eq->index[s].rows ? INT64_MAX : factor ? reach(w, factor, s) : 0;
	for (int s = 0; s < eq->nfree; s++) {
		to[s] = 0;
		for (int other = 0; other < eq->nfree; other++)
			to[s] += rank[other] > rank[s] || (rank[other] == rank[s] && other < s);
	}
}

/* The equation with its free indices in other places, of another tensor. */
static struct equation *put_last(struct operands *w, const int place[MAX_SLOTS])
{
	const struct equation *eq = w->eq;
	struct expr *map[MAX_SLOTS];
	struct index index[MAX_SLOTS];
	struct axis axis[MAX_SLOTS];
	struct tensor *t;

	for (int s = 0; s < eq->n; s++) {
		int to = s < eq->nfree ? place[s] : s;

		map[s] = ex_index(w->g, to);
		index[to] = eq->index[s];
		if (s < eq->nfree)
			axis[to] = eq->tensor->axis[s];
	}
	t = make_tensor(w->p, eq->tensor, ROLE_VALUE, arena_printf(&w->g->ctx->arena, "%s.turned", eq->tensor->name),
			eq->nfree, axis);
	t->batched = eq->tensor->batched;
	t->of = NULL;
	return graph_equation(w->g, t, eq->red, eq->nfree, eq->n, index, ex_substitute(w->g, eq->value, map, eq->n),
			      eq->at);
}

/* The tensor of eq from that of `turned`. */
static struct equation *turn_back(struct operands *w, const struct equation *eq, const struct tensor *turned,
				  const int place[MAX_SLOTS])
{
	struct expr *sub[MAX_SLOTS];

	for (int s = 0; s < eq->nfree; s++)
		sub[place[s]] = ex_index(w->g, s);
	return graph_equation(w->g, eq->tensor, RED_NONE, eq->nfree, eq->nfree, eq->index,
			      ex_read(w->g, (struct tensor *)turned, sub, NULL), eq->at);
}

/* Inference is for all rows of a batch, and for one. */
static int numbers_of_rows(const struct operands *w) { return w->part == PART_INFERENCE ? 2 : 1; }

/* Add about the cycles of an equation, of all rows and of one: of a sum of products as a tile, of anything else for
 * each element. */
static void add_cycles(struct operands *w, struct equation *eq, double cycles[2])
{
	struct stage *stage = eq->n > eq->nfree ? make_term(w->g, eq, w->steps) : NULL;

	for (int one_row = 0; one_row < numbers_of_rows(w); one_row++) {
		double work = work_of(eq, one_row), tiled;
		bool dot;

		if (!stage) {
			cycles[one_row] += work * move_cycles(w);
			continue;
		}
		tiled = tile_cycles(w->p, stage, w->part, 0, one_row, INFINITY, &dot);
		cycles[one_row] += tiled < INFINITY ? tiled : work;
	}
}

/* One way to compute the equation: what is added before it, and itself. */
struct variant {
	equation_list added;
	struct equation *last;
	double cycles[2]; /* of all rows, and of one where that is asked for */
};

static struct variant make_variant(struct operands *w, struct equation *eq)
{
	struct variant form = {.last = eq};
	struct equation *made;

	w->eq = eq;
	w->added = (equation_list){0};
	made = with_operands(w);
	form.last = made ? made : eq;
	form.added = made ? w->added : (equation_list){0};
	add_cycles(w, form.last, form.cycles);
	for (int i = 0; i < form.added.n; i++)
		add_cycles(w, form.added.item[i], form.cycles);
	return form;
}

/* Whether the tile that there is does fewer than half of what the machine can, so that it pays to look for another. */
static bool is_slow(struct operands *w, const struct equation *eq, const struct variant *form)
{
	const struct machine *machine = &w->p->machine[0];
	double work = work_of(eq, false);

	return may_tile(w->p, work) && form->cycles[0] > 2 * work / (machine->lanes * (machine->fused ? 2 : 1));
}

static bool may_turn(const struct operands *w, const struct equation *eq)
{
	return eq->kind == EQ_MAP && eq->red == RED_SUM && eq->tensor->elem == ELEM_REAL && eq->nfree > 1 &&
	       !w->steps && !w->g->no_operands && w->p->n_machine && w->g->ctx->options->unroll != NNC_UNROLL_ALL &&
	       tensor_size(eq->tensor) <= INT32_MAX;
}

struct equation *in_best_order(struct operands *w, struct equation *eq, double cycles[2])
{
	struct variant best = make_variant(w, eq);
	struct tensor *turned = NULL;
	int place[MAX_SLOTS], order[MAX_SLOTS];

	if (may_turn(w, eq) && is_slow(w, eq, &best))
		for (int s = 0; s < eq->nfree - 1; s++) {
			struct equation *other;
			struct variant form;
			bool better = true;

			if (eq->index[s].rows || eq->index[s].extent < w->p->machine[0].lanes)
				continue;
			w->eq = eq;
			find_places(w, s, place);
			other = put_last(w, place);
			form = make_variant(w, other);
			add_cycles(w, turn_back(w, eq, other->tensor, place), form.cycles);
			for (int one_row = 0; one_row < numbers_of_rows(w); one_row++)
				better &= form.cycles[one_row] < 0.8 * best.cycles[one_row];
			if (!better)
				continue;
			best = form;
			memcpy(order, place, sizeof order);
			turned = other->tensor;
		}
	memcpy(cycles, best.cycles, sizeof best.cycles);
	w->added = best.added;
	if (!turned)
		return best.last;
	list_add(&w->g->ctx->arena, &w->added, best.last);
	return turn_back(w, eq, turned, order);
}
