/* elaborate_reduce.c - reducers: sum[i, j] e, in an equation or alone; sum(x) of a whole tensor; sums over params. */
#include "elaborate.h"
#include "elaborate_building.h"
#include "elaborate_train.h"

#include <string.h>

static enum reducer reducer_of(const char *name, bool *mean)
{
	static const char *const names[] = {"", "sum", "prod", "max", "min", "argmax", "argmin"};
	*mean = !strcmp(name, "mean");
	for (int r = RED_SUM; r <= RED_ARGMIN; r++)
		if (!strcmp(names[r], name))
			return (enum reducer)r;
	return RED_SUM; /* mean */
}

/* Whether a reducer's samples are those of the whole evaluated set. */
static bool reduces_data(const struct node *items)
{
	for (int i = 0; i < items->n; i++)
		if (items->kid[i]->kind == NODE_NAME && !strcmp(items->kid[i]->name, "data"))
			return true;
	return false;
}

/* The samples' index of a reducer over the batch or the data. It stands among the other slots where it is written,
 * first or last, since that is the order in which the terms are added. */
static void bind_batch(struct elaborator *E, bool data, struct span at)
{
	int s = add_slot(E, NULL, E->g->batch, true, at);
	if (s < 0)
		return;
	E->eq->slot[s] = (struct slot){.name = data ? "data" : "batch",
				       .extent = E->g->batch,
				       .rows = true,
				       .data = data,
				       .bound = true,
				       .scope = E->scope};
	E->eq->batch_slot = s;
}

static struct value reduce(struct elaborator *E, const struct node *n)
{
	struct building *b = E->eq;
	bool mean, over_batch = false, total = reduces_data(n->kid[0]);
	enum reducer red = reducer_of(n->name, &mean);
	if (total && red != RED_SUM && red != RED_MIN && red != RED_MAX) {
		fail(E, n->at, "`data` is reduced by sum, mean, min and max, not by %s", n->name);
		return error_value();
	}
	if (total && E->scans) {
		fail(E, n->at, "`data` is not an index inside a scan: reduce over it behind the scan");
		return error_value();
	}
	int first = b->n, dots = b->dots.n, old_batch = b->batch_slot, slot[64], count;
	bool leads = is_samples_index(n->kid[0]->kid[0]);
	if (leads)
		bind_batch(E, total, n->kid[0]->at);
	bool ok = declare_indices(E, n->kid[0], true, slot, &count, &over_batch);
	if (ok && over_batch && !leads)
		bind_batch(E, total, n->kid[0]->at);
	struct value term = ok ? eval(E, n->kid[1]) : error_value();
	if (term.kind != VAL_ERROR && !to_indexed(E, n->kid[1]->at, &term))
		term = error_value();
	uint64_t bound = 0;
	for (int i = first; i < b->n; i++) {
		/* nested reducers have closed theirs: what is still open here is ours */
		if (b->slot[i].visible || (b->slot[i].rows && i == b->batch_slot && over_batch))
			bound |= (uint64_t)1 << i;
		b->slot[i].visible = false;
	}
	int here = b->batch_slot;
	b->batch_slot = old_batch;
	for (int i = dots; i < b->dots.n; i++)
		if (b->dots.item[i].n < 0 && term.kind != VAL_ERROR) {
			fail(E, b->dots.item[i].at, "'..' is read nowhere under this reducer");
			term = error_value();
		}
	b->dots.n = dots;
	if (term.kind == VAL_ERROR)
		return term;
	bool arg = red == RED_ARGMAX || red == RED_ARGMIN;
	if (arg && !E->graph_text && (count != 1 || over_batch)) {
		fail(E, n->at, "%s takes one index", n->name);
		return error_value();
	}
	struct expr *e = term.expr;
	if (e->elem == ELEM_BOOL)
		e = ex1(E->g, EX_TO_INT, e);
	if (mean)
		e = ex_real(E->g, e);
	struct pending p = {.red = red, .value = e, .bound = bound, .total = total, .batch_slot = here, .at = n->at};
	p.tensor = placeholder(E, role_name(E, mean ? "sum" : n->name), arg ? ELEM_INT : e->elem, n->at);
	struct value out = add_pending(E, p, mean);
	if (arg)
		out.classes =
			-E->eq->pending.n; /* as many as there are terms, once that is known: of pending -1 - classes */
	else if (red == RED_MAX || red == RED_MIN)
		out.classes = term.classes > 0 ? term.classes : 0;
	return out;
}

/* sum[p in "*.weight"] e: over the trained params whose name fits; e is evaluated for each. */
static struct value reduce_params(struct elaborator *E, const struct node *n)
{
	const struct node *match = n->kid[0]->kid[0];
	const char *pattern = match->kid[0]->name;
	if (n->kid[0]->n != 1 || strcmp(n->name, "sum")) {
		fail(E, n->at, "params are reduced as sum[p in \"pattern\"] e");
		return error_value();
	}
	struct value total = int_value(0);
	bool any = false;
	struct building *saved = E->eq;
	E->eq = NULL;
	for (int i = 0; i < E->params.entries.n && total.kind != VAL_ERROR; i++) {
		struct tensor *t = E->params.entries.item[i].value;
		if (t->role != ROLE_PARAM || !matches(pattern, t->name))
			continue;
		struct tensor *grad = NULL;
		for (int k = 0; k < E->g->grads.n; k++)
			if (E->g->grads.item[k]->of == t)
				grad = rule_gradient(E, k);
		if (E->part == PART_UPDATE && !grad)
			continue;
		bind(E, match->name, tensor_value(E, t), match->at);
		if (grad)
			bind(E, join_path(E, match->name, "grad"), tensor_value(E, grad), match->at);
		struct value v = eval(E, n->kid[1]);
		total = v.kind == VAL_ERROR ? v : !any ? v : lift(E, n->at, EX_ADD, 2, (struct value[]){total, v});
		any = true;
	}
	E->eq = saved;
	if (!any && total.kind != VAL_ERROR) {
		fail(E, match->at, "no trained parameter's name fits \"%s\"", pattern);
		return error_value();
	}
	return total;
}

struct value eval_reduce(struct elaborator *E, const struct node *n)
{
	if (n->kid[0]->n && n->kid[0]->kid[0]->kind == NODE_MATCH)
		return reduce_params(E, n);
	if (E->eq)
		return reduce(E, n);
	struct building b;
	begin_equation(E, &b);
	struct value v = reduce(E, n);
	v = finish_equation(E, v, NULL, 0, false, NULL, role_name(E, n->name), n->at);
	E->eq = NULL;
	return v;
}

/* sum(x), mean(x) ...: over all axes of one sample. */
struct value whole_reduce(struct elaborator *E, struct span at, enum reducer red, struct value v, bool mean)
{
	static const char *const role[] = {"value", "sum", "product", "max", "min", "argmax", "argmin"};
	v = as_tensor(E, &v);
	at = user_place(E, at);
	if (v.kind != VAL_TENSOR || own_rank(&v) == 0)
		return v;
	int leading = lead_rank(v.lead);
	enum elem elem = v.expr->elem == ELEM_BOOL ? ELEM_INT : v.expr->elem;
	struct tensor *t =
		graph_tensor(E->g, ROLE_VALUE, role_name(E, role[red]), elem, is_batched(&v), leading, v.axis, at);
	t->layer = E->scope->path;
	struct index index[64];
	whole_index(E, &v, index);
	struct expr *count = ex_num(E->g, 1);
	for (int i = leading; i < v.rank; i++)
		count = ex2(E->g, EX_MUL, count,
			    v.axis[i].rows ? ex_real(E->g, ex_run(E->g, RUN_ROWS))
					   : ex_num(E->g, (double)v.axis[i].extent));
	struct expr *e = v.expr->elem == ELEM_BOOL ? ex1(E->g, EX_TO_INT, v.expr) : v.expr;
	emit_equation(E, graph_equation(E->g, t, red, leading, v.rank, index, e, at));
	struct value out = tensor_value(E, t);
	out.lead = v.lead;
	return mean ? lift(E, at, EX_DIV, 2, (struct value[]){out, {.kind = VAL_TENSOR, .expr = count}}) : out;
}
