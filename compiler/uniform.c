/* uniform.c - products and quotients in an optimiser's update: what all elements share is computed once.
 *
 * Rates, bias corrections and norms are one number for a whole tensor. Written as the formula stands, each element is
 * multiplied with and divided by them in turn,
 *
 *   w'[i] = w[i] - rate * m'[i] / (1 - beta^t) / (v[i]^0.5 + eps)
 *
 * Here they become one factor, which the loops need once: divisions by it are multiplications then.
 *
 *   w'[i] = w[i] - m'[i] * (rate / (1 - beta^t)) / (v[i]^0.5 + eps)
 *
 * The quotient is off by a rounding, so not with --fp=strict, and in no other part: there x / max(x) is to be 1 for the
 * largest x, and 49 / 49 for a mean. Nor where a whole number may be asked for: in floor, comparisons, subscripts. */
#include "expr.h"
#include "simplify.h"

enum { MOST_FACTORS = 16 /* of a product that is looked at */ };

/* A product of factors over a product of divisors, in the order in which they are written. */
struct quotient {
	struct expr *factor[MOST_FACTORS], *divisor[MOST_FACTORS];
	int n_factor, n_divisor;
	bool full;
};

static bool is_uniform(const struct expr *e) { return !e->slots && !ex_has(e, EX_DRAW); }

static void take_factors(struct quotient *q, struct graph *g, struct expr *e, bool divides)
{
	int *n = divides ? &q->n_divisor : &q->n_factor;

	if (e->op == EX_MUL && !is_uniform(e)) {
		take_factors(q, g, e->arg[0], divides);
		take_factors(q, g, e->arg[1], divides);
	} else if (e->op == EX_DIV && !is_uniform(e)) {
		take_factors(q, g, e->arg[0], divides);
		take_factors(q, g, e->arg[1], !divides);
	} else if (e->op == EX_NEG && !is_uniform(e)) {
		take_factors(q, g, ex_num(g, -1), divides);
		take_factors(q, g, e->arg[0], divides);
	} else if (*n == MOST_FACTORS) {
		q->full = true;
	} else {
		(divides ? q->divisor : q->factor)[(*n)++] = e;
	}
}

/* The product of those that are uniform, or of those that are not; NULL: there are none. */
static struct expr *multiply(struct graph *g, struct expr *const *factor, int n, bool uniform)
{
	struct expr *product = NULL;

	for (int i = 0; i < n; i++)
		if (is_uniform(factor[i]) == uniform)
			product = product ? ex2(g, EX_MUL, product, factor[i]) : factor[i];
	return product;
}

static int count_uniform(struct expr *const *factor, int n, bool numbers)
{
	int count = 0;

	for (int i = 0; i < n; i++)
		count += is_uniform(factor[i]) && (numbers || factor[i]->op != EX_NUM);
	return count;
}

static struct expr *gather_uniform(void *user, const struct expr *old, struct expr *e)
{
	struct graph *g = user;
	struct quotient q = {.full = false};
	struct expr *above, *below, *shared, *divisor;
	(void)old;

	if ((e->op != EX_MUL && e->op != EX_DIV && e->op != EX_NEG) || e->elem != ELEM_REAL || !e->slots)
		return e;
	take_factors(&q, g, e, false);
	if (q.full || (!count_uniform(q.divisor, q.n_divisor, false) &&
		       (!count_uniform(q.factor, q.n_factor, false) || count_uniform(q.factor, q.n_factor, true) < 2)))
		return e;
	shared = multiply(g, q.factor, q.n_factor, true);
	divisor = multiply(g, q.divisor, q.n_divisor, true);
	if (divisor)
		shared = ex2(g, EX_DIV, shared ? shared : ex_num(g, 1), divisor);
	above = multiply(g, q.factor, q.n_factor, false);
	above = above ? ex2(g, EX_MUL, above, shared) : shared;
	below = multiply(g, q.divisor, q.n_divisor, false);
	return below ? ex2(g, EX_DIV, above, below) : above;
}

/* Nothing is changed where a whole number may matter. */
static struct expr *keep_exact(void *user, const struct expr *e)
{
	(void)user;
	switch (e->op) {
	case EX_ADD:
	case EX_SUB:
	case EX_MUL:
	case EX_DIV:
	case EX_NEG:
	case EX_POW:
	case EX_SQRT:
	case EX_EXP:
	case EX_TANH:
	case EX_MIN:
	case EX_MAX:
	case EX_SELECT: return NULL;
	default: return (struct expr *)e;
	}
}

static void gather_in(void *user, struct equation *eq)
{
	if (eq->kind == EQ_MAP && eq->value)
		eq->value = ex_rewrite(user, eq->value, keep_exact, gather_uniform, user);
}

void gather_uniform_factors(struct graph *g)
{
	visit_equations(g->part[PART_UPDATE].item, g->part[PART_UPDATE].n, gather_in, g);
}
