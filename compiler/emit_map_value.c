/* emit_map_value.c - an expression as instructions of a map.
 *
 * A part that depends on no loop of the program is a number, which the C around it computes. A read is memory itself
 * where the elements of a strip lie one after the other; else they are loaded, one of them if all are the same. */
#include <math.h>
#include <stdlib.h>

#include "emit_map.h"

enum { MOST_CONDITIONS = 16 };

int fail_map(struct map *m)
{
	m->failed = true;
	return -1;
}

/* ---- what is known before the program runs ---- */

static int find_made(const struct map *m, const struct tensor *t)
{
	for (int i = m->made.n - 1; i >= 0; i--)
		if (m->made.item[i].tensor == t)
			return m->made.item[i].value;
	return -1;
}

static bool is_made_here(const struct map *m, const struct tensor *t)
{
	for (int i = m->first; i < m->end; i++)
		if (m->b->group->stages.item[i]->eq->tensor == t)
			return true;
	return false;
}

/* Depends on no loop of the program, and on nothing that it makes. */
bool is_map_number(struct map *m, struct expr *e)
{
	expr_list all = {0};

	if (e->slots & m->loops)
		return false;
	if (!e->n && e->op != EX_READ)
		return e->op != EX_DRAW;
	collect_exprs(m->b->e->g, e, &all);
	for (int i = 0; i < all.n; i++) {
		const struct expr *x = all.item[i];

		if (x->op == EX_DRAW || (x->op == EX_READ && (is_made_here(m, x->tensor) ||
							      (m->flat && find_arg(m->b, x->tensor)->by_element))))
			return false;
		if (m->conditional && !is_safe(m->b, x))
			return false;
	}
	return true;
}

static int make_number(struct map *m, struct expr *e)
{
	int number;

	if (e->elem == ELEM_REAL)
		return number_value(m, e, false);
	if (e->elem == ELEM_INT)
		return make_integer_number(m, e);
	if (e->elem != ELEM_BOOL)
		return fail_map(m);
	number = number_value(m, e, true);
	return add_instruction(m, NN_MAP_NE, 2, (int[]){number, number_value(m, ex_num(m->b->e->g, 0), false)});
}

/* ---- reads ---- */

/* Steps of a memory slot in the strip. */
void add_steps(struct map *m, int memory)
{
	for (int l = m->strip->strip; l < m->strip->n; l++)
		add_word(m, memory_step(m, m->values.item[memory].slot, &m->strip->level[l]));
}

enum pattern pattern_of(const struct map *m, int memory)
{
	bool same = true, row = true;
	int64_t step = 1;

	for (int l = m->strip->n - 1; l >= m->strip->strip; l--) {
		const struct map_level *level = &m->strip->level[l];
		int64_t actual = memory_step(m, m->values.item[memory].slot, level);

		same &= actual == 0;
		row &= actual == step && (!level->rows || l == m->strip->strip);
		step *= level->extent;
	}
	return same ? SAME : row ? ROW : ANY;
}

/* Conditions of a read, by what they depend on. */
struct conditions {
	condition_list inner;	     /* on the program's loops */
	struct expr *around, *never; /* on what is around it, all of them; one that never holds; or NULL */
};

/* false: one of them is of loops of both kinds. */
static bool sort_conditions(struct map *m, const condition_list *all, struct conditions *out)
{
	struct graph *g = m->b->e->g;

	*out = (struct conditions){0};
	for (int i = 0; i < all->n; i++) {
		struct affine condition = all->item[i];
		bool inner = false, around = false;
		struct expr *test;

		for (int s = 0; s < 64; s++) {
			bool open = m->b->slot_name[s] || (s < m->from && !runs_once(m->b, m->b->eq, s));

			if (!(m->loops >> s & 1) && !open)
				condition.coef[s] = 0; /* it runs once */
			inner |= condition.coef[s] && m->loops >> s & 1;
			around |= condition.coef[s] && !(m->loops >> s & 1);
		}
		if (inner && around)
			return false;
		if (inner) {
			list_add(m->arena, &out->inner, condition);
			continue;
		}
		test = ex2(g, EX_LE, ex_int(g, 0), affine_expr(g, &condition));
		if (ex_is_num(test, 0))
			out->never = test;
		if (!ex_is_num(test, 1))
			out->around = out->around ? ex2(g, EX_AND, out->around, test) : test;
	}
	return true;
}

/* What is in memory where all conditions hold, else the fill. */
static int make_inside(struct map *m, int memory, int fill, const struct conditions *conditions)
{
	int test, result;

	if (fill < 0 || !m->strip || conditions->inner.n > MOST_CONDITIONS)
		return fail_map(m);
	test = number_value(m, conditions->around ? conditions->around : ex_bool(m->b->e->g, true), true);
	result = add_to_register(m, NN_MAP_LOAD_INSIDE, 3, (int[]){memory, fill, test});
	add_steps(m, memory);
	add_word(m, conditions->inner.n);
	for (int c = 0; c < conditions->inner.n; c++)
		add_factors(m, &conditions->inner.item[c]);
	return result;
}

static int make_read(struct map *m, struct expr *e)
{
	struct map_memory memory = {.read = e, .eq = m->b->eq};
	condition_list all = {0};
	struct conditions conditions = {0};
	int made = find_made(m, e->tensor), at, result;

	if (made >= 0 && !e->guarded &&
	    reads_identity(e, e->tensor->rank)) /* the element just made; others are in memory */
		return made;
	if (!find_arg(m->b, e->tensor) || (e->elem != ELEM_REAL && m->b->e->real_kind != NNC_FLOAT) ||
	    (m->conditional && !is_safe(m->b, e)) || tensor_size(e->tensor) > INT32_MAX)
		return fail_map(m);
	if (m->flat) {
		if (!find_arg(m->b, e->tensor)->by_element)
			return fail_map(m);
		memory.flat.coef[0] = 1;
	} else if (!flat_subscript(e->tensor, e->arg, &memory.flat)) {
		return make_gather(m, e);
	}
	if (e->guarded)
		guard_conditions(m->b->e->g, &all, m->b->eq->index, e);
	if (!sort_conditions(m, &all, &conditions))
		return fail_map(m);
	if (conditions.never)
		return make_value(m, e->arg[e->tensor->rank]);
	at = memory_value(m, memory);
	if (conditions.around || conditions.inner.n)
		return make_inside(m, at, make_value(m, e->arg[e->tensor->rank]), &conditions);
	if (!m->strip || pattern_of(m, at) == SAME)
		return add_instruction(m, NN_MAP_SPLAT, 1, &at);
	if (pattern_of(m, at) == ROW)
		return at;
	result = add_to_register(m, NN_MAP_LOAD, 1, &at);
	add_steps(m, at);
	return result;
}

/* ---- operators ---- */

static int operation_of(enum ex op)
{
	switch (op) {
	case EX_ADD: return NN_MAP_ADD;
	case EX_SUB: return NN_MAP_SUB;
	case EX_MUL: return NN_MAP_MUL;
	case EX_DIV: return NN_MAP_DIV;
	case EX_MIN: return NN_MAP_MIN;
	case EX_MAX: return NN_MAP_MAX;
	case EX_LT: return NN_MAP_LT;
	case EX_LE: return NN_MAP_LE;
	case EX_EQ: return NN_MAP_EQ;
	case EX_NE: return NN_MAP_NE;
	case EX_AND: return NN_MAP_AND;
	case EX_OR: return NN_MAP_OR;
	case EX_NOT: return NN_MAP_NOT;
	case EX_NEG: return NN_MAP_NEG;
	case EX_SIGN: return NN_MAP_SIGN;
	case EX_EXP: return NN_MAP_EXP;
	case EX_LOG: return NN_MAP_LOG;
	case EX_LOG1P: return NN_MAP_LOG1P;
	case EX_EXPM1: return NN_MAP_EXPM1;
	case EX_SIN: return NN_MAP_SIN;
	case EX_COS: return NN_MAP_COS;
	case EX_TAN: return NN_MAP_TAN;
	case EX_ASIN: return NN_MAP_ASIN;
	case EX_ACOS: return NN_MAP_ACOS;
	case EX_ATAN: return NN_MAP_ATAN;
	case EX_SINH: return NN_MAP_SINH;
	case EX_COSH: return NN_MAP_COSH;
	case EX_TANH: return NN_MAP_TANH;
	case EX_ERF: return NN_MAP_ERF;
	case EX_SQRT: return NN_MAP_SQRT;
	case EX_ABS: return NN_MAP_ABS;
	case EX_FLOOR: return NN_MAP_FLOOR;
	case EX_CEIL: return NN_MAP_CEIL;
	case EX_ROUND: return NN_MAP_ROUND;
	default: return -1;
	}
}

/* Whether nothing else needs the product. */
static bool used_once(const struct map *m, const struct expr *e)
{
	int uses = 0;

	for (int i = 0; i < m->used.n; i++)
		uses += m->used.item[i] == e;
	return uses == 1;
}

bool is_product(struct map *m, struct expr *e)
{
	return e->op == EX_MUL && e->elem == ELEM_REAL && used_once(m, e) && !is_map_number(m, e);
}

/* a b + c, a b - c, c - a b; -1: e is nothing of that. */
static int make_fused(struct map *m, struct expr *e)
{
	bool left = is_product(m, e->arg[0]), right = is_product(m, e->arg[1]);
	const struct expr *product = e->arg[left ? 0 : 1];
	enum nn_map_op op = e->op == EX_ADD ? NN_MAP_MUL_ADD : left ? NN_MAP_MUL_SUB : NN_MAP_SUB_MUL;
	int operand[3];

	if (!left && !right)
		return -1;
	operand[0] = make_value(m, product->arg[0]);
	operand[1] = make_value(m, product->arg[1]);
	operand[2] = make_value(m, e->arg[left ? 1 : 0]);
	return add_instruction(m, op, 3, operand);
}

static int make_side(struct map *m, struct expr *e)
{
	int value;

	m->conditional++;
	value = make_value(m, e);
	m->conditional--;
	return value;
}

static int make_select(struct map *m, struct expr *e)
{
	struct expr *test = e->arg[0];
	int first, then, otherwise;

	if ((test->op == EX_LT || test->op == EX_LE) && test->arg[0]->elem == ELEM_REAL && !is_map_number(m, test)) {
		int a = make_value(m, test->arg[0]), b = make_value(m, test->arg[1]);

		then = make_side(m, e->arg[1]);
		otherwise = make_side(m, e->arg[2]);
		return add_instruction(m, test->op == EX_LT ? NN_MAP_SELECT_LT : NN_MAP_SELECT_LE, 4,
				       (int[]){a, b, then, otherwise});
	}
	first = make_value(m, test);
	then = make_side(m, e->arg[1]);
	otherwise = make_side(m, e->arg[2]);
	return add_instruction(m, NN_MAP_SELECT, 3, (int[]){first, then, otherwise});
}

/* Small powers as products and roots; as emit_expr.c writes them. */
static int make_power(struct map *m, struct expr *e)
{
	double exponent = e->arg[1]->op == EX_NUM ? e->arg[1]->num : 0, size = fabs(exponent);
	int base = make_value(m, e->arg[0]), value = base;

	if (size != 0.5 && exponent != -1 && size != 2 && exponent != 3) {
		if (ex_is_num(e->arg[0], 2))
			return add_instruction(m, NN_MAP_EXP2, 1, (int[]){make_value(m, e->arg[1])});
		return add_instruction(m, NN_MAP_POW, 2, (int[]){base, make_value(m, e->arg[1])});
	}
	if (size == 0.5)
		value = add_instruction(m, NN_MAP_SQRT, 1, &base);
	for (int i = 1; i < (int)size; i++)
		value = add_instruction(m, NN_MAP_MUL, 2, (int[]){value, base});
	if (exponent < 0)
		value = add_instruction(m, NN_MAP_DIV, 2,
					(int[]){number_value(m, ex_num(m->b->e->g, 1), false), value});
	return value;
}

static int make_operator(struct map *m, struct expr *e)
{
	int operand[2], op = operation_of(e->op);

	switch (e->op) {
	case EX_READ: return make_read(m, e);
	case EX_SELECT: return make_select(m, e);
	case EX_POW: return make_power(m, e);
	case EX_STOP: return make_value(m, e->arg[0]);
	default: break;
	}
	if (e->elem == ELEM_INT || (e->n && e->arg[0]->elem == ELEM_INT))
		return make_integer(m, e);
	switch (e->op) {
	case EX_ISNAN:
		operand[0] = make_value(m, e->arg[0]);
		return add_instruction(m, NN_MAP_NE, 2, (int[]){operand[0], operand[0]});
	case EX_TO_REAL: /* of a comparison */
		return add_instruction(m, NN_MAP_SELECT, 3,
				       (int[]){make_value(m, e->arg[0]), number_value(m, ex_num(m->b->e->g, 1), false),
					       number_value(m, ex_num(m->b->e->g, 0), false)});
	default: break;
	}
	if (op < 0)
		return fail_map(m);
	if (e->op == EX_ADD || e->op == EX_SUB) {
		int fused = make_fused(m, e);

		if (fused >= 0 || m->failed)
			return fused;
	}
	for (int i = 0; i < e->n; i++)
		operand[i] = e->op == EX_AND || e->op == EX_OR ? make_side(m, e->arg[i]) : make_value(m, e->arg[i]);
	return add_instruction(m, (enum nn_map_op)op, e->n, operand);
}

/* The value of an expression: -1 where there is none. */
int make_value(struct map *m, struct expr *e)
{
	int value;

	if (m->failed)
		return -1;
	for (int i = m->memo.n - 1; i >= 0; i--)
		if (m->memo.item[i].expr == e)
			return m->memo.item[i].value;
	value = is_map_number(m, e) ? make_number(m, e) : make_operator(m, e);
	if (value < 0)
		return fail_map(m);
	list_add(m->arena, &m->memo, (struct map_memo){e, value});
	return value;
}
