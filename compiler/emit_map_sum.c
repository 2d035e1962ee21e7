/* emit_map_sum.c - sums and extremes in a map, and their places.
 *
 * A strip of results accumulates in the loops over the bound indices; or strips run along these, and become one number.
 */
#include <math.h>

#include "emit_map.h"

/* What does not depend on the loops to come is made before them. */
static void hoist(struct map *m, struct expr *e, uint64_t bound)
{
	if (!(e->slots & bound)) {
		if (!is_map_number(m, e))
			make_value(m, e);
		return;
	}
	for (int i = 0; i < e->n && e->op != EX_READ; i++) {
		m->conditional += e->op == EX_SELECT && i > 0;
		hoist(m, e->arg[i], bound);
		m->conditional -= e->op == EX_SELECT && i > 0;
	}
}

struct reduction {
	enum nn_map_op join, reduce, total;
	double neutral;
};

static bool find_reduction(enum reducer red, struct reduction *out)
{
	switch (red) {
	case RED_SUM: *out = (struct reduction){NN_MAP_ADD, NN_MAP_REDUCE_SUM, NN_MAP_TOTAL_SUM, 0}; return true;
	case RED_MAX:
		*out = (struct reduction){NN_MAP_MAX, NN_MAP_REDUCE_MAX, NN_MAP_TOTAL_MAX, -INFINITY};
		return true;
	case RED_MIN: *out = (struct reduction){NN_MAP_MIN, NN_MAP_REDUCE_MIN, NN_MAP_TOTAL_MIN, INFINITY}; return true;
	default: return false;
	}
}

/* The round of the loops: total takes in the term. */
static void take_in(struct map *m, const struct reduction *how, struct expr *term, int total, bool along)
{
	bool product = !along && how->join == NN_MAP_ADD && is_product(m, term);
	int value = make_value(m, product ? term->arg[0] : term), other = product ? make_value(m, term->arg[1]) : -1;

	if (m->failed)
		return;
	if (product) {
		add_result(m, NN_MAP_MUL_ADD, total, 3, (int[]){value, other, total});
		return;
	}
	if (along && is_uniform(m, value))
		value = add_to_register(m, NN_MAP_MOVE, 1, &value);
	if (along)
		add_result(m, how->reduce, total, 1, &value);
	else
		add_result(m, how->join, total, 2, (int[]){total, value});
}

/* Whether tests on integers leave few rounds of a sum: text runs only those. */
static bool skips_rounds(const struct stage *stage, uint64_t bound)
{
	for (int i = 0; i < stage->exprs.n && stage->conditions.n; i++) {
		const struct expr *e = stage->exprs.item[i];

		if (e->elem == ELEM_BOOL && e->n && e->arg[0]->elem == ELEM_INT && e->slots & bound)
			return true;
	}
	return false;
}

/* The first place of the most or the least. */
static int make_place(struct map *m, const struct stage *stage, struct map_space *space)
{
	const struct equation *eq = stage->eq;
	bool most = eq->red == RED_ARGMAX;
	struct affine place = bound_place(eq);
	int best, winner, memo = m->memo.n, value, at, better;
	int none = number_value(m, ex_num(m->b->e->g, most ? -INFINITY : INFINITY), false);
	int first = make_index(m, &(struct affine){0});

	m->b->e->uses_infinity = true;
	if (m->failed)
		return -1;
	best = add_to_register(m, NN_MAP_MOVE, 1, &none);
	winner = add_to_register(m, NN_MAP_MOVE, 1, &first);
	open_space(m, space, false);
	value = make_value(m, map_value_of(stage));
	at = make_index(m, &place);
	if (!m->failed) {
		better = add_instruction(m, NN_MAP_LT, 2, most ? (int[]){best, value} : (int[]){value, best});
		add_result(m, NN_MAP_SELECT, winner, 3, (int[]){better, at, winner});
		add_result(m, NN_MAP_SELECT, best, 3, (int[]){better, value, best});
	}
	close_space(m);
	m->memo.n = memo;
	return winner;
}

int make_reduction(struct map *m, const struct stage *stage, bool along)
{
	const struct equation *eq = stage->eq;
	struct map_space *space = bound_space(m, stage);
	struct reduction how = {0};
	int total, memo, neutral;
	uint64_t bound = 0;

	if ((!is_place(eq->red) && !find_reduction(eq->red, &how)) || eq->value->elem != ELEM_REAL ||
	    (is_place(eq->red) && (along || !space->n)))
		return fail_map(m);
	if (!space->n)
		return make_value(m, map_value_of(stage));
	for (int s = eq->nfree; s < eq->n; s++)
		bound |= (uint64_t)1 << s;
	if (skips_rounds(stage, bound))
		return fail_map(m);
	hoist(m, map_value_of(stage), bound);
	if (is_place(eq->red))
		return make_place(m, stage, space);
	neutral = number_value(m, ex_num(m->b->e->g, how.neutral), false);
	m->b->e->uses_infinity |= how.neutral != 0;
	total = new_value(m, along ? MAP_UNIFORM : MAP_REGISTER, -1);
	add_result(m, NN_MAP_MOVE, total, 1, &neutral);
	memo = m->memo.n;
	open_space(m, space, along);
	take_in(m, &how, map_value_of(stage), total, along);
	close_space(m);
	m->memo.n = memo;
	if (along)
		add_result(m, how.total, total, 0, NULL);
	return total;
}
