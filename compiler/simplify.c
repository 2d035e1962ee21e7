/* simplify.c - algebra across equations, and the removal of what nothing needs.
 *
 * Expressions are simplified as they are made (fold.c). Here equations are: copies, constants and equal equations
 * disappear in their readers (propagate.c), element-wise producers in their only reader (inline.c), what no row changes
 * in weights (absorb.c), and equations that no result depends on are removed. Each step is one walk over the equations
 * in order; they are repeated until nothing changes. At last what the place of a maximum chooses is read from the
 * maximum (winner.c), sums of sums become one (join.c), factors that all elements share are gathered (uniform.c), and
 * slopes are found where their functions are (slope.c). */
#include "simplify.h"

#include "chain.h"
#include "expr.h"

/* ---- stop(x) ---- */

static struct expr *drop_stop(void *user, const struct expr *old, struct expr *rebuilt)
{
	(void)user;
	(void)old;
	return rebuilt->op == EX_STOP ? rebuilt->arg[0] : rebuilt;
}

static void drop_stops_in(void *user, struct equation *eq)
{
	if (eq->value && ex_has(eq->value, EX_STOP))
		eq->value = ex_rewrite(user, eq->value, NULL, drop_stop, NULL);
}

void drop_stops(struct graph *g)
{
	for (int p = 0; p < PART_COUNT; p++)
		visit_equations(g->part[p].item, g->part[p].n, drop_stops_in, g);
}

/* ---- what is used ---- */

static void fix(struct tensor *t)
{
	if (t)
		usage_of(t)->fixed = true;
}

struct usage_search {
	struct arena *arena;
	int part;
};

static void note_definition(void *user, struct equation *eq)
{
	const struct usage_search *s = user;
	struct usage *u = usage_of(eq->tensor);

	u->definitions++;
	u->definition = eq;
	u->part = s->part;
	list_add(s->arena, &u->equations, eq);
}

void find_usage(struct graph *g)
{
	struct arena *arena = &g->ctx->arena;

	while (g->usage.n < g->tensors.n)
		list_add(arena, &g->usage, (struct usage){false});
	for (int i = 0; i < g->tensors.n; i++) {
		struct tensor *t = g->tensors.item[i];
		struct usage *u = &g->usage.item[i];

		*u = (struct usage){.equations = u->equations};
		u->equations.n = 0;
		t->pass = u;
		u->fixed = t->role != ROLE_VALUE && t->role != ROLE_VIEW;
	}
	fix(g->loss);
	fix(g->inference_loss);
	for (int i = 0; i < g->goals.n; i++)
		fix(g->goals.item[i].value);
	for (int i = 0; i < g->outputs.n; i++)
		fix(g->outputs.item[i].value);
	for (int i = 0; i < g->metrics.n; i++)
		fix(g->metrics.item[i].value);
	for (int p = 0; p < PART_COUNT; p++)
		visit_equations(g->part[p].item, g->part[p].n, note_definition, &(struct usage_search){arena, p});
}

/* ---- dead equations ---- */

struct liveness {
	struct arena *arena;
	LIST(struct tensor *) waiting;
};

static void need(struct liveness *live, struct tensor *t)
{
	if (usage_of(t)->live)
		return;
	usage_of(t)->live = true;
	list_add(live->arena, &live->waiting, t);
}

static void need_read(void *user, struct expr *read) { need(user, read->tensor); }

static void need_equation(struct graph *g, struct liveness *live, const struct equation *eq)
{
	if (eq->kind == EQ_VIEW)
		need(live, eq->tensor->of);
	if (eq->value)
		ex_visit_reads(g, eq->value, need_read, live);
	for (int d = 0; eq->target && d < eq->tensor->rank; d++)
		ex_visit_reads(g, eq->target[d], need_read, live);
}

/* The living of n equations, to the front; how many. A scan lives if anything in it does. */
static int keep_living(struct equation **item, int n)
{
	int kept = 0;

	for (int i = 0; i < n; i++) {
		struct scan *scan = item[i]->scan;

		if (item[i]->kind == EQ_SCAN)
			scan->n = keep_living(scan->body, scan->n);
		if (item[i]->kind == EQ_SCAN ? scan->n > 0 : usage_of(item[i]->tensor)->live)
			item[kept++] = item[i];
	}
	return kept;
}

void remove_dead(struct graph *g)
{
	struct liveness live = {.arena = &g->ctx->arena};

	for (int i = 0; i < g->tensors.n; i++) {
		struct usage *u = usage_of(g->tensors.item[i]);

		u->live = false;
		if (u->fixed)
			need(&live, g->tensors.item[i]);
	}
	while (live.waiting.n) {
		const struct usage *u = usage_of(live.waiting.item[--live.waiting.n]);

		for (int i = 0; i < u->equations.n; i++)
			need_equation(g, &live, u->equations.item[i]);
	}
	for (int p = 0; p < PART_COUNT; p++)
		g->part[p].n = keep_living(g->part[p].item, g->part[p].n);
}

/* Changes whenever an equation does. Expressions are kept once, so their ids stand for them. */
static void add_to_fingerprint(void *user, struct equation *eq)
{
	uint64_t *print = user;

	*print = (*print ^ eq->tensor->id) * 0x9E3779B97F4A7C15u;
	*print = (*print ^ (eq->value ? eq->value->id : 0)) * 0x9E3779B97F4A7C15u;
	for (int a = 0; eq->kind == EQ_SCATTER && a < eq->tensor->rank; a++)
		*print = (*print ^ eq->target[a]->id) * 0x9E3779B97F4A7C15u;
	*print = (*print ^ ((uint64_t)eq->red << 16 | (uint64_t)eq->n)) * 0x9E3779B97F4A7C15u;
	*print ^= *print >> 29;
}

static uint64_t fingerprint(struct graph *g)
{
	uint64_t print = 1;

	for (int p = 0; p < PART_COUNT; p++)
		visit_equations(g->part[p].item, g->part[p].n, add_to_fingerprint, &print);
	return print;
}

/* Copies, constants and equals disappear in their readers, producers in their only one. */
static void merge(struct graph *g)
{
	propagate(g);
	find_usage(g);
	remove_dead(g);
	inline_producers(g);
	find_usage(g);
	remove_dead(g);
}

static void run(struct graph *g, bool known)
{
	enum { MAX_ROUNDS = 8 };
	bool strict = g->ctx->options->fp == NNC_FP_STRICT; /* operations stay as they were written */
	uint64_t before;

	drop_stops(g);
	find_usage(g);
	remove_dead(g);
	for (int round = 0; round < MAX_ROUNDS; round++) {
		before = fingerprint(g);
		merge(g);
		if (fingerprint(g) == before && (strict || !absorb(g, known)))
			break;
		find_usage(g);
	}
	find_usage(g);
	read_winners(g);
	if (strict)
		return;
	find_usage(g);
	join_sums(g);
	find_usage(g);
	remove_dead(g);
	gather_uniform_factors(g);
	find_usage(g);
	if (find_slopes_early(g)) { /* what they are of may have one reader left */
		find_usage(g);
		merge(g);
	}
}

void simplify_known(struct graph *g) { run(g, true); }

/* Requires: a graph whose chain rule has run, or needs none.
 * Keeps: the values of all tensors that have a role or that the graph names, and their names.
 * Breaks: equations and tensors of ROLE_VALUE and ROLE_VIEW may be gone from the parts (they stay in g->tensors).
 *
 * What one walk removes gives the next one more to do: two readers become one, a product of constants a number. So they
 * are repeated until nothing changes; then the graph's text, read back, is left as it is. */
void simplify(struct graph *g) { run(g, false); }
