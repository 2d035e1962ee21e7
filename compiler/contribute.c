/* contribute.c - the adjoint of one equation: a term for each read that a gradient passes through.
 *
 *   none, sum   T[i] = sum[k] f(i, k): a read of R in f gives  R.grad[a(i, k)] += T.grad[i] * df/dR
 *   prod        the same times the product of the others, itself an equation, so that it is right at zeros
 *   max, min    only where k is the winner, T.argmax[i]: as a condition on k where the read's subscripts use k, else by
 *               putting the winner in the place of k, which leaves nothing to sum
 *   argmax ..   nothing
 *   scatter     T[a(l)] += f(l): the adjoint of f is the plain gather T.grad[a(l)]
 *
 * Random draws depend on the free indices of the equation they stand in, which change here: they are drawn once more
 * into a tensor with the indices they had. */
#include "chain.h"
#include "expr.h"

#include <string.h>

static struct expr *read_slots(struct graph *g, struct tensor *t)
{
	struct expr *sub[64];

	for (int d = 0; d < t->rank; d++)
		sub[d] = ex_index(g, d);
	return ex_read(g, t, sub, NULL);
}

static bool is_extremum(const struct equation *eq) { return eq->red == RED_MAX || eq->red == RED_MIN; }

/* An equation being differentiated. */
struct source_equation {
	struct chain *c;
	const struct equation *eq;
	struct expr *value;  /* without draws */
	struct expr *winner; /* read of T.argmax, for max and min */
	struct expr *flat;   /* the number of a combination of bound indices, row-major */
};

/* ---- draws ---- */

static struct expr *replace_draw(void *user, const struct expr *e)
{
	struct source_equation *s = user;
	struct graph *g = s->c->g;
	const struct equation *eq = s->eq;
	struct tensor *t;

	if (!has_draw(s->c, e))
		return (struct expr *)e;
	if (e->op != EX_DRAW)
		return NULL;
	t = adjoint_tensor(g, eq->tensor, arena_printf(&g->ctx->arena, "%s.draw", eq->tensor->name), eq->tensor->rank,
			   eq->tensor->axis);
	append_equation(s->c, t, RED_NONE, eq->nfree, eq->nfree, eq->index, (struct expr *)e, eq->at);
	return read_slots(g, t);
}

/* ---- prod ---- */

/* others[l] = prod[m] (if m == the bound indices of l then 1 else f(free indices of l, m)), read at [l]. */
static struct expr *product_of_others(struct source_equation *s)
{
	const struct equation *eq = s->eq;
	struct graph *g = s->c->g;
	int n = eq->n, bound = n - eq->nfree, place[64], at = 0;
	struct index *index = arena_array(&g->ctx->arena, (size_t)(n + bound), sizeof *index);
	struct axis *axis = arena_array(&g->ctx->arena, (size_t)n, sizeof *axis);
	struct expr *map[64], *sub[64], *same = ex_bool(g, true), *value;
	struct tensor *t;

	for (int rows = 1; rows >= 0; rows--) /* the sample's axis first */
		for (int p = 0; p < n; p++)
			if (eq->index[p].rows == rows) {
				axis[at] = (struct axis){eq->index[p].extent, rows};
				index[at] = eq->index[p];
				sub[at] = ex_index(g, p);
				place[p] = at++;
			}
	for (int p = 0; p < n; p++) {
		map[p] = ex_index(g, p < eq->nfree ? place[p] : n + p - eq->nfree);
		if (p < eq->nfree)
			continue;
		index[n + p - eq->nfree] = eq->index[p];
		same = ex2(g, EX_AND, same, ex2(g, EX_EQ, ex_index(g, place[p]), map[p]));
	}
	value = ex_select(g, same, ex_num(g, 1), ex_substitute(g, s->value, map, n));
	t = adjoint_tensor(g, eq->tensor, arena_printf(&g->ctx->arena, "%s.others", eq->tensor->name), n, axis);
	append_equation(s->c, t, RED_PROD, n, n + bound, index, value, eq->at);
	return ex_read(g, t, sub, NULL);
}

/* ---- max and min ---- */

static void find_winner(struct source_equation *s)
{
	const struct equation *eq = s->eq;
	struct graph *g = s->c->g;
	struct affine flat = {0};
	int64_t stride = 1;
	struct tensor *t;
	const char *name =
		arena_printf(&g->ctx->arena, "%s.arg%s", eq->tensor->name, eq->red == RED_MAX ? "max" : "min");

	for (int p = eq->n - 1; p >= eq->nfree; p--) {
		flat.coef[p] = stride;
		stride *= eq->index[p].extent;
	}
	t = adjoint_tensor(g, eq->tensor, name, eq->tensor->rank, eq->tensor->axis);
	t->elem = ELEM_INT;
	t->classes = stride;
	append_equation(s->c, t, eq->red == RED_MAX ? RED_ARGMAX : RED_ARGMIN, eq->nfree, eq->n, eq->index, s->value,
			eq->at);
	s->winner = read_slots(g, t);
	s->flat = affine_expr(g, &flat);
}

/* The winner's value of a bound index: winner // stride % extent. */
static struct expr *winning_index(struct source_equation *s, int slot)
{
	const struct equation *eq = s->eq;
	struct graph *g = s->c->g;
	struct expr *e = s->winner;
	int64_t stride = 1;

	for (int p = slot + 1; p < eq->n; p++)
		stride *= eq->index[p].extent;
	if (stride > 1)
		e = ex2(g, EX_FLOORDIV, e, ex_int(g, stride));
	return slot > eq->nfree ? ex2(g, EX_MOD, e, ex_int(g, eq->index[slot].extent)) : e;
}

/* Leave in a term only what the winner gives. */
static void keep_winner(struct source_equation *s, struct term *term)
{
	const struct equation *eq = s->eq;
	struct graph *g = s->c->g;
	struct index *index = arena_array(&g->ctx->arena, (size_t)eq->n, sizeof *index);
	struct expr *map[64], *wins = ex_bool(g, true);
	uint64_t used = 0, bound = 0;
	bool affine = true;

	for (int d = 0; d < term->to->rank; d++) {
		used |= term->sub[d]->slots;
		affine &= term->sub[d]->affine;
	}
	for (int p = eq->nfree; p < eq->n; p++)
		bound |= (uint64_t)1 << p;
	if (!affine)
		used &= ~bound;
	if ((used & bound) == bound) {
		wins = ex2(g, EX_EQ, s->flat, s->winner);
		term->value = ex_select(g, wins, term->value, ex_num(g, 0));
		return;
	}
	term->n = 0;
	for (int p = 0; p < eq->n; p++)
		if (p < eq->nfree || used >> p & 1) {
			map[p] = ex_index(g, term->n);
			index[term->n++] = eq->index[p];
		}
	for (int p = eq->nfree; p < eq->n; p++) /* the winner is read at free indices, which keep their slots */
		if (used >> p & 1)
			wins = ex2(g, EX_AND, wins, ex2(g, EX_EQ, map[p], winning_index(s, p)));
		else
			map[p] = winning_index(s, p);
	for (int d = 0; d < term->to->rank; d++)
		term->sub[d] = ex_substitute(g, term->sub[d], map, eq->n);
	term->value = ex_select(g, wins, ex_substitute(g, term->value, map, eq->n), ex_num(g, 0));
	term->index = index;
}

/* ---- all ---- */

static void add_term(struct source_equation *s, struct read_adjoint r)
{
	struct arena *arena = &s->c->g->ctx->arena;
	struct tensor *to = r.read->tensor;
	struct adjoint *adjoint = to->pass;
	struct term term = {.to = to, .from = s->eq->tensor, .at = s->eq->at, .n = s->eq->n, .index = s->eq->index};

	term.value = r.adjoint;
	term.keep_gather = adjoint->level != NULL; /* a scan holds no scatters */
	term.compare = adjoint->open;
	term.sub = arena_array(arena, (size_t)to->rank, sizeof *term.sub);
	for (int d = 0; d < to->rank; d++)
		term.sub[d] = r.read->arg[d];
	if (is_extremum(s->eq))
		keep_winner(s, &term);
	if (solve_term(s->c->g, &term))
		list_add(arena, &adjoint->terms, term);
}

void add_contributions(struct chain *c, const struct equation *eq, struct tensor *grad)
{
	struct graph *g = c->g;
	struct adjoint *adjoint = eq->tensor->pass;
	struct source_equation s = {.c = c, .eq = eq, .value = eq->value};
	read_adjoint_list reads = {0};
	expr_list wanted = {0};
	struct expr *seed;

	if (eq->red == RED_ARGMAX || eq->red == RED_ARGMIN)
		return;
	find_wanted_reads(g, eq->value, is_active, &wanted);
	if (!wanted.n)
		return;
	if (eq->kind == EQ_MAP)
		s.value = ex_rewrite(g, eq->value, replace_draw, NULL, &s);
	seed = eq->kind == EQ_SCATTER ? ex_read(g, grad, eq->target, NULL) : read_slots(g, grad);
	if (eq->red == RED_PROD)
		seed = ex2(g, EX_MUL, seed, product_of_others(&s));
	if (is_extremum(eq))
		find_winner(&s);
	c->value = s.value;
	c->self = s.value;
	if (eq->kind == EQ_MAP && eq->red == RED_NONE && !adjoint->scattered)
		c->self = read_slots(g, eq->tensor);
	differentiate_value(c, eq->index, seed, is_active, &reads);
	for (int i = 0; i < reads.n; i++)
		add_term(&s, reads.item[i]);
}
