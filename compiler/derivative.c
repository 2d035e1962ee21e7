/* derivative.c - the scalar rules: one line for each function of a number, closed under differentiation.
 *
 * A rule says what an expression hands to one of its arguments: its own adjoint times the partial derivative. The
 * product is formed inside selects, never outside: where the adjoint is select(c, a, 0) and the factor may be infinite,
 * the result is select(c, a * factor, 0), for a mask times the side not taken would be 0 * inf. What is not
 * differentiable at a point follows the table of kinks. */
#include "chain.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define TWO_OVER_SQRT_PI 1.1283791670955125739
#define SQRT_PI_OVER_TWO 0.88622692545275801365

const struct kink *chain_kinks(int *n)
{
	static const struct kink kinks[] = {
		{"max(a, b), min(a, b) at a == b", "all of it to a, the first"},
		{"max(x, c), min(x, c) at x == c, c without tensors but settings",
		 "0 (so relu has 0 at 0, clamp 0 at its bounds)"},
		{"max[k], min[k] with several winners", "all of it to the first"},
		{"max[k], min[k] where an else value wins", "to that value"},
		{"argmax, argmin, comparisons, integers", "0"},
		{"abs(x) and sign(x) at 0", "0"},
		{"sign(x), floor(x), ceil(x), round(x)", "0 everywhere"},
		{"sqrt(x) at 0", "inf, or 0 where what follows has derivative 0"},
		{"x^p at x == 0, p < 1 no integer", "inf, or 0 where what follows has derivative 0"},
		{"x^p by p at x == 0", "0"},
		{"if c then a else b", "that of the side taken; c has none"},
		{"x[i else e] outside", "that of e"},
		{"prod[k] with zeros", "the product of the others"},
		{"stop(x)", "0"},
	};

	*n = (int)(sizeof kinks / sizeof *kinks);
	return kinks;
}

/* ---- facts about expressions, each found once ---- */

enum {
	ASKED_MASK = 1,
	MASKED = 2,
	ASKED_FINITE = 4,
	UNBOUNDED = 8,
	ASKED_CONSTANT = 16,
	CONSTANT = 32,
	ASKED_DRAW = 64,
	DRAW = 128
};

static unsigned char *known_facts(struct chain *c, const struct expr *e)
{
	if (e->id >= c->room) {
		size_t room = 2 * (size_t)c->g->next_id + 64;
		unsigned char *known = arena_alloc(&c->g->ctx->arena, room);

		if (c->room)
			memcpy(known, c->known, c->room);
		c->known = known;
		c->room = room;
	}
	return &c->known[e->id];
}

/* Is e a sum of products in which some factor is 0 by a select? */
static bool is_masked(struct chain *c, const struct expr *e)
{
	bool masked = false;

	if (*known_facts(c, e) & ASKED_MASK)
		return *known_facts(c, e) & MASKED;
	switch (e->op) {
	case EX_SELECT:
		masked = ex_is_num(e->arg[1], 0) || ex_is_num(e->arg[2], 0) || is_masked(c, e->arg[1]) ||
			 is_masked(c, e->arg[2]);
		break;
	case EX_ADD:
	case EX_SUB:
	case EX_MUL: masked = is_masked(c, e->arg[0]) || is_masked(c, e->arg[1]); break;
	case EX_NEG:
	case EX_DIV: masked = is_masked(c, e->arg[0]); break;
	default: break;
	}
	*known_facts(c, e) |= ASKED_MASK | (masked ? MASKED : 0);
	return masked;
}

/* May e be infinite or no number while the tensors it reads are finite and small? */
static bool is_unbounded(struct chain *c, const struct expr *e)
{
	bool unbounded = false;

	if (*known_facts(c, e) & ASKED_FINITE)
		return *known_facts(c, e) & UNBOUNDED;
	switch (e->op) {
	case EX_NUM: unbounded = !isfinite(e->num); break;
	case EX_READ: unbounded = e->guarded && is_unbounded(c, e->arg[e->tensor->rank]); break;
	case EX_DIV:
	case EX_POW:
	case EX_EXP:
	case EX_LOG:
	case EX_LOG1P:
	case EX_EXPM1:
	case EX_TAN:
	case EX_ASIN:
	case EX_ACOS:
	case EX_SINH:
	case EX_COSH:
	case EX_ERFINV:
	case EX_SQRT: unbounded = true; break;
	default:
		for (int k = 0; k < e->n && !unbounded; k++)
			unbounded = is_unbounded(c, e->arg[k]);
		break;
	}
	*known_facts(c, e) |= ASKED_FINITE | (unbounded ? UNBOUNDED : 0);
	return unbounded;
}

/* No tensor in e but the host's settings, and no draw? */
static bool is_constant(struct chain *c, const struct expr *e)
{
	bool constant = e->op != EX_DRAW && (e->op != EX_READ || e->tensor->role == ROLE_SETTING);

	if (*known_facts(c, e) & ASKED_CONSTANT)
		return *known_facts(c, e) & CONSTANT;
	for (int k = 0; k < e->n && constant; k++)
		constant = is_constant(c, e->arg[k]);
	*known_facts(c, e) |= ASKED_CONSTANT | (constant ? CONSTANT : 0);
	return constant;
}

bool has_draw(struct chain *c, const struct expr *e)
{
	bool draw = e->op == EX_DRAW;

	if (*known_facts(c, e) & ASKED_DRAW)
		return *known_facts(c, e) & DRAW;
	for (int k = 0; k < e->n && !draw; k++)
		draw = has_draw(c, e->arg[k]);
	*known_facts(c, e) |= ASKED_DRAW | (draw ? DRAW : 0);
	return draw;
}

/* ---- products with an adjoint ---- */

/* A factor by which an adjoint is multiplied, or a divisor. */
struct factor {
	enum ex op; /* EX_MUL, EX_DIV */
	struct expr *by;
	struct expr *zero; /* or NULL: where this is 0 and the adjoint is, the result is 0 */
};

/* a / (c + e) * e for e = exp(u), which would overflow to 0 * inf: a * (1 - y) where a has the factor y = c / (c + e)
 * (the logistic function), else a / (1 + c / e). NULL where adj * e has not this form. */
static struct expr *bounded_quotient(struct chain *c, struct expr *adj, struct expr *e)
{
	struct graph *g = c->g;
	struct expr *top, *sum, *number, *y, *rest;

	if (adj->op == EX_NEG) {
		rest = bounded_quotient(c, adj->arg[0], e);
		return rest ? ex1(g, EX_NEG, rest) : NULL;
	}
	if (e->op != EX_EXP || adj->op != EX_DIV || adj->arg[1]->op != EX_ADD)
		return NULL;
	top = adj->arg[0];
	sum = adj->arg[1];
	number = sum->arg[sum->arg[0] == e];
	if ((sum->arg[0] != e && sum->arg[1] != e) || number->op != EX_NUM || !(number->num > 0))
		return NULL;
	y = ex2(g, EX_DIV, number, sum);
	if (y == c->value)
		y = c->self;
	if (top->op == EX_MUL && (top->arg[0] == y || top->arg[1] == y))
		return ex2(g, EX_MUL, top, ex2(g, EX_SUB, ex_num(g, 1), y));
	return ex2(g, EX_DIV, top, ex2(g, EX_ADD, ex_num(g, 1), ex2(g, EX_DIV, number, e)));
}

static struct expr *apply_plain(struct chain *c, struct expr *adj, struct factor f)
{
	struct graph *g = c->g;
	struct expr *product = f.op == EX_MUL ? bounded_quotient(c, adj, f.by) : NULL;
	struct expr *nothing = ex_num(g, 0);

	if (!product)
		product = ex2(g, f.op, adj, f.by);
	if (!f.zero)
		return product;
	return ex_select(g, ex2(g, EX_AND, ex2(g, EX_EQ, f.zero, nothing), ex2(g, EX_EQ, adj, nothing)), nothing,
			 product);
}

/* adj times or over f.by, moved into the selects of adj. */
static struct expr *apply_inside(struct chain *c, struct expr *adj, struct factor f)
{
	struct graph *g = c->g;
	struct expr *a, *b;
	bool second;

	if (ex_is_num(adj, 0) || !is_masked(c, adj))
		return ex_is_num(adj, 0) ? adj : apply_plain(c, adj, f);
	a = adj->arg[0];
	b = adj->n > 1 ? adj->arg[1] : NULL;
	switch (adj->op) {
	case EX_SELECT: return ex_select(g, a, apply_inside(c, b, f), apply_inside(c, adj->arg[2], f));
	case EX_ADD:
	case EX_SUB: return ex2(g, adj->op, apply_inside(c, a, f), apply_inside(c, b, f));
	case EX_NEG: return ex1(g, EX_NEG, apply_inside(c, a, f));
	default: /* a product or quotient: first its own other factor */
		second = adj->op == EX_MUL && !is_masked(c, a);
		a = apply_inside(c, adj->arg[second], (struct factor){adj->op, adj->arg[!second], NULL});
		return a->op == EX_MUL || a->op == EX_DIV ? apply_plain(c, a, f) : apply_inside(c, a, f);
	}
}

/* A select of which one side is 0. */
static bool is_choice(const struct expr *e)
{
	return e->op == EX_SELECT && (ex_is_num(e->arg[1], 0) || ex_is_num(e->arg[2], 0));
}

static struct expr *apply(struct chain *c, struct expr *adj, struct factor f)
{
	if (ex_is_num(adj, 0))
		return adj;
	if (f.op == EX_DIV || f.zero || is_unbounded(c, f.by) || is_choice(adj))
		return apply_inside(c, adj, f);
	return apply_plain(c, adj, f);
}

static struct expr *times(struct chain *c, struct expr *adj, struct expr *by)
{
	return apply(c, adj, (struct factor){EX_MUL, by, NULL});
}

static struct expr *over(struct chain *c, struct expr *adj, struct expr *by)
{
	return apply(c, adj, (struct factor){EX_DIV, by, NULL});
}

static struct expr *negative(struct graph *g, struct expr *e)
{
	if (ex_is_num(e, 0))
		return e;
	if (is_choice(e))
		return ex_select(g, e->arg[0], negative(g, e->arg[1]), negative(g, e->arg[2]));
	return ex1(g, EX_NEG, e);
}

struct expr *add_adjoints(struct graph *g, struct expr *a, struct expr *b)
{
	struct expr *last;

	if (!a)
		return b;
	if (b->op != EX_SELECT)
		return ex2(g, EX_ADD, a, b);
	if (a->op == EX_SELECT && a->arg[0] == b->arg[0])
		return ex_select(g, a->arg[0], add_adjoints(g, a->arg[1], b->arg[1]),
				 add_adjoints(g, a->arg[2], b->arg[2]));
	last = a->op == EX_ADD ? a->arg[1] : a;
	if (last->op == EX_SELECT && last->arg[0] == b->arg[0])
		return ex2(g, EX_ADD, a->arg[0], add_adjoints(g, last, b));
	return ex2(g, EX_ADD, a, b);
}

/* ---- the rules ---- */

/* max and min: see the kinks. x is the argument asked for, y the other. self, where it is a tensor, spares the argument
 * of a relu: max(x, c) > c exactly where x > c. */
static struct expr *choose(struct chain *c, const struct expr *node, int k, struct expr *adj, struct expr *self)
{
	struct graph *g = c->g;
	struct expr *x = node->arg[k], *y = node->arg[1 - k], *wins;
	bool max = node->op == EX_MAX, constant = is_constant(c, y);

	if (constant && self->op == EX_READ)
		x = self;
	if (k == 0 && !constant)
		wins = max ? ex2(g, EX_LE, y, x) : ex2(g, EX_LE, x, y);
	else
		wins = max ? ex2(g, EX_LT, y, x) : ex2(g, EX_LT, x, y);
	return ex_select(g, wins, adj, ex_num(g, 0));
}

/* x^p by x for a number p: p*x^(p-1), from x^p itself where that is no less exact. */
static struct expr *power_of_number(struct chain *c, struct expr *x, struct expr *p, struct expr *adj,
				    struct expr *self)
{
	struct graph *g = c->g;
	struct expr *zero = p->num < 1 && p->num != floor(p->num) ? x : NULL;

	adj = times(c, adj, p);
	if (p->num == 0.5)
		return apply(c, adj, (struct factor){EX_DIV, self, zero});
	if (p->num < 0)
		return apply(c, adj, (struct factor){EX_MUL, ex2(g, EX_DIV, self, x), zero});
	return apply(c, adj, (struct factor){EX_MUL, ex2(g, EX_POW, x, ex_num(g, p->num - 1)), zero});
}

/* x^p */
static struct expr *power(struct chain *c, const struct expr *node, int k, struct expr *adj, struct expr *self)
{
	struct graph *g = c->g;
	struct expr *x = node->arg[0], *p = node->arg[1], *nothing = ex_num(g, 0), *lower;

	if (k == 1)
		return times(c, adj,
			     ex_select(g, ex2(g, EX_EQ, x, nothing), nothing, ex2(g, EX_MUL, self, ex1(g, EX_LOG, x))));
	if (p->op == EX_NUM)
		return power_of_number(c, x, p, adj, self);
	lower = ex2(g, EX_POW, x, ex2(g, EX_SUB, p, ex_num(g, 1)));
	lower = ex_select(g, ex2(g, EX_EQ, p, nothing), nothing, ex2(g, EX_MUL, p, lower));
	return apply(c, adj, (struct factor){EX_MUL, lower, x});
}

static struct expr *square(struct graph *g, struct expr *e) { return ex2(g, EX_MUL, e, e); }

/* 1 - x*x and 1 + x*x */
static struct expr *one_minus(struct graph *g, struct expr *e) { return ex2(g, EX_SUB, ex_num(g, 1), e); }
static struct expr *one_plus(struct graph *g, struct expr *e) { return ex2(g, EX_ADD, ex_num(g, 1), e); }

/* exp(x) for expm1(x): one more than that where that is at hand. */
static struct expr *exponential(struct graph *g, const struct expr *node, struct expr *self)
{
	return self->op == EX_READ ? one_plus(g, self) : ex1(g, EX_EXP, node->arg[0]);
}

static struct expr *gauss(struct graph *g, struct expr *x) { return ex1(g, EX_EXP, negative(g, square(g, x))); }

bool passes_gradient(const struct expr *node, int k)
{
	if (node->elem != ELEM_REAL || node->arg[k]->elem != ELEM_REAL)
		return false;
	switch (node->op) {
	case EX_READ: return k == node->tensor->rank;
	case EX_SELECT: return k > 0;
	case EX_SIGN:
	case EX_FLOOR:
	case EX_CEIL:
	case EX_ROUND:
	case EX_STOP: return false;
	default: return true;
	}
}

struct expr *pull_back(struct chain *c, struct expr *node, int k, struct expr *adj)
{
	struct graph *g = c->g;
	struct expr *self = node == c->value ? c->self : node;
	struct expr *x = node->arg[0], *other = node->n == 2 ? node->arg[1 - k] : NULL, *nothing = ex_num(g, 0);

	if (!passes_gradient(node, k))
		return nothing;
	switch (node->op) {
	case EX_ADD: return adj;
	case EX_SUB: return k ? negative(g, adj) : adj;
	case EX_NEG: return negative(g, adj);
	case EX_MUL: return times(c, adj, other);
	case EX_DIV: return over(c, k ? negative(g, times(c, adj, self)) : adj, node->arg[1]);
	case EX_POW: return power(c, node, k, adj, self);
	case EX_MIN:
	case EX_MAX: return choose(c, node, k, adj, self);
	case EX_SELECT: return k == 1 ? ex_select(g, x, adj, nothing) : ex_select(g, x, nothing, adj);
	case EX_EXP: return times(c, adj, self);
	case EX_EXPM1: return times(c, adj, exponential(g, node, self));
	case EX_LOG: return over(c, adj, x);
	case EX_LOG1P: return over(c, adj, one_plus(g, x));
	case EX_SIN: return times(c, adj, ex1(g, EX_COS, x));
	case EX_COS: return times(c, negative(g, adj), ex1(g, EX_SIN, x));
	case EX_TAN: return times(c, adj, one_plus(g, square(g, self)));
	case EX_ASIN: return over(c, adj, ex1(g, EX_SQRT, one_minus(g, square(g, x))));
	case EX_ACOS: return over(c, negative(g, adj), ex1(g, EX_SQRT, one_minus(g, square(g, x))));
	case EX_ATAN: return over(c, adj, one_plus(g, square(g, x)));
	case EX_SINH: return times(c, adj, ex1(g, EX_COSH, x));
	case EX_COSH: return times(c, adj, ex1(g, EX_SINH, x));
	case EX_TANH: return times(c, adj, one_minus(g, square(g, self)));
	case EX_ERF: return times(c, times(c, adj, ex_num(g, TWO_OVER_SQRT_PI)), gauss(g, x));
	case EX_ERFINV: return over(c, times(c, adj, ex_num(g, SQRT_PI_OVER_TWO)), gauss(g, self));
	case EX_SQRT: return apply(c, times(c, adj, ex_num(g, 0.5)), (struct factor){EX_DIV, self, self});
	case EX_ABS: return times(c, adj, ex1(g, EX_SIGN, x));
	default: assert(!"a function without a derivative rule"); return nothing;
	}
}
