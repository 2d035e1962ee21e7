/* known.c - arithmetic of values that are known while compiling: exact integers, reals, yes and no, strings,
 * tuples, none. `/` of integers is exact where it divides; overflow is an error, never a wrong number. */
#include "elaborate.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

struct value error_value(void) { return (struct value){.kind = VAL_ERROR}; }
struct value int_value(int64_t i) { return (struct value){.kind = VAL_INT, .integer = i}; }
struct value real_value(double r) { return (struct value){.kind = VAL_REAL, .real = r}; }
struct value bool_value(bool b) { return (struct value){.kind = VAL_BOOL, .integer = b}; }

bool is_known(const struct value *v)
{
	if (v->kind == VAL_TUPLE)
		for (int i = 0; i < v->n; i++)
			if (!is_known(&v->item[i]))
				return false;
	return v->kind != VAL_TENSOR && v->kind != VAL_LAYER && v->kind != VAL_ERROR;
}

bool is_number(const struct value *v) { return v->kind == VAL_INT || v->kind == VAL_REAL || v->kind == VAL_BOOL; }
double number_of(const struct value *v) { return v->kind == VAL_REAL ? v->real : (double)v->integer; }

const char *kind_text(const struct value *v)
{
	switch (v->kind) {
	case VAL_NONE: return "none";
	case VAL_BOOL: return "yes or no";
	case VAL_INT:
	case VAL_REAL: return "a number";
	case VAL_STRING: return "a string";
	case VAL_TUPLE: return "a tuple";
	case VAL_TENSOR: return "a tensor";
	case VAL_LAYER: return "a layer";
	case VAL_ERROR: break;
	}
	return "an error";
}

const char *value_shape(struct elaborator *E, const struct value *v)
{
	struct text t = {.arena = &E->ctx->arena};
	text_add(&t, "[");
	for (int i = lead_rank(v->lead); i < v->rank; i++)
		text_printf(&t, "%s%lld", i > lead_rank(v->lead) ? ", " : "", (long long)v->axis[i].extent);
	text_add(&t, "]");
	return t.at;
}

const char *value_text(struct elaborator *E, const struct value *v)
{
	struct text t = {.arena = &E->ctx->arena};
	switch (v->kind) {
	case VAL_NONE: return "none";
	case VAL_BOOL: return v->integer ? "yes" : "no";
	case VAL_INT: return arena_printf(&E->ctx->arena, "%lld", (long long)v->integer);
	case VAL_REAL:
		text_add_real(&t, v->real);
		if (!strpbrk(t.at, ".einf")) /* no integer */
			text_add(&t, ".0");
		return t.at;
	case VAL_STRING: return arena_printf(&E->ctx->arena, "\"%s\"", v->string);
	case VAL_TUPLE:
		text_add(&t, "(");
		for (int i = 0; i < v->n; i++)
			text_printf(&t, "%s%s", i ? ", " : "", value_text(E, &v->item[i]));
		text_add(&t, ")");
		return t.at;
	case VAL_TENSOR: return own_rank(v) ? value_shape(E, v) : "a scalar of the graph";
	case VAL_LAYER: return "a layer";
	case VAL_ERROR: break;
	}
	return "?";
}

bool known_equal(const struct value *a, const struct value *b)
{
	if (is_number(a) && is_number(b)) {
		if ((a->kind == VAL_BOOL) != (b->kind == VAL_BOOL))
			return false;
		return a->kind == VAL_REAL || b->kind == VAL_REAL ? number_of(a) == number_of(b)
								  : a->integer == b->integer;
	}
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case VAL_NONE: return true;
	case VAL_STRING: return !strcmp(a->string, b->string);
	case VAL_TUPLE:
		if (a->n != b->n)
			return false;
		for (int i = 0; i < a->n; i++)
			if (!known_equal(&a->item[i], &b->item[i]))
				return false;
		return true;
	default: return false;
	}
}

static int64_t floor_div(int64_t a, int64_t b)
{
	int64_t q = a / b;
	return q - (a % b != 0 && (a < 0) != (b < 0));
}

static struct value overflow(struct elaborator *E, const struct node *n, enum node_op op, int64_t a, int64_t b)
{
	fail(E, n->at, "%lld %s %lld does not fit in a 64-bit integer", (long long)a, operator_text(op), (long long)b);
	return error_value();
}

/* Integer power by squaring; *out is valid where true is returned. */
static bool int_power(int64_t base, int64_t exponent, int64_t *out)
{
	int64_t r = 1;
	while (exponent > 0) {
		if (exponent & 1 && __builtin_mul_overflow(r, base, &r))
			return false;
		exponent >>= 1;
		if (exponent && __builtin_mul_overflow(base, base, &base))
			return false;
	}
	*out = r;
	return true;
}

static struct value int_binary(struct elaborator *E, const struct node *n, enum node_op op, int64_t a, int64_t b)
{
	int64_t r;
	switch (op) {
	case OP_ADD: return __builtin_add_overflow(a, b, &r) ? overflow(E, n, op, a, b) : int_value(r);
	case OP_SUB: return __builtin_sub_overflow(a, b, &r) ? overflow(E, n, op, a, b) : int_value(r);
	case OP_MUL: return __builtin_mul_overflow(a, b, &r) ? overflow(E, n, op, a, b) : int_value(r);
	case OP_POW:
		if (b < 0)
			return real_value(pow((double)a, (double)b));
		return int_power(a, b, &r) ? int_value(r) : overflow(E, n, op, a, b);
	default: break;
	}
	if (b == 0) {
		fail(E, n->at, "division by zero: %lld %s 0", (long long)a, operator_text(op));
		note_values(E, n);
		return error_value();
	}
	if (b == -1)
		return op == OP_MOD ? int_value(0) : a == INT64_MIN ? overflow(E, n, op, a, b) : int_value(-a);
	switch (op) {
	case OP_DIV: return a % b ? real_value((double)a / (double)b) : int_value(a / b);
	case OP_FLOORDIV: return int_value(floor_div(a, b));
	default: return int_value(a - b * floor_div(a, b)); /* OP_MOD */
	}
}

static struct value real_binary(struct elaborator *E, const struct node *n, enum node_op op, double a, double b)
{
	if (b == 0 && (op == OP_DIV || op == OP_FLOORDIV || op == OP_MOD)) {
		fail(E, n->at, "division by zero: %s %s 0", value_text(E, &(struct value){.kind = VAL_REAL, .real = a}),
		     operator_text(op));
		note_values(E, n);
		return error_value();
	}
	switch (op) {
	case OP_ADD: return real_value(a + b);
	case OP_SUB: return real_value(a - b);
	case OP_MUL: return real_value(a * b);
	case OP_DIV: return real_value(a / b);
	case OP_FLOORDIV: return real_value(floor(a / b));
	case OP_MOD: return real_value(a - b * floor(a / b));
	default: break;
	}
	double power = pow(a, b);
	if (!isnan(power) || isnan(a) || isnan(b))
		return real_value(power);
	fail(E, n->at, "%s ^ %s is no real number", value_text(E, &(struct value){.kind = VAL_REAL, .real = a}),
	     value_text(E, &(struct value){.kind = VAL_REAL, .real = b}));
	note_values(E, n);
	return error_value();
}

static struct value compare(struct elaborator *E, const struct node *n, enum node_op op, const struct value *a,
			    const struct value *b)
{
	if (op == OP_EQ || op == OP_NE)
		return bool_value(known_equal(a, b) == (op == OP_EQ));
	if (!is_number(a) || !is_number(b)) {
		fail(E, n->at, "%s and %s have no order", value_text(E, a), value_text(E, b));
		note_values(E, n);
		return error_value();
	}
	double x = number_of(a), y = number_of(b);
	bool exact = a->kind != VAL_REAL && b->kind != VAL_REAL;
	bool less = exact ? a->integer < b->integer : x < y, more = exact ? a->integer > b->integer : x > y;
	return bool_value(op == OP_LT ? less : op == OP_GT ? more : op == OP_LE ? !more : !less);
}

struct value known_binary(struct elaborator *E, const struct node *n, enum node_op op, struct value a, struct value b)
{
	if (op == OP_AND || op == OP_OR) {
		const struct value *wrong = a.kind != VAL_BOOL ? &a : b.kind != VAL_BOOL ? &b : NULL;
		if (wrong) {
			fail(E, n->at, "'%s' needs yes or no on both sides, not %s", operator_text(op),
			     value_text(E, wrong));
			note_values(E, n);
			return error_value();
		}
		return bool_value(op == OP_AND ? a.integer && b.integer : a.integer || b.integer);
	}
	if (op == OP_EQ || op == OP_NE || op == OP_LT || op == OP_GT || op == OP_LE || op == OP_GE)
		return compare(E, n, op, &a, &b);
	if (op == OP_MATMUL || !is_number(&a) || !is_number(&b)) {
		const struct value *wrong = is_number(&a) && op != OP_MATMUL ? &b : &a;
		fail(E, n->at, "'%s' needs %s, not %s", operator_text(op), op == OP_MATMUL ? "tensors" : "numbers",
		     value_text(E, wrong));
		note_values(E, n);
		return error_value();
	}
	if (a.kind == VAL_REAL || b.kind == VAL_REAL)
		return real_binary(E, n, op, number_of(&a), number_of(&b));
	return int_binary(E, n, op, a.integer, b.integer);
}

struct value known_unary(struct elaborator *E, const struct node *n, enum node_op op, struct value a)
{
	if (op == OP_NOT) {
		if (a.kind == VAL_BOOL)
			return bool_value(!a.integer);
		fail(E, n->at, "'not' needs yes or no, not %s", value_text(E, &a));
		note_values(E, n);
		return error_value();
	}
	if (!is_number(&a)) {
		fail(E, n->at, "'-' needs a number, not %s", value_text(E, &a));
		note_values(E, n);
		return error_value();
	}
	return a.kind == VAL_REAL ? real_value(-a.real) : int_binary(E, n, OP_SUB, 0, a.integer);
}

/* Inverse of the error function by Newton's iteration on erf, from Giles' first guess; exact to double rounding. */
static double inverse_erf(double y)
{
	if (y <= -1 || y >= 1)
		return y == 1 ? INFINITY : y == -1 ? -INFINITY : NAN;
	double w = -log((1 - y) * (1 + y)), x;
	x = copysign(sqrt(sqrt(pow(2 / (PI * 0.147) - w / 2, 2) + w / 0.147) - (2 / (PI * 0.147) - w / 2)), y);
	for (int i = 0; i < 4; i++)
		x -= (erf(x) - y) / (2 / sqrt(PI) * exp(-x * x));
	return x;
}

static struct value real_to_int(struct elaborator *E, const struct node *n, double x)
{
	if (x >= -9.2e18 && x <= 9.2e18)
		return int_value((int64_t)x);
	fail(E, n->at, "%g does not fit in a 64-bit integer", x);
	return error_value();
}

static struct value apply_function(struct elaborator *E, const struct node *n, enum ex op, struct value a)
{
	if (!is_number(&a)) {
		fail(E, n->at, "'%s' needs a number, not %s", n->name, value_text(E, &a));
		return error_value();
	}
	double x = number_of(&a);
	switch (op) {
	case EX_EXP: return real_value(exp(x));
	case EX_LOG: return real_value(log(x));
	case EX_LOG1P: return real_value(log1p(x));
	case EX_EXPM1: return real_value(expm1(x));
	case EX_SIN: return real_value(sin(x));
	case EX_COS: return real_value(cos(x));
	case EX_TAN: return real_value(tan(x));
	case EX_ASIN: return real_value(asin(x));
	case EX_ACOS: return real_value(acos(x));
	case EX_ATAN: return real_value(atan(x));
	case EX_SINH: return real_value(sinh(x));
	case EX_COSH: return real_value(cosh(x));
	case EX_TANH: return real_value(tanh(x));
	case EX_ERF: return real_value(erf(x));
	case EX_ERFINV: return real_value(inverse_erf(x));
	case EX_SQRT: return real_value(sqrt(x));
	case EX_ABS:
		return a.kind == VAL_REAL ? real_value(fabs(x))
		       : a.integer < 0	  ? int_binary(E, n, OP_SUB, 0, a.integer)
					  : a;
	case EX_SIGN: return real_value((x > 0) - (x < 0));
	case EX_FLOOR: return real_value(floor(x));
	case EX_CEIL: return real_value(ceil(x));
	case EX_ROUND: return real_value(nearbyint(x));
	case EX_ISNAN: return bool_value(x != x);
	case EX_TO_INT: return a.kind == VAL_REAL ? real_to_int(E, n, x) : int_value(a.integer);
	case EX_TO_REAL: return real_value(x);
	default: return a; /* EX_STOP */
	}
}

struct value known_function(struct elaborator *E, const struct node *n, enum ex op, struct value a)
{
	struct value v = apply_function(E, n, op, a);
	if (v.kind != VAL_REAL || !isnan(v.real) || isnan(number_of(&a)))
		return v;
	fail(E, n->at, "%s(%s) is no real number", n->name, value_text(E, &a));
	for (int i = 0; i < n->n; i++)
		note_values(E, n->kid[i]->kid[0]);
	return error_value();
}
