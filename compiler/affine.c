/* affine.c - what integer expressions mean: constant + sum coef * index, and ranges.
 *
 * Every integer expression that is affine in the indices is kept in one canonical form, written by affine_expr, so that
 * equal subscripts are the same pointer: i + 1 - 1 is i, 2*i + i is 3*i. Terms stand in the order of the slots, the
 * first positive one leading; the constant stands last, unless every coefficient is negative and it is not. */
#include "expr.h"

#include <string.h>

#define add_overflows __builtin_add_overflow
#define sub_overflows __builtin_sub_overflow
#define mul_overflows __builtin_mul_overflow

int64_t floor_divide(int64_t a, int64_t b)
{
	int64_t q = a / b;

	return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

int64_t floor_modulo(int64_t a, int64_t b)
{
	int64_t r = a % b;

	return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

/* *out += scale * e. Depth is bounded: the canonical form has at most 65 terms. */
static bool collect(const struct expr *e, int64_t scale, struct affine *out)
{
	int64_t term, negated;

	switch (e->op) {
	case EX_INT:
		return !mul_overflows(e->integer, scale, &term) && !add_overflows(out->constant, term, &out->constant);
	case EX_INDEX: return !add_overflows(out->coef[e->slot], scale, &out->coef[e->slot]);
	case EX_ADD: return collect(e->arg[0], scale, out) && collect(e->arg[1], scale, out);
	case EX_SUB:
		return !sub_overflows(0, scale, &negated) && collect(e->arg[0], scale, out) &&
		       collect(e->arg[1], negated, out);
	case EX_NEG: return !sub_overflows(0, scale, &negated) && collect(e->arg[0], negated, out);
	case EX_MUL: return !mul_overflows(e->arg[0]->integer, scale, &term) && collect(e->arg[1], term, out);
	default: return false;
	}
}

bool affine_of(const struct expr *e, struct affine *out)
{
	memset(out, 0, sizeof *out);
	return e->affine && collect(e, 1, out);
}

bool affine_add(const struct expr *e, int64_t scale, struct affine *out) { return e->affine && collect(e, scale, out); }

static struct expr *affine_plain(struct graph *g, enum ex op, int n, struct expr *a, struct expr *b)
{
	struct expr *e = ex_plain(g, op, ELEM_INT, n, (struct expr *[]){a, b});

	e->affine = true;
	return e;
}

/* sum + coef * slot; sum NULL: nothing yet. */
static struct expr *add_term(struct graph *g, struct expr *sum, int64_t coef, int slot)
{
	struct expr *term = ex_index(g, slot);
	int64_t size = sum && coef < 0 && coef != INT64_MIN ? -coef : coef;

	if (size != 1 && size != -1)
		term = affine_plain(g, EX_MUL, 2, ex_int(g, size), term);
	else if (size == -1)
		term = affine_plain(g, EX_NEG, 1, term, NULL);
	if (!sum)
		return term;
	return affine_plain(g, size == coef ? EX_ADD : EX_SUB, 2, sum, term);
}

/* The canonical form; slots: those that may have a coefficient. */
static struct expr *write_affine(struct graph *g, const struct affine *a, uint64_t slots)
{
	struct expr *sum = NULL;
	int64_t constant = a->constant;
	int first = -1;

	for (uint64_t rest = slots; rest && first < 0; rest &= rest - 1)
		if (a->coef[__builtin_ctzll(rest)] > 0)
			first = __builtin_ctzll(rest);
	if (first >= 0) {
		sum = add_term(g, NULL, a->coef[first], first);
	} else if (constant > 0) {
		sum = ex_int(g, constant);
		constant = 0;
	}
	for (uint64_t rest = slots; rest; rest &= rest - 1) {
		int s = __builtin_ctzll(rest);

		if (s != first && a->coef[s])
			sum = add_term(g, sum, a->coef[s], s);
	}
	if (!sum)
		return ex_int(g, constant);
	if (constant < 0 && constant != INT64_MIN)
		return affine_plain(g, EX_SUB, 2, sum, ex_int(g, -constant));
	return constant ? affine_plain(g, EX_ADD, 2, sum, ex_int(g, constant)) : sum;
}

struct expr *affine_expr(struct graph *g, const struct affine *a)
{
	uint64_t slots = 0;

	for (int s = 0; s < 64; s++)
		slots |= (uint64_t)(a->coef[s] != 0) << s;
	return write_affine(g, a, slots);
}

/* *out += scale * a, which has no other slots than these. */
static bool add_scaled(struct affine *out, int64_t scale, const struct affine *a, uint64_t slots)
{
	int64_t term;

	if (mul_overflows(scale, a->constant, &term) || add_overflows(out->constant, term, &out->constant))
		return false;
	for (; slots; slots &= slots - 1) {
		int s = __builtin_ctzll(slots);

		if (mul_overflows(scale, a->coef[s], &term) || add_overflows(out->coef[s], term, &out->coef[s]))
			return false;
	}
	return true;
}

/* In canonical form an expression has no slot whose coefficient is 0. */
bool affine_difference(const struct expr *a, const struct expr *b, int64_t *difference)
{
	struct affine x;

	if (!a->affine || !b->affine || a->slots != b->slots)
		return false;
	if (!a->slots)
		return !sub_overflows(a->integer, b->integer, difference);
	if (!affine_of(a, &x) || !affine_add(b, -1, &x))
		return false;
	for (uint64_t rest = a->slots; rest; rest &= rest - 1)
		if (x.coef[__builtin_ctzll(rest)])
			return false;
	*difference = x.constant;
	return true;
}

/* (d*e + f) // d = e + f // d and (d*e + f) % d = f % d for d > 0, the coefficients of e and f whole numbers.
 * NULL where e is 0 and f is not a literal. */
static struct expr *divide_affine(struct graph *g, enum ex op, const struct affine *a, int64_t d)
{
	struct affine e = {.constant = floor_divide(a->constant, d)}, f = {.constant = floor_modulo(a->constant, d)};
	bool whole = e.constant != 0, rest = false;
	struct expr *part;

	for (int s = 0; s < 64; s++) {
		if (a->coef[s] % d == 0)
			e.coef[s] = a->coef[s] / d;
		else
			f.coef[s] = a->coef[s];
		whole |= e.coef[s] != 0;
		rest |= f.coef[s] != 0;
	}
	if (!rest)
		return op == EX_MOD ? ex_int(g, f.constant) : affine_expr(g, &e);
	if (!whole)
		return NULL;
	part = ex_plain(g, op, ELEM_INT, 2, (struct expr *[]){affine_expr(g, &f), ex_int(g, d)});
	return op == EX_MOD ? part : ex2(g, EX_ADD, affine_expr(g, &e), part);
}

struct expr *affine_make(struct graph *g, enum ex op, int n, struct expr *const *arg)
{
	uint64_t slots = arg[0]->slots | arg[n - 1]->slots;
	struct affine a, b, product = {0};

	if (!arg[0]->affine || !arg[n - 1]->affine || !affine_of(arg[0], &a))
		return NULL;
	if (n == 1)
		return op == EX_NEG && add_scaled(&product, -1, &a, slots) ? write_affine(g, &product, slots) : NULL;
	switch (op) {
	case EX_ADD:
	case EX_SUB: return affine_add(arg[1], op == EX_ADD ? 1 : -1, &a) ? write_affine(g, &a, slots) : NULL;
	case EX_MUL:
		if (arg[0]->op != EX_INT && arg[1]->op != EX_INT)
			return NULL;
		affine_of(arg[1], &b);
		if (arg[0]->op == EX_INT)
			return add_scaled(&product, a.constant, &b, slots) ? write_affine(g, &product, slots) : NULL;
		return add_scaled(&product, b.constant, &a, slots) ? write_affine(g, &product, slots) : NULL;
	case EX_FLOORDIV:
	case EX_MOD:
		return arg[1]->op == EX_INT && arg[1]->integer > 0 ? divide_affine(g, op, &a, arg[1]->integer) : NULL;
	default: return NULL;
	}
}

/* ---- ranges. A bound at an end of int64 means: none. ---- */

enum { RANGE_CACHE = 64 };

/* Results by id, the newest kept: a cache on the stack is enough to keep a DAG from being walked as a tree. */
struct range_walk {
	const struct index *index;
	const struct piece_ranges *piece; /* or NULL */
	const struct expr *key[RANGE_CACHE];
	struct range value[RANGE_CACHE];
};

static const struct range everything = {INT64_MIN, INT64_MAX};

static bool endless(int64_t bound) { return bound == INT64_MIN || bound == INT64_MAX; }

static int64_t bound_add(int64_t a, int64_t b)
{
	int64_t sum;

	if (endless(a))
		return a;
	if (endless(b))
		return b;
	return add_overflows(a, b, &sum) ? (a < 0 ? INT64_MIN : INT64_MAX) : sum;
}

static int64_t bound_negate(int64_t a) { return a == INT64_MIN ? INT64_MAX : a == INT64_MAX ? INT64_MIN : -a; }

static int64_t bound_multiply(int64_t a, int64_t b)
{
	int64_t product;

	if (a == 0 || b == 0)
		return 0;
	if (endless(a) || endless(b) || mul_overflows(a, b, &product))
		return (a < 0) != (b < 0) ? INT64_MIN : INT64_MAX;
	return product;
}

static int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t greater(int64_t a, int64_t b) { return a > b ? a : b; }

static struct range range_negate(struct range a) { return (struct range){bound_negate(a.high), bound_negate(a.low)}; }

static struct range range_multiply(struct range a, struct range b)
{
	int64_t p = bound_multiply(a.low, b.low), q = bound_multiply(a.low, b.high);
	int64_t r = bound_multiply(a.high, b.low), s = bound_multiply(a.high, b.high);

	return (struct range){lesser(lesser(p, q), lesser(r, s)), greater(greater(p, q), greater(r, s))};
}

static struct range range_divide(struct range a, struct range b)
{
	if (b.low != b.high || b.low == 0)
		return everything;
	if (b.low < 0)
		a = range_negate(a), b.low = -b.low;
	return (struct range){endless(a.low) ? a.low : floor_divide(a.low, b.low),
			      endless(a.high) ? a.high : floor_divide(a.high, b.low)};
}

/* The remainder has the sign of the divisor. */
static struct range range_modulo(struct range a, struct range b)
{
	if (b.low > 0 && a.low >= 0 && a.high < b.low)
		return a;
	if (b.low > 0)
		return (struct range){0, bound_add(b.high, -1)};
	if (b.high < 0)
		return (struct range){bound_add(b.low, 1), 0};
	return everything;
}

static struct range range_join(struct range a, struct range b)
{
	return (struct range){lesser(a.low, b.low), greater(a.high, b.high)};
}

static struct range tensor_range(const struct tensor *t)
{
	struct range r = {INT64_MAX, INT64_MIN};
	int64_t n;

	if (t->elem == ELEM_BOOL)
		return (struct range){0, 1};
	if (t->classes > 0)
		return (struct range){0, t->classes - 1};
	if (t->bounded)
		return t->bounds;
	if (t->role != ROLE_DATA || !t->data || t->elem != ELEM_INT || (n = tensor_size(t)) == 0)
		return everything;
	for (int64_t i = 0; i < n; i++)
		r = range_join(r, (struct range){(int64_t)t->data[i], (int64_t)t->data[i]});
	return r;
}

static struct range find_range(struct range_walk *w, const struct expr *e);

static struct range compute_range(struct range_walk *w, const struct expr *e)
{
	struct range a, b;

	if (e->op == EX_READ) {
		a = tensor_range(e->tensor);
		return e->guarded ? range_join(a, find_range(w, e->arg[e->tensor->rank])) : a;
	}
	if (e->op == EX_SELECT)
		return range_join(find_range(w, e->arg[1]), find_range(w, e->arg[2]));
	a = find_range(w, e->arg[0]);
	b = e->n > 1 ? find_range(w, e->arg[1]) : a;
	switch (e->op) {
	case EX_ADD: return (struct range){bound_add(a.low, b.low), bound_add(a.high, b.high)};
	case EX_SUB: b = range_negate(b); return (struct range){bound_add(a.low, b.low), bound_add(a.high, b.high)};
	case EX_MUL: return range_multiply(a, b);
	case EX_FLOORDIV: return range_divide(a, b);
	case EX_MOD: return range_modulo(a, b);
	case EX_NEG: return range_negate(a);
	case EX_MIN: return (struct range){lesser(a.low, b.low), lesser(a.high, b.high)};
	case EX_MAX: return (struct range){greater(a.low, b.low), greater(a.high, b.high)};
	case EX_ABS:
		b = range_negate(a);
		return (struct range){a.low > 0 ? a.low : a.high < 0 ? b.low : 0, greater(a.high, b.high)};
	case EX_TO_INT:
	case EX_STOP: return a;
	default: return everything;
	}
}

static struct range find_range(struct range_walk *w, const struct expr *e)
{
	int at = (int)(e->id % RANGE_CACHE);

	if (e->op == EX_INT)
		return (struct range){e->integer, e->integer};
	if (e->op == EX_INDEX && w->piece && w->piece->known >> e->slot & 1)
		return w->piece->of[e->slot];
	if (e->op == EX_INDEX)
		return (struct range){0, w->index[e->slot].extent - 1};
	if (e->elem == ELEM_BOOL)
		return (struct range){0, 1};
	if (e->elem == ELEM_REAL || e->op == EX_RUN)
		return everything;
	if (w->key[at] != e) {
		struct range r = compute_range(w, e);

		w->key[at] = e;
		w->value[at] = r;
	}
	return w->value[at];
}

bool range_within(const struct expr *e, const struct index *index, const struct piece_ranges *piece, struct range *out)
{
	struct range_walk w = {.index = index, .piece = piece};

	*out = find_range(&w, e);
	return !endless(out->low) && !endless(out->high);
}

bool range_of(const struct expr *e, const struct index *index, struct range *out)
{
	return range_within(e, index, NULL, out);
}

/* An end that is not known is out of these bounds. */
static int64_t classes_within(struct range r) { return r.low >= 0 && r.high < INT32_MAX ? r.high + 1 : 0; }

int64_t count_classes(const struct expr *e, const struct index *index)
{
	struct range r;

	range_of(e, index, &r);
	return classes_within(r);
}

void bound_values(struct tensor *t, const struct expr *e, const struct index *index)
{
	if (t->elem != ELEM_INT || t->classes)
		return;
	range_of(e, index, &t->bounds);
	t->classes = classes_within(t->bounds);
	t->bounded = !t->classes;
}
