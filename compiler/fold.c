/* fold.c - making an operator: types, constants, and algebra that needs a look at the arguments only.
 *
 * What happens here is exact in IEEE arithmetic for finite and infinite values, up to the sign of a zero, but for one
 * rule: a literal 0 times x and a literal 0 over x are 0, for these zeros are the chain rule's own. Literals are
 * folded unless an integer overflows. Each function below answers for one family of operators and gives NULL where
 * there is nothing to simplify. */
#include "expr.h"

#include <assert.h>
#include <math.h>

static struct expr *plain1(struct graph *g, enum ex op, enum elem elem, struct expr *a)
{
	return ex_plain(g, op, elem, 1, &a);
}

static struct expr *plain2(struct graph *g, enum ex op, enum elem elem, struct expr *a, struct expr *b)
{
	return ex_plain(g, op, elem, 2, (struct expr *[]){a, b});
}

/* ---- types ---- */

struct expr *ex_convert(struct graph *g, struct expr *e, enum elem to)
{
	if (to == ELEM_INT && e->elem == ELEM_BOOL)
		return ex1(g, EX_TO_INT, e);
	return to == ELEM_REAL ? ex_real(g, e) : e;
}

struct expr *ex_real(struct graph *g, struct expr *e) { return e->elem == ELEM_REAL ? e : ex1(g, EX_TO_REAL, e); }

/* The wider of two types: real, int, bool. */
static enum elem join(enum elem a, enum elem b) { return a < b ? a : b; }

/* c != 0 where c is a number. */
static struct expr *truth(struct graph *g, struct expr *c)
{
	if (c->elem == ELEM_BOOL)
		return c;
	return ex2(g, EX_NE, c, c->elem == ELEM_INT ? ex_int(g, 0) : ex_num(g, 0));
}

/* ---- arithmetic ---- */

/* The literal that a chain of products and quotients begins with, whose sign is the chain's; or NULL. */
static const struct expr *leading_literal(const struct expr *e)
{
	while (e->op == EX_MUL || e->op == EX_DIV)
		e = e->arg[0];
	return e->op == EX_NUM || (e->op == EX_INT && e->integer != INT64_MIN) ? e : NULL;
}

/* -e where it is no longer than e: e is a negative literal, or begins with one, or is a negation; else NULL. */
static struct expr *opposite(struct graph *g, struct expr *e)
{
	const struct expr *literal;

	if (e->op == EX_NEG)
		return e->arg[0];
	literal = e->affine && e->op != EX_INT ? NULL : leading_literal(e);
	if (literal && (literal->op == EX_NUM ? literal->num < 0 : literal->integer < 0))
		return ex1(g, EX_NEG, e);
	return NULL;
}

/* Signs are drawn out of products and quotients, and sums of negatives become differences. */
static struct expr *simplify_sum(struct graph *g, enum ex op, struct expr *a, struct expr *b)
{
	struct expr *folded, *negated;

	if (ex_is_num(b, 0))
		return a;
	if (ex_is_num(a, 0))
		return op == EX_ADD ? b : ex1(g, EX_NEG, b);
	if (op == EX_SUB && a == b && a->elem == ELEM_INT)
		return ex_int(g, 0);
	if ((negated = opposite(g, b)))
		return ex2(g, op == EX_ADD ? EX_SUB : EX_ADD, a, negated);
	if (op == EX_ADD && (negated = opposite(g, a)))
		return ex2(g, EX_SUB, b, negated);
	/* (x + 1) + 2 for integers, which affine_make leaves where x is not affine */
	if (a->elem == ELEM_INT && b->op == EX_INT && (a->op == EX_ADD || a->op == EX_SUB) && a->arg[1]->op == EX_INT) {
		folded = fold_ints(g, op == a->op ? EX_ADD : EX_SUB, a->arg[1], b);
		return folded ? ex2(g, a->op, a->arg[0], folded) : NULL;
	}
	return NULL;
}

/* Signs of factors come out, and two of them are none. */
static struct expr *move_signs(struct graph *g, enum ex op, struct expr *a, struct expr *b)
{
	if (a->op == EX_NEG && b->op == EX_NEG)
		return ex2(g, op, a->arg[0], b->arg[0]);
	if (a->op == EX_NEG)
		return ex1(g, EX_NEG, ex2(g, op, a->arg[0], b));
	if (b->op == EX_NEG)
		return ex1(g, EX_NEG, ex2(g, op, a, b->arg[0]));
	return NULL;
}

static struct expr *simplify_product(struct graph *g, struct expr *a, struct expr *b)
{
	if (ex_is_num(a, 0) || ex_is_num(b, 0))
		return a->elem == ELEM_REAL ? ex_num(g, 0) : ex_int(g, 0);
	if (ex_is_num(a, 1))
		return b;
	if (ex_is_num(b, 1))
		return a;
	if (ex_is_num(a, -1))
		return ex1(g, EX_NEG, b);
	if (ex_is_num(b, -1))
		return ex1(g, EX_NEG, a);
	struct expr *moved = move_signs(g, EX_MUL, a, b);
	if (moved)
		return moved;
	if (b->op == EX_NUM && a->op != EX_NUM) /* literals lead, as on paper */
		return ex2(g, EX_MUL, b, a);
	return NULL;
}

static struct expr *simplify_quotient(struct graph *g, struct expr *a, struct expr *b)
{
	if (ex_is_num(a, 0) && !ex_is_num(b, 0))
		return ex_num(g, 0);
	if (ex_is_num(b, 1))
		return a;
	if (ex_is_num(b, -1))
		return ex1(g, EX_NEG, a);
	return move_signs(g, EX_DIV, a, b);
}

static struct expr *simplify_extremum(enum ex op, struct expr *a, struct expr *b)
{
	double neutral = op == EX_MIN ? INFINITY : -INFINITY;
	int64_t difference;

	if (a == b || (b->op == EX_NUM && b->num == neutral))
		return a;
	if (a->op == EX_NUM && a->num == neutral)
		return b;
	if (a->elem == ELEM_INT && affine_difference(a, b, &difference))
		return (difference <= 0) == (op == EX_MIN) ? a : b;
	return NULL;
}

/* + - * / // % ^ min max, arguments converted. */
static struct expr *make_arithmetic(struct graph *g, enum ex op, struct expr *a, struct expr *b)
{
	enum elem elem = op == EX_DIV || op == EX_POW ? ELEM_REAL : join(ELEM_INT, join(a->elem, b->elem));
	struct expr *e = NULL;

	a = ex_convert(g, a, elem);
	b = ex_convert(g, b, elem);
	e = elem == ELEM_REAL ? fold_reals(g, op, a, b) : fold_ints(g, op, a, b);
	if (!e && elem == ELEM_INT)
		e = affine_make(g, op, 2, (struct expr *[]){a, b});
	if (e)
		return e;
	switch (op) {
	case EX_ADD:
	case EX_SUB: e = simplify_sum(g, op, a, b); break;
	case EX_MUL: e = simplify_product(g, a, b); break;
	case EX_DIV: e = simplify_quotient(g, a, b); break;
	case EX_POW: e = ex_is_num(b, 1) ? a : ex_is_num(b, 0) || ex_is_num(a, 1) ? ex_num(g, 1) : NULL; break;
	case EX_MIN:
	case EX_MAX: e = simplify_extremum(op, a, b); break;
	case EX_FLOORDIV:
		if (elem == ELEM_REAL)
			return ex1(g, EX_FLOOR, ex2(g, EX_DIV, a, b));
		e = ex_is_num(b, 1) ? a : NULL;
		break;
	case EX_MOD:
		if (elem == ELEM_REAL) /* x - y*floor(x/y), so that its derivative needs no rule */
			return ex2(g, EX_SUB, a, ex2(g, EX_MUL, b, ex2(g, EX_FLOORDIV, a, b)));
		e = ex_is_num(b, 1) ? ex_int(g, 0) : NULL;
		break;
	default: break;
	}
	return e ? e : plain2(g, op, elem, a, b);
}

static struct expr *make_negation(struct graph *g, struct expr *a)
{
	struct expr *e = NULL;

	a = ex_convert(g, a, join(ELEM_INT, a->elem));
	if (a->op == EX_NUM)
		return ex_num(g, -a->num);
	if (a->op == EX_NEG)
		return a->arg[0];
	if (a->op == EX_INT && a->integer != INT64_MIN)
		return ex_int(g, -a->integer);
	if (a->elem == ELEM_INT)
		e = affine_make(g, EX_NEG, 1, &a);
	if (!e && (a->op == EX_MUL || a->op == EX_DIV) && leading_literal(a)) /* -(2*x) is -2*x */
		e = ex2(g, a->op, ex1(g, EX_NEG, a->arg[0]), a->arg[1]);
	return e ? e : plain1(g, EX_NEG, a->elem, a);
}

/* ---- comparisons and logic ---- */

static bool compare_reals(enum ex op, double x, double y)
{
	return op == EX_LT ? x < y : op == EX_LE ? x <= y : op == EX_EQ ? x == y : x != y;
}

static struct expr *make_comparison(struct graph *g, enum ex op, struct expr *a, struct expr *b)
{
	enum elem elem = join(ELEM_INT, join(a->elem, b->elem));
	int64_t difference;

	a = ex_convert(g, a, elem);
	b = ex_convert(g, b, elem);
	if (a->op == EX_NUM && b->op == EX_NUM)
		return ex_bool(g, compare_reals(op, a->num, b->num));
	if ((op == EX_EQ || op == EX_NE) && (a->op == EX_NUM || a->op == EX_INT)) {
		struct expr *literal = a; /* as it is mostly written, so that i == 2 has one form */

		a = b;
		b = literal;
	}
	if (elem == ELEM_INT && (a == b || affine_difference(a, b, &difference))) {
		if (a == b)
			difference = 0;
		return ex_bool(g, compare_reals(op, (double)difference, 0));
	}
	return plain2(g, op, ELEM_BOOL, a, b);
}

static bool is_bool(const struct expr *e, bool value)
{
	return e->op == EX_INT && e->elem == ELEM_BOOL && (e->integer != 0) == value;
}

static struct expr *make_logic(struct graph *g, enum ex op, struct expr *a, struct expr *b)
{
	bool neutral = op == EX_AND;

	a = truth(g, a);
	b = truth(g, b);
	if (a == b || is_bool(b, neutral) || is_bool(a, !neutral))
		return a;
	if (is_bool(a, neutral) || is_bool(b, !neutral))
		return b;
	return plain2(g, op, ELEM_BOOL, a, b);
}

static struct expr *make_not(struct graph *g, struct expr *a)
{
	a = truth(g, a);
	if (a->op == EX_INT)
		return ex_bool(g, !a->integer);
	if (a->op == EX_NOT)
		return a->arg[0];
	if (a->op == EX_EQ || a->op == EX_NE)
		return plain2(g, a->op == EX_EQ ? EX_NE : EX_EQ, ELEM_BOOL, a->arg[0], a->arg[1]);
	if ((a->op == EX_LT || a->op == EX_LE) && a->arg[0]->elem == ELEM_INT) /* not for reals: NaN */
		return plain2(g, a->op == EX_LT ? EX_LE : EX_LT, ELEM_BOOL, a->arg[1], a->arg[0]);
	return plain1(g, EX_NOT, ELEM_BOOL, a);
}

static struct expr *make_select(struct graph *g, struct expr *c, struct expr *a, struct expr *b)
{
	enum elem elem = join(a->elem, b->elem);

	c = truth(g, c);
	a = ex_convert(g, a, elem);
	b = ex_convert(g, b, elem);
	if (c->op == EX_INT)
		return c->integer ? a : b;
	if (c->op == EX_NOT)
		return make_select(g, c->arg[0], b, a);
	if (a->op == EX_SELECT && a->arg[0] == c)
		a = a->arg[1];
	if (b->op == EX_SELECT && b->arg[0] == c)
		b = b->arg[2];
	if (a == b)
		return a;
	if (is_bool(a, true) && is_bool(b, false))
		return c;
	if (is_bool(a, false) && is_bool(b, true))
		return make_not(g, c);
	return ex_plain(g, EX_SELECT, elem, 3, (struct expr *[]){c, a, b});
}

/* ---- functions of one argument ---- */

static struct expr *make_to_int(struct graph *g, struct expr *a)
{
	if (a->elem == ELEM_INT)
		return a;
	if (a->op == EX_INT)
		return ex_int(g, a->integer);
	if (a->op == EX_NUM && fabs(a->num) < 2147483648.0)
		return ex_int(g, (int64_t)a->num);
	if (a->op == EX_TO_REAL)
		return make_to_int(g, a->arg[0]);
	return plain1(g, EX_TO_INT, ELEM_INT, a);
}

static struct expr *make_to_real(struct graph *g, struct expr *a)
{
	if (a->elem == ELEM_REAL)
		return a;
	if (a->op == EX_INT)
		return ex_num(g, (double)a->integer);
	if (a->op == EX_TO_INT && a->arg[0]->elem == ELEM_BOOL)
		return make_to_real(g, a->arg[0]);
	if (a->op == EX_SELECT && a->arg[1]->op == EX_INT && a->arg[2]->op == EX_INT)
		return make_select(g, a->arg[0], make_to_real(g, a->arg[1]), make_to_real(g, a->arg[2]));
	return plain1(g, EX_TO_REAL, ELEM_REAL, a);
}

static struct expr *make_abs(struct graph *g, struct expr *a)
{
	a = ex_convert(g, a, join(ELEM_INT, a->elem));
	if (a->op == EX_INT && a->integer != INT64_MIN)
		return ex_int(g, a->integer < 0 ? -a->integer : a->integer);
	if (a->op == EX_NEG)
		a = a->arg[0];
	if (a->op == EX_ABS)
		return a;
	return a->op == EX_NUM ? ex_num(g, fabs(a->num)) : plain1(g, EX_ABS, a->elem, a);
}

static struct expr *make_function(struct graph *g, enum ex op, struct expr *a)
{
	double value;

	a = ex_real(g, a);
	if (op == EX_ISNAN)
		return a->op == EX_NUM ? ex_bool(g, isnan(a->num)) : plain1(g, op, ELEM_BOOL, a);
	if (a->op == EX_NUM && compute1(op, a->num, &value))
		return ex_num(g, value);
	if ((op == EX_FLOOR || op == EX_CEIL || op == EX_ROUND) && (a->op == EX_TO_REAL || a->op == op))
		return a;
	return plain1(g, op, ELEM_REAL, a);
}

static struct expr *make_stop(struct graph *g, struct expr *a)
{
	if (a->elem != ELEM_REAL || a->op == EX_NUM || a->op == EX_STOP)
		return a;
	return plain1(g, EX_STOP, ELEM_REAL, a);
}

struct expr *ex_make(struct graph *g, enum ex op, int n, struct expr *const *arg)
{
	assert(n == (op == EX_SELECT ? 3 : op >= EX_ADD && op <= EX_OR && op != EX_NEG ? 2 : 1));
	switch (op) {
	case EX_ADD:
	case EX_SUB:
	case EX_MUL:
	case EX_DIV:
	case EX_FLOORDIV:
	case EX_MOD:
	case EX_POW:
	case EX_MIN:
	case EX_MAX: return make_arithmetic(g, op, arg[0], arg[1]);
	case EX_NEG: return make_negation(g, arg[0]);
	case EX_LT:
	case EX_LE:
	case EX_EQ:
	case EX_NE: return make_comparison(g, op, arg[0], arg[1]);
	case EX_AND:
	case EX_OR: return make_logic(g, op, arg[0], arg[1]);
	case EX_NOT: return make_not(g, arg[0]);
	case EX_SELECT: return make_select(g, arg[0], arg[1], arg[2]);
	case EX_ABS: return make_abs(g, arg[0]);
	case EX_TO_INT: return make_to_int(g, arg[0]);
	case EX_TO_REAL: return make_to_real(g, arg[0]);
	case EX_STOP: return make_stop(g, arg[0]);
	default: assert(op >= EX_EXP && op <= EX_ISNAN); return make_function(g, op, arg[0]);
	}
}

struct expr *ex1(struct graph *g, enum ex op, struct expr *a) { return ex_make(g, op, 1, &a); }

struct expr *ex2(struct graph *g, enum ex op, struct expr *a, struct expr *b)
{
	return ex_make(g, op, 2, (struct expr *[]){a, b});
}

struct expr *ex_select(struct graph *g, struct expr *c, struct expr *a, struct expr *b)
{
	return ex_make(g, EX_SELECT, 3, (struct expr *[]){c, a, b});
}
