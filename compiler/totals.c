/* totals.c - values that need the whole evaluated set.
 *
 * A set is gone through call by call, some rows at a time. A total, T[i] = sum[data] f(i), takes in what every call
 * finds; what reads it can be known only when all rows have been seen. A total of something that reads a total is
 * known after a second pass over the rows, and so on. What depends on the rows of a call, as every value of a sample
 * does, is no result of the set: only a total of it is. */
#include "graph.h"

struct walk {
	struct graph *g;
	struct known_when *when;
	struct known_when here; /* of the equation that is looked at */
};

static void include(struct walk *w, const struct tensor *t)
{
	const struct known_when *read = &w->when[t->id];

	if (w->here.pass < read->pass)
		w->here.pass = read->pass;
	w->here.rows |= read->rows;
}

static void look_at(struct walk *w, const struct expr *e)
{
	if (e->op == EX_READ)
		include(w, e->tensor);
	w->here.rows |= e->op == EX_RUN && e->run == RUN_ROWS;
	if (e->op == EX_RUN && e->run == RUN_DATA && w->here.pass < 1)
		w->here.pass = 1;
	for (int k = 0; k < e->n; k++)
		look_at(w, e->arg[k]);
}

static void follow(void *user, struct equation *eq)
{
	struct walk *w = user;

	w->here = w->when[eq->tensor->id]; /* others may add to the same tensor */
	for (int p = 0; p < eq->n; p++)
		w->here.rows |= eq->index[p].rows;
	if (eq->kind == EQ_VIEW)
		include(w, eq->tensor->of);
	if (eq->value)
		look_at(w, eq->value);
	for (int d = 0; eq->kind == EQ_SCATTER && d < eq->tensor->rank; d++)
		look_at(w, eq->target[d]);
	if (eq->tensor->total)
		w->here = (struct known_when){.pass = w->here.pass + 1};
	w->when[eq->tensor->id] = w->here;
}

/* Requires: equations in order. A total is defined once. */
struct known_when *find_passes(struct graph *g, const equation_list *eqs)
{
	struct walk w = {.g = g, .when = arena_array(&g->ctx->arena, (size_t)g->tensors.n + 1, sizeof *w.when)};

	for (int i = 0; i < g->tensors.n; i++) {
		const struct tensor *t = g->tensors.item[i];

		w.when[t->id].rows = t->role == ROLE_INPUT || t->role == ROLE_TARGET || t->batched;
	}
	for (int i = 0; i < eqs->n; i++) {
		if (eqs->item[i]->kind != EQ_SCAN) {
			follow(&w, eqs->item[i]);
			continue;
		}
		for (int round = 0; round < 2; round++) /* in a scan, equations read what stands behind them */
			visit_equations(&eqs->item[i], 1, follow, &w);
	}
	return w.when;
}
