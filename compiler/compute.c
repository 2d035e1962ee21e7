/* compute.c - what operators make of numbers, for folding (fold.c) and for weights that are embedded (evaluate.c). */
#include "expr.h"

#include <math.h>

bool compute1(enum ex op, double x, double *out)
{
	switch (op) {
	case EX_EXP: *out = exp(x); break;
	case EX_LOG: *out = log(x); break;
	case EX_LOG1P: *out = log1p(x); break;
	case EX_EXPM1: *out = expm1(x); break;
	case EX_SIN: *out = sin(x); break;
	case EX_COS: *out = cos(x); break;
	case EX_TAN: *out = tan(x); break;
	case EX_ASIN: *out = asin(x); break;
	case EX_ACOS: *out = acos(x); break;
	case EX_ATAN: *out = atan(x); break;
	case EX_SINH: *out = sinh(x); break;
	case EX_COSH: *out = cosh(x); break;
	case EX_TANH: *out = tanh(x); break;
	case EX_ERF: *out = erf(x); break;
	case EX_SQRT: *out = sqrt(x); break;
	case EX_SIGN: *out = x > 0 ? 1 : x < 0 ? -1 : x; break;
	case EX_FLOOR: *out = floor(x); break;
	case EX_CEIL: *out = ceil(x); break;
	case EX_ROUND: *out = nearbyint(x); break; /* ties to even */
	default: return false;
	}
	return true;
}

bool compute2(enum ex op, double x, double y, double *out)
{
	switch (op) {
	case EX_ADD: *out = x + y; break;
	case EX_SUB: *out = x - y; break;
	case EX_MUL: *out = x * y; break;
	case EX_DIV: *out = x / y; break;
	case EX_POW: *out = pow(x, y); break;
	case EX_MIN: *out = y < x ? y : x; break;
	case EX_MAX: *out = y > x ? y : x; break;
	default: return false;
	}
	return true;
}

bool compute_ints(enum ex op, int64_t x, int64_t y, int64_t *out)
{
	switch (op) {
	case EX_ADD: return !__builtin_add_overflow(x, y, out);
	case EX_SUB: return !__builtin_sub_overflow(x, y, out);
	case EX_MUL: return !__builtin_mul_overflow(x, y, out);
	case EX_FLOORDIV:
		if (y == 0 || (y == -1 && x == INT64_MIN))
			return false;
		*out = floor_divide(x, y);
		return true;
	case EX_MOD:
		if (y == 0)
			return false;
		*out = y == -1 ? 0 : floor_modulo(x, y);
		return true;
	case EX_MIN: *out = y < x ? y : x; return true;
	case EX_MAX: *out = y > x ? y : x; return true;
	default: return false;
	}
}

struct expr *fold_reals(struct graph *g, enum ex op, const struct expr *a, const struct expr *b)
{
	double value;

	return a->op == EX_NUM && b->op == EX_NUM && compute2(op, a->num, b->num, &value) ? ex_num(g, value) : NULL;
}

struct expr *fold_ints(struct graph *g, enum ex op, const struct expr *a, const struct expr *b)
{
	int64_t value;

	return a->op == EX_INT && b->op == EX_INT && compute_ints(op, a->integer, b->integer, &value) ? ex_int(g, value)
												      : NULL;
}

int64_t compute_integer(const struct expr *e, const int64_t *at, int *left)
{
	int64_t x, y, value;

	if (e->op == EX_INT)
		return e->integer;
	if (e->op == EX_INDEX)
		return at[e->slot];
	if (*left <= 0 || e->n != 2 || e->arg[0]->elem == ELEM_REAL || e->arg[1]->elem == ELEM_REAL) {
		*left = -1;
		return 0;
	}
	--*left;
	x = compute_integer(e->arg[0], at, left);
	y = compute_integer(e->arg[1], at, left);
	switch (e->op) {
	case EX_LT: return x < y;
	case EX_LE: return x <= y;
	case EX_EQ: return x == y;
	case EX_NE: return x != y;
	case EX_AND: return x && y;
	case EX_OR: return x || y;
	default: break;
	}
	if (compute_ints(e->op, x, y, &value))
		return value;
	*left = -1;
	return 0;
}
