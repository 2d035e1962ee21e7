/* interpret.c - equations as nested loops, expressions as trees walked at every point. */
#include "interpret.h"

#include <math.h>
#include <string.h>

#ifdef INTERPRET_QUAD
#define expl expq
#define logl logq
#define log1pl log1pq
#define expm1l expm1q
#define sinl sinq
#define cosl cosq
#define tanl tanq
#define asinl asinq
#define acosl acosq
#define atanl atanq
#define sinhl sinhq
#define coshl coshq
#define tanhl tanhq
#define erfl erfq
#define sqrtl sqrtq
#define fabsl fabsq
#define floorl floorq
#define ceill ceilq
#define rintl rintq
#define truncl truncq
#define powl powq
#endif

void interpreter_init(struct interpreter *in, struct graph *g, int64_t rows)
{
	memset(in, 0, sizeof *in);
	in->g = g;
	in->rows = rows;
	in->run[RUN_ROWS] = in->run[RUN_DATA] = (number)rows; /* the evaluated set is one call */
}

/* An array with at least n zeroed items that keeps what it had. */
static void *make_room(struct graph *g, void *old, size_t *room, size_t n, size_t size)
{
	void *items;

	if (n <= *room)
		return old;
	items = arena_array(&g->ctx->arena, 2 * n, size);
	if (*room)
		memcpy(items, old, *room * size);
	*room = 2 * n;
	return items;
}

number *tensor_values(struct interpreter *in, const struct tensor *t)
{
	if (t->role == ROLE_VIEW)
		return tensor_values(in, t->of);
	in->value = make_room(in->g, in->value, &in->room, (size_t)in->g->tensors.n, sizeof *in->value);
	if (!in->value[t->id]) {
		int64_t n = tensor_size(t);

		in->value[t->id] = arena_array(&in->g->ctx->arena, (size_t)n, sizeof(number));
		for (int64_t i = 0; t->role == ROLE_DATA && i < n; i++)
			in->value[t->id][i] = (number)t->data[i];
	}
	return in->value[t->id];
}

static void fault(struct interpreter *in, const char *what, const struct tensor *t)
{
	if (!in->fault)
		in->fault = arena_printf(&in->g->ctx->arena, "%s %s", what, t->name);
}

/* ---- expressions ---- */

static number evaluate(struct interpreter *in, const struct expr *e, const int64_t *at, const struct equation *eq);

/* A subscript; the usual ones without detour over real numbers. */
static int64_t evaluate_subscript(struct interpreter *in, const struct expr *e, const int64_t *at,
				  const struct equation *eq)
{
	number value;

	switch (e->op) {
	case EX_INT: return e->integer;
	case EX_INDEX: return at[e->slot];
	case EX_ADD: return evaluate_subscript(in, e->arg[0], at, eq) + evaluate_subscript(in, e->arg[1], at, eq);
	case EX_MUL: return evaluate_subscript(in, e->arg[0], at, eq) * evaluate_subscript(in, e->arg[1], at, eq);
	default: break;
	}
	value = evaluate(in, e, at, eq);
	return value > -1e15L && value < 1e15L ? (int64_t)value : -1; /* no number: outside */
}

/* The element that subscripts name, or -1. */
static int64_t find_element(struct interpreter *in, const struct tensor *t, struct expr *const *sub, const int64_t *at,
			    const struct equation *eq)
{
	int64_t element = 0;

	for (int d = 0; d < t->rank; d++) {
		int64_t s = evaluate_subscript(in, sub[d], at, eq);
		int64_t extent = t->axis[d].extent;

		if (!(s >= 0 && s < (t->axis[d].rows ? in->rows : extent)))
			return -1;
		element = element * extent + s;
	}
	return element;
}

/* A number in [0, 1) from a draw's site, the seed and its element. */
static number uniform(struct interpreter *in, const char *site, uint64_t element, uint64_t stream)
{
	uint64_t hash = in->seed * 0x9E3779B97F4A7C15u + element * 2 + stream;

	for (; *site; site++)
		hash = (hash ^ (unsigned char)*site) * 0x100000001B3u;
	for (int i = 0; i < 3; i++)
		hash = (hash ^ hash >> 31) * 0xBF58476D1CE4E5B9u;
	return (number)(hash >> 11) / (number)((uint64_t)1 << 53);
}

static number draw(struct interpreter *in, const struct expr *e, const int64_t *at, const struct equation *eq)
{
	uint64_t element = 0;
	number u, v;

	in->drew = true;
	for (int p = 0; p < eq->nfree; p++)
		element = element * (uint64_t)eq->index[p].extent + (uint64_t)at[p];
	u = uniform(in, e->site, element, 0);
	v = uniform(in, e->site, element, 1);
	return e->draw == DRAW_UNIFORM ? u : sqrtl(-2 * logl(1 - u)) * cosl(6.283185307179586476925L * v);
}

static number floor_remainder(number a, number b) { return a - b * floorl(a / b); }

/* The inverse of erf, by Newton's method. */
static number inverse_erf(number y)
{
	number x = 0;

	if (!(fabsl(y) < 1))
		return fabsl(y) == 1 ? y * INFINITY : NAN;
	for (int i = 0; i < 100; i++)
		x -= (erfl(x) - y) / (1.12837916709551257390L * expl(-x * x));
	return x;
}

static number evaluate1(enum ex op, number a)
{
	switch (op) {
	case EX_NEG: return -a;
	case EX_NOT: return a == 0;
	case EX_EXP: return expl(a);
	case EX_LOG: return logl(a);
	case EX_LOG1P: return log1pl(a);
	case EX_EXPM1: return expm1l(a);
	case EX_SIN: return sinl(a);
	case EX_COS: return cosl(a);
	case EX_TAN: return tanl(a);
	case EX_ASIN: return asinl(a);
	case EX_ACOS: return acosl(a);
	case EX_ATAN: return atanl(a);
	case EX_SINH: return sinhl(a);
	case EX_COSH: return coshl(a);
	case EX_TANH: return tanhl(a);
	case EX_ERF: return erfl(a);
	case EX_ERFINV: return inverse_erf(a);
	case EX_SQRT: return sqrtl(a);
	case EX_ABS: return fabsl(a);
	case EX_SIGN: return (number)((a > 0) - (a < 0));
	case EX_FLOOR: return floorl(a);
	case EX_CEIL: return ceill(a);
	case EX_ROUND: return rintl(a);
	case EX_ISNAN: return isnan(a);
	case EX_TO_INT: return truncl(a);
	default: return a; /* TO_REAL, STOP */
	}
}

static number evaluate2(enum ex op, number a, number b)
{
	switch (op) {
	case EX_ADD: return a + b;
	case EX_SUB: return a - b;
	case EX_MUL: return a * b;
	case EX_DIV: return a / b;
	case EX_FLOORDIV: return floorl(a / b);
	case EX_MOD: return floor_remainder(a, b);
	case EX_POW: return powl(a, b);
	case EX_MIN: return b < a ? b : a;
	case EX_MAX: return b > a ? b : a;
	case EX_LT: return a < b;
	case EX_LE: return a <= b;
	case EX_EQ: return a == b;
	case EX_NE: return a != b;
	default: return NAN;
	}
}

static number evaluate_plain(struct interpreter *in, const struct expr *e, const int64_t *at, const struct equation *eq)
{
	int64_t element;
	number a;

	switch (e->op) {
	case EX_NUM: return (number)e->num;
	case EX_INT: return (number)e->integer;
	case EX_INDEX: return (number)at[e->slot];
	case EX_RUN: return in->run[e->run];
	case EX_DRAW: return draw(in, e, at, eq);
	case EX_READ:
		element = find_element(in, e->tensor, e->arg, at, eq);
		if (element >= 0)
			return tensor_values(in, e->tensor)[element];
		if (e->guarded)
			return evaluate(in, e->arg[e->tensor->rank], at, eq);
		fault(in, "read outside", e->tensor);
		return NAN;
	default: break;
	}
	a = evaluate(in, e->arg[0], at, eq);
	if (e->op == EX_SELECT)
		return evaluate(in, e->arg[a != 0 ? 1 : 2], at, eq);
	if (e->op == EX_AND || e->op == EX_OR)
		return (a != 0) == (e->op == EX_OR) ? a != 0 : evaluate(in, e->arg[1], at, eq) != 0;
	return e->n == 1 ? evaluate1(e->op, a) : evaluate2(e->op, a, evaluate(in, e->arg[1], at, eq));
}

static number evaluate(struct interpreter *in, const struct expr *e, const int64_t *at, const struct equation *eq)
{
	number value;

	in->memo = make_room(in->g, in->memo, &in->memo_room, in->g->next_id, sizeof *in->memo);
	if (in->memo[e->id].stamp == in->stamp)
		return in->memo[e->id].value;
	value = evaluate_plain(in, e, at, eq);
	in->memo[e->id] = (struct memo){in->stamp, value};
	return value;
}

/* ---- equations ---- */

static int64_t bound_of(const struct interpreter *in, const struct index *index)
{
	return index->rows ? in->rows : index->extent;
}

/* Is loop p of an equation in a scan the one over the scan's steps? */
static bool is_step(const struct interpreter *in, const struct equation *eq, int p)
{
	return p >= eq->tensor->batched && p < eq->tensor->batched + in->scans;
}

static void first_point(const struct interpreter *in, const struct equation *eq, int64_t *at)
{
	for (int p = 0; p < eq->n; p++)
		at[p] = is_step(in, eq, p) ? in->step[p - eq->tensor->batched] : 0;
}

/* The next point of the loops [first, n); false behind the last. */
static bool next_point(const struct interpreter *in, const struct equation *eq, int first, int n, int64_t *at)
{
	for (int p = n - 1; p >= first; p--) {
		if (is_step(in, eq, p))
			continue;
		if (++at[p] < bound_of(in, &eq->index[p]))
			return true;
		at[p] = 0;
	}
	return false;
}

static bool is_empty(const struct interpreter *in, const struct equation *eq, int first, int n)
{
	for (int p = first; p < n; p++)
		if (bound_of(in, &eq->index[p]) <= 0)
			return true;
	return false;
}

struct reduction {
	number value;
	int64_t winner;
};

static void reduce(enum reducer red, struct reduction *r, number value, int64_t place)
{
	bool better;

	switch (red) {
	case RED_NONE: r->value = value; return;
	case RED_SUM: r->value += value; return;
	case RED_PROD: r->value *= value; return;
	default: break;
	}
	better = red == RED_MAX || red == RED_ARGMAX ? value > r->value : value < r->value;
	if (better || r->winner < 0) {
		r->value = value;
		r->winner = place;
	}
}

static number interpret_point(struct interpreter *in, const struct equation *eq, int64_t *at)
{
	struct reduction r = {eq->red == RED_PROD ? 1 : 0, -1};

	if (is_empty(in, eq, eq->nfree, eq->n))
		return r.value;
	do {
		int64_t place = 0;

		for (int p = eq->nfree; p < eq->n; p++)
			place = place * eq->index[p].extent + at[p];
		in->stamp++;
		reduce(eq->red, &r, evaluate(in, eq->value, at, eq), place);
	} while (next_point(in, eq, eq->nfree, eq->n, at));
	return eq->red == RED_ARGMAX || eq->red == RED_ARGMIN ? (number)r.winner : r.value;
}

static void interpret_map(struct interpreter *in, const struct equation *eq)
{
	number *values = tensor_values(in, eq->tensor);
	int64_t at[64];

	if (is_empty(in, eq, 0, eq->nfree))
		return;
	first_point(in, eq, at);
	do {
		int64_t element = 0;

		for (int p = 0; p < eq->nfree; p++)
			element = element * eq->tensor->axis[p].extent + at[p];
		values[element] = interpret_point(in, eq, at);
	} while (next_point(in, eq, 0, eq->nfree, at));
}

static void interpret_scatter(struct interpreter *in, const struct equation *eq)
{
	number *values = tensor_values(in, eq->tensor);
	int64_t at[64] = {0};

	if (is_empty(in, eq, 0, eq->n))
		return;
	do {
		int64_t element;

		in->stamp++;
		element = find_element(in, eq->tensor, eq->target, at, eq);
		if (element < 0)
			fault(in, "scatter outside", eq->tensor);
		else
			values[element] += evaluate(in, eq->value, at, eq);
	} while (next_point(in, eq, 0, eq->n, at));
}

static void interpret_scan(struct interpreter *in, const struct scan *scan)
{
	int depth = in->scans++;

	for (int64_t k = 0; k < scan->trips; k++) {
		in->step[depth] = scan->reverse ? scan->trips - 1 - k : k;
		for (int i = 0; i < scan->n; i++)
			if (scan->body[i]->kind == EQ_SCAN)
				interpret_scan(in, scan->body[i]->scan);
			else if (scan->body[i]->kind == EQ_MAP)
				interpret_map(in, scan->body[i]);
	}
	in->scans = depth;
}

void interpret(struct interpreter *in, const equation_list *eqs)
{
	for (int i = 0; i < eqs->n; i++) {
		const struct equation *eq = eqs->item[i];
		bool first = true;

		for (int k = 0; eq->kind == EQ_SCATTER && k < i; k++)
			first &= eqs->item[k]->tensor != eq->tensor;
		if (eq->kind == EQ_SCATTER && first)
			memset(tensor_values(in, eq->tensor), 0, (size_t)tensor_size(eq->tensor) * sizeof(number));
		if (eq->kind == EQ_MAP)
			interpret_map(in, eq);
		else if (eq->kind == EQ_SCAN)
			interpret_scan(in, eq->scan);
		else if (eq->kind == EQ_SCATTER)
			interpret_scatter(in, eq);
	}
}
