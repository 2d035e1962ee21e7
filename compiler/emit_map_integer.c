/* emit_map_integer.c - integers in a map: indices, classes and what is computed of them, and reads at such places.
 *
 * What is affine in the loops is one instruction. What is known before the program runs lies in memory of its own, as
 * numbers are reals. Integers of tensors have 32 bits: with reals of another width they stay text. */
#include "emit_map.h"

/* What of an affine integer depends on the program's loops; the rest is left. */
static struct affine take_inner(struct map *m, struct affine *all)
{
	struct affine inner = {.constant = all->constant};

	all->constant = 0;
	for (int s = 0; s < MAX_SLOTS; s++)
		if (m->loops >> s & 1) {
			inner.coef[s] = all->coef[s];
			all->coef[s] = 0;
		}
	return inner;
}

void add_factors(struct map *m, const struct affine *a)
{
	const struct map_space *spaces[16];
	int n = 0;

	for (const struct map_space *s = m->space; s; s = s->outer)
		spaces[n++] = s;
	add_word(m, a->constant);
	while (n-- > 0)
		for (int l = 0; l < spaces[n]->n; l++)
			add_word(m, a->coef[spaces[n]->level[l].slot]);
}

int make_index(struct map *m, const struct affine *a)
{
	bool varies = false;
	int result;

	if (m->flat)
		return fail_map(m);
	for (int l = m->strip ? m->strip->strip : 0; m->strip && l < m->strip->n; l++)
		varies |= a->coef[m->strip->level[l].slot] != 0;
	result = new_value(m, varies ? MAP_REGISTER : MAP_UNIFORM, -1);
	add_result(m, NN_MAP_INDEX, result, 0, NULL);
	add_factors(m, a);
	return result;
}

int make_integer_number(struct map *m, struct expr *e)
{
	int at;

	if (e->op == EX_INT)
		return make_index(m, &(struct affine){.constant = e->integer});
	if (m->b->e->real_kind != NNC_FLOAT)
		return fail_map(m);
	at = memory_value(m, (struct map_memory){.number = e, .eq = m->b->eq});
	return add_instruction(m, NN_MAP_SPLAT, 1, &at);
}

static int make_affine(struct map *m, struct expr *e)
{
	struct affine rest, inner;
	struct expr *around;
	int at;

	if (!affine_of(e, &rest))
		return fail_map(m);
	inner = take_inner(m, &rest);
	around = affine_expr(m->b->e->g, &rest);
	at = make_index(m, &inner);
	if (around->op == EX_INT || at < 0)
		return at;
	return add_instruction(m, NN_MAP_INT_ADD, 2, (int[]){at, make_integer_number(m, around)});
}

static int integer_operation(enum ex op)
{
	switch (op) {
	case EX_ADD: return NN_MAP_INT_ADD;
	case EX_SUB: return NN_MAP_INT_SUB;
	case EX_MUL: return NN_MAP_INT_MUL;
	case EX_LT: return NN_MAP_INT_LT;
	case EX_LE: return NN_MAP_INT_LE;
	case EX_EQ: return NN_MAP_INT_EQ;
	case EX_NE: return NN_MAP_INT_NE;
	case EX_TO_REAL: return NN_MAP_INT_TO_REAL;
	default: return -1;
	}
}

/* By a number. */
static int make_division(struct map *m, struct expr *e)
{
	int at;

	if (e->arg[1]->op != EX_INT || e->arg[1]->integer <= 0 || e->arg[1]->integer > INT32_MAX ||
	    (at = make_value(m, e->arg[0])) < 0)
		return fail_map(m);
	at = add_instruction(m, e->op == EX_MOD ? NN_MAP_INT_REMAINDER : NN_MAP_INT_QUOTIENT, 1, &at);
	add_word(m, e->arg[1]->integer);
	return at;
}

int make_integer(struct map *m, struct expr *e)
{
	int operand[2], op = integer_operation(e->op);

	if (e->elem == ELEM_INT && e->affine)
		return make_affine(m, e);
	if (e->op == EX_FLOORDIV || e->op == EX_MOD)
		return make_division(m, e);
	if (op < 0)
		return fail_map(m);
	for (int i = 0; i < e->n; i++)
		if ((operand[i] = make_value(m, e->arg[i])) < 0)
			return -1;
	return add_instruction(m, (enum nn_map_op)op, e->n, operand);
}

/* Both limits of subscript a, unless it is known to be within. */
static struct expr *limits(struct map *m, const struct expr *read, int a)
{
	struct graph *g = m->b->e->g;
	struct expr *sub = read->arg[a];
	int64_t extent = read->tensor->axis[a].extent;
	struct range range;

	if (!read->guarded || (range_of(sub, m->b->eq->index, &range) && range.low >= 0 && range.high < extent))
		return ex_bool(g, true);
	return ex2(g, EX_AND, ex2(g, EX_LE, ex_int(g, 0), sub), ex2(g, EX_LT, sub, ex_int(g, extent)));
}

/* The element at a place that is computed. */
int make_gather(struct map *m, struct expr *e)
{
	struct graph *g = m->b->e->g;
	const struct tensor *t = e->tensor;
	struct expr *first[MAX_SLOTS], *place = ex_int(g, 0), *inside = ex_bool(g, true);
	int operand[2], found;

	if (m->flat || !m->strip || m->b->e->real_kind != NNC_FLOAT)
		return fail_map(m);
	for (int a = 0; a < t->rank; a++) {
		first[a] = ex_int(g, 0);
		place = ex2(g, EX_ADD, place, ex2(g, EX_MUL, ex_int(g, axis_stride(t, a)), e->arg[a]));
		inside = ex2(g, EX_AND, inside, limits(m, e, a));
	}
	place = ex_select(g, inside, place, ex_int(g, 0));
	operand[0] = memory_value(m, (struct map_memory){.read = ex_read(g, e->tensor, first, NULL), .eq = m->b->eq});
	operand[1] = make_value(m, place);
	if (operand[1] < 0)
		return -1;
	found = add_to_register(m, NN_MAP_GATHER, 2, operand);
	if (ex_is_num(inside, 1))
		return found;
	return add_instruction(m, NN_MAP_SELECT, 3,
			       (int[]){make_value(m, inside), found, make_value(m, e->arg[t->rank])});
}
