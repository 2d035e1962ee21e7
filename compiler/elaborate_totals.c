/* elaborate_totals.c - what a total over the evaluated set (`data`) may be used for, and metrics as totals.
 *
 * Metrics alone can wait for the whole set. So part forward loses what the metrics' formulas have left there, part
 * inference may have no total that an output or the loss reads, and a metric that differs from sample to sample, or
 * from call to call, becomes its mean over the samples of the set. */
#include "elaborate.h"

/* A total, for messages: that of the least pass. */
static const struct tensor *first_total(const struct graph *g, const struct known_when *when)
{
	const struct tensor *first = NULL;
	for (int i = 0; i < g->tensors.n; i++) {
		const struct tensor *t = g->tensors.item[i];
		if (t->total && when[t->id].pass && (!first || when[t->id].pass < when[first->id].pass))
			first = t;
	}
	return first;
}

static void refuse(struct elaborator *E, struct span at, const struct known_when *when, const char *what,
		   const char *name)
{
	const struct tensor *total = first_total(E->g, when);
	fail(E, at, "%s '%s' depends on a total over `data`, which is for metrics only", what, name);
	if (total && total->at.src)
		report_note(E->ctx, total->at, "the total is here; a mean over the rows of a step is mean[batch]");
}

/* Next values, which move in every call, and in scans. */
static void check_equation(struct elaborator *E, const struct known_when *when, const struct equation *eq)
{
	if (eq->kind == EQ_SCAN) {
		for (int i = 0; i < eq->scan->n; i++)
			check_equation(E, when, eq->scan->body[i]);
	} else if (eq->tensor->role == ROLE_NEXT && when[eq->tensor->id].pass) {
		refuse(E, eq->at, when, "the next value of", eq->tensor->of->name);
	}
}

static bool waits(const struct known_when *when, const struct equation *eq)
{
	bool all = eq->kind == EQ_SCAN && eq->scan->n;
	for (int i = 0; all && i < eq->scan->n; i++)
		all = waits(when, eq->scan->body[i]);
	return eq->kind == EQ_SCAN ? all : when[eq->tensor->id].pass > 0;
}

/* Training goes through no evaluated set: part forward without what waits for its end. */
void drop_totals(struct elaborator *E)
{
	equation_list *list = &E->g->part[PART_FORWARD];
	const struct known_when *when = find_passes(E->g, list);
	int kept = 0;
	for (int i = 0; i < E->goals.n; i++)
		if (when[E->goals.item[i].value->id].pass)
			refuse(E, E->goals.item[i].value->at, when, "loss", E->goals.item[i].name);
	for (int i = 0; i < list->n; i++) {
		check_equation(E, when, list->item[i]);
		if (!waits(when, list->item[i]))
			list->item[kept++] = list->item[i];
	}
	list->n = kept;
}

/* The equations of the mean over the samples of the set, each element by itself. */
static struct tensor *mean_over_data(struct elaborator *E, struct tensor *t, const char *name)
{
	struct graph *g = E->g;
	struct expr *own[64], *all[64];
	struct index index[64];
	static const char *const letters[] = {"i", "j", "k", "l", "m", "p", "q", "r"};
	int n = t->rank - t->batched;
	for (int a = 0; a < n; a++) {
		index[a] = (struct index){letters[a], t->axis[a + t->batched].extent, false};
		own[a] = ex_index(g, a);
		all[a + t->batched] = own[a];
	}
	index[n] = (struct index){"data", g->batch, true};
	if (t->batched)
		all[0] = ex_index(g, n);
	struct tensor *sum = graph_tensor(g, ROLE_VALUE, join_path(E, name, "sum"), ELEM_REAL, false, n,
					  t->axis + t->batched, t->at);
	struct tensor *mean = graph_tensor(g, ROLE_VALUE, join_path(E, name, "mean"), ELEM_REAL, false, n,
					   t->axis + t->batched, t->at);
	sum->total = true;
	sum->layer = mean->layer = t->layer;
	emit_equation(E, graph_equation(g, sum, RED_SUM, n, n + 1, index, ex_real(g, ex_read(g, t, all, NULL)), t->at));
	struct expr *ratio = ex2(g, EX_DIV, ex_read(g, sum, own, NULL), ex_real(g, ex_run(g, RUN_DATA)));
	emit_equation(E, graph_equation(g, mean, RED_NONE, n, n, index, ratio, t->at));
	return mean;
}

/* Of part inference, when all its text has been run. */
void finish_metrics(struct elaborator *E)
{
	struct graph *g = E->g;
	equation_list *list = &g->part[PART_INFERENCE];
	const struct known_when *when = find_passes(g, list);
	for (int i = 0; i < list->n; i++)
		check_equation(E, when, list->item[i]);
	for (int i = 0; i < g->outputs.n; i++)
		if (when[g->outputs.item[i].value->id].pass)
			refuse(E, g->outputs.item[i].value->at, when, "output", g->outputs.item[i].name);
	if (E->ctx->errors)
		return;
	for (int i = 0; i < g->metrics.n; i++) {
		struct metric *m = &g->metrics.item[i];
		const struct known_when own = when[m->value->id];
		if (own.pass + own.rows > MAX_PASSES)
			fail(E, m->value->at,
			     "metric '%s' would need %d passes over the data: a total of a total of a total; at most "
			     "%d are possible",
			     m->name, own.pass + own.rows, (int)MAX_PASSES);
		else if (own.rows)
			m->value = mean_over_data(E, m->value, m->name);
	}
}
