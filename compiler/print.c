/* print.c - the graph as text: the language itself, restricted, and complete.
 *
 *   # graph of NAME
 *   input x[784], target label: class[10]        as in a model: the sample axis is not written
 *   setting t = 1.0
 *   param w[3, 4], frozen param s                 their values at step 0 stand in part init
 *   state h[batch, 64], state n: int
 *   const table[2, 2] = [[1, 2], [3, 4]]
 *   layer conv1 = graph()                         an instance: tensors conv1.* stand in it, or in a longer one
 *   part init { ... } part forward { ... } part inference { ... } part backward { ... } part update { ... }
 *   loss NAME = T only "w", ...                   one a goal; without `only`: every trained param
 *   output NAME = T                               tensors of part inference
 *   metric NAME = T
 *   train graph("sgd(lr=0.1)") epochs=3 steps=0 batch=32 clip=1.0 seed=7
 *
 * and in a part, each on a line:
 *
 *   T[batch, i < 10] = sum[k < 5] e               a map; e without reducers; types as section 6 finds them
 *   T[batch] = class(e, 10)                       T is class[10] although e does not say so
 *   T[batch, q < 128] = view(y)[batch, q]         a view
 *   T[label[batch] < 10, j < 5] += sum[batch, j < 5] e    a scatter: each target subscript with the axis' extent
 *   w'[i, j] = e                                  next value of a param or state; w' reads it
 *   loss T                                        in forward and inference: the batch's loss
 *   scan t < 50 { ... }                           equations of a recurrence, run for one t after the other; they have
 *                                                 an axis for t, and all extents on the left. Backwards:
 *                                                 scan t < 50, reverse = yes { ... }
 *
 * An index is written `i < n` unless an unguarded read of e has it bare as a subscript, and every such read is of an
 * axis of n. `batch` is the sample's own index, or the one a reducer takes over the samples; further indices that run
 * over the rows of the call are `r < nrows`. nrows, step, steps, epoch and steps_per_epoch are names of run-time
 * scalars; draw_uniform("site") and draw_normal("site") are draws; real(k), int(x) convert. The argmax over several
 * indices is their flat number. w.grad in the parts backward and update is the gradient of the param w, and w.m is
 * the state m that an optimiser keeps for w; where names do not tell, declarations do: state v[3] ~ gradient(w),
 * state v[3] ~ optimizer("m", w), state v ~ optimizer("t"). */
#include "print.h"
#include "expr.h"

#include <stdlib.h>
#include <string.h>

/* ---- declarations ---- */

/* The tensor's place by role, as declared; NULL: it is not declared. */
static const char *declaring_word(const struct tensor *t)
{
	switch (t->role) {
	case ROLE_INPUT: return "input";
	case ROLE_TARGET: return "target";
	case ROLE_SETTING: return "setting";
	case ROLE_PARAM: return "param";
	case ROLE_FROZEN: return "frozen param";
	case ROLE_STATE: return "state";
	case ROLE_DATA: return "const";
	default: return NULL;
	}
}

/* Name is the owner's with .part behind it. */
static bool named_after(const char *name, const struct tensor *owner, const char *part)
{
	size_t n = strlen(owner->name);

	return strncmp(name, owner->name, n) == 0 && name[n] == '.' && strcmp(name + n + 1, part) == 0;
}

static void write_shape(struct text *out, const struct tensor *t)
{
	bool implied = t->batched && (t->role == ROLE_INPUT || t->role == ROLE_TARGET);

	for (int a = implied; a < t->rank; a++) {
		text_add(out, a > implied ? ", " : "[");
		if (t->batched && a == 0)
			text_add(out, "batch");
		else
			text_printf(out, "%lld", (long long)t->axis[a].extent);
	}
	if (t->rank > implied)
		text_add(out, "]");
	else if (t->role == ROLE_DATA)
		text_add(out, "[]"); /* a tensor, not a known number */
	if (t->elem == ELEM_BOOL)
		text_add(out, ": bool");
	else if (t->elem == ELEM_INT && t->classes)
		text_printf(out, ": class[%lld]", (long long)t->classes);
	else if (t->elem == ELEM_INT)
		text_add(out, ": int");
}

static void write_element(struct text *out, const struct tensor *t, int64_t at)
{
	if (t->elem == ELEM_REAL)
		write_real(out, t->data[at], true);
	else if (t->elem == ELEM_INT)
		write_integer(out, (int64_t)t->data[at]);
	else
		text_add(out, t->data[at] != 0 ? "yes" : "no");
}

/* Elements row-major: `at` is the next one. Rows of a table stand on lines of their own. */
static void write_array(struct text *out, const struct tensor *t, int axis, int64_t *at)
{
	if (axis == t->rank) {
		write_element(out, t, (*at)++);
		return;
	}
	text_add(out, "[");
	for (int64_t i = 0; i < t->axis[axis].extent; i++) {
		if (i)
			text_add(out, axis == 0 && t->rank > 1 ? ",\n\t" : ", ");
		write_array(out, t, axis + 1, at);
	}
	text_add(out, "]");
}

static void write_declaration(struct text *out, const struct tensor *t)
{
	int64_t at = 0;

	text_printf(out, "%s ", declaring_word(t));
	write_name(out, t);
	write_shape(out, t);
	if (t->role == ROLE_SETTING) {
		text_add(out, " = ");
		write_real(out, t->setting, false);
	} else if (t->role == ROLE_DATA) {
		text_add(out, " = ");
		write_array(out, t, 0, &at);
	} else if (t->role == ROLE_STATE && t->rule && !(t->owner && named_after(t->name, t->owner, t->rule))) {
		text_add(out, " ~ optimizer(");
		write_string(out, t->rule);
		text_printf(out, "%s%s)", t->owner ? ", " : "", t->owner ? t->owner->name : "");
	}
	text_add(out, "\n");
}

static void write_gradient(struct text *out, const struct tensor *t)
{
	if (named_after(t->name, t->of, "grad"))
		return;
	text_add(out, "state ");
	write_name(out, t);
	write_shape(out, t);
	text_printf(out, " ~ gradient(%s)\n", t->of->name);
}

/* ---- the graph ---- */

struct use {
	struct graph *g;
	bool *used; /* by tensor id */
};

static void mark_read(void *user, struct expr *read) { ((struct use *)user)->used[read->tensor->id] = true; }

static void mark_reads(void *user, struct equation *eq)
{
	struct use *use = user;

	use->used[eq->tensor->id] = true;
	if (eq->kind == EQ_VIEW)
		use->used[eq->tensor->of->id] = true;
	else
		ex_visit_reads(use->g, eq->value, mark_read, use);
	for (int a = 0; eq->kind == EQ_SCATTER && a < eq->tensor->rank; a++)
		ex_visit_reads(use->g, eq->target[a], mark_read, use);
}

/* Tensors that something defines, reads or shows; the others went out of use in some pass. */
static bool *find_used(struct graph *g)
{
	struct use use = {g, arena_array(&g->ctx->arena, (size_t)g->tensors.n, sizeof(bool))};

	for (int part = 0; part < PART_COUNT; part++)
		visit_equations(g->part[part].item, g->part[part].n, mark_reads, &use);
	for (int i = 0; i < g->outputs.n; i++)
		use.used[g->outputs.item[i].value->id] = true;
	for (int i = 0; i < g->metrics.n; i++)
		use.used[g->metrics.item[i].value->id] = true;
	return use.used;
}

/* Inference and the rest have names of their own, but a constant is declared for both. So where both have an equal one
 * by the same name, one declaration stands for both; a name that is something else's as well is made new.
 * Clears `used` of those that need no declaration. */
static void settle_data(struct graph *g, bool *used)
{
	for (int i = 0; i < g->tensors.n; i++) {
		struct tensor *t = g->tensors.item[i];

		for (int k = 0; k < g->tensors.n && t->role == ROLE_DATA && used[i]; k++) {
			const struct tensor *other = g->tensors.item[k];

			if (k == i || strcmp(t->name, other->name) != 0)
				continue;
			if (other->role != ROLE_DATA || (k < i && !same_data(t, other)))
				graph_rename(g, t, t->name);
			else if (k < i && used[k])
				used[i] = false;
		}
	}
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct table_entry *)a)->key, ((const struct table_entry *)b)->key);
}

/* Instances, which give their name to what stands in them, by name: tensors read back may be in another order. A param
 * that an optimiser keeps tensors for needs no line. */
static void write_layers(struct graph *g, const bool *used, struct text *out)
{
	struct table layers = {.arena = &g->ctx->arena};

	for (int i = 0; i < g->tensors.n; i++) {
		const struct tensor *t = g->tensors.item[i], *param = table_get(&g->names, t->layer);
		size_t n = strlen(t->layer);

		if (n && used[i] && strncmp(t->name, t->layer, n) == 0 && t->name[n] == '.' &&
		    (!param || param->role != ROLE_PARAM))
			table_set(&layers, t->layer, g);
	}
	if (layers.entries.n)
		qsort(layers.entries.item, (size_t)layers.entries.n, sizeof *layers.entries.item, compare_entries);
	for (int i = 0; i < layers.entries.n; i++)
		text_printf(out, "layer %s = graph()\n", layers.entries.item[i].key);
}

static void write_declarations(struct graph *g, struct text *out)
{
	bool *used = find_used(g);

	settle_data(g, used);
	for (int i = 0; i < g->tensors.n; i++) {
		const struct tensor *t = g->tensors.item[i];

		if (declaring_word(t) && (t->role != ROLE_DATA || used[i]))
			write_declaration(out, t);
	}
	for (int i = 0; i < g->grads.n; i++)
		write_gradient(out, g->grads.item[i]);
	write_layers(g, used, out);
}

static void write_equations(struct printer *p, struct equation *const *eq, int n, int indent)
{
	for (int i = 0; i < n; i++) {
		text_printf(p->out, "%.*s", indent, "\t\t\t\t\t\t\t\t");
		write_equation(p, eq[i]);
		if (eq[i]->kind == EQ_SCAN) {
			text_add(p->out, " {\n");
			p->in_scan = true;
			write_equations(p, eq[i]->scan->body, eq[i]->scan->n, indent + 1);
			p->in_scan = indent > 1;
			text_printf(p->out, "%.*s}", indent, "\t\t\t\t\t\t\t\t");
		}
		text_add(p->out, "\n");
	}
}

static void write_part(struct graph *g, enum part part, struct text *out)
{
	const struct tensor *loss = part == PART_FORWARD ? g->loss : part == PART_INFERENCE ? g->inference_loss : NULL;
	struct printer p = {.g = g, .out = out, .limit = SIZE_MAX};

	if (!g->part[part].n && !loss)
		return;
	text_printf(out, "part %s {\n", part_name(part));
	write_equations(&p, g->part[part].item, g->part[part].n, 1);
	if (loss) {
		text_add(out, "\tloss ");
		write_name(out, loss);
		text_add(out, "\n");
	}
	text_add(out, "}\n");
}

static void write_result(struct text *out, const char *word, const char *name, const struct tensor *value)
{
	text_printf(out, "%s %s = ", word, name);
	write_name(out, value);
}

/* All trained params, as a goal without `only` has them. */
static bool covers_all(const struct graph *g, const struct goal *goal)
{
	int trained = 0;

	for (int i = 0; i < g->tensors.n; i++)
		trained += g->tensors.item[i]->role == ROLE_PARAM;
	return goal->params.n == trained;
}

static void write_results(struct graph *g, struct text *out)
{
	for (int i = 0; i < g->goals.n; i++) {
		const struct goal *goal = &g->goals.item[i];

		write_result(out, "loss", goal->name, goal->value);
		for (int k = 0; k < goal->params.n && !covers_all(g, goal); k++) {
			text_add(out, k ? ", " : " only ");
			write_string(out, goal->params.item[k]->name);
		}
		text_add(out, "\n");
	}
	for (int i = 0; i < g->outputs.n; i++) {
		write_result(out, "output", g->outputs.item[i].name, g->outputs.item[i].value);
		text_add(out, "\n");
	}
	for (int i = 0; i < g->metrics.n; i++) {
		write_result(out, "metric", g->metrics.item[i].name, g->metrics.item[i].value);
		text_add(out, "\n");
	}
}

/* The batch is always needed to read the text back, a rule only where the model is trained. */
static void write_training(const struct graph *g, struct text *out)
{
	const struct training *t = &g->training;

	text_add(out, t->given ? "train graph(" : "train none(");
	if (t->given && t->rule)
		write_string(out, t->rule);
	text_add(out, ")");
	if (t->epochs)
		text_printf(out, " epochs=%lld", (long long)t->epochs);
	if (t->steps)
		text_printf(out, " steps=%lld", (long long)t->steps);
	text_printf(out, " batch=%lld", (long long)g->batch);
	if (t->clip != 0) {
		text_add(out, " clip=");
		write_real(out, t->clip, false);
	}
	if (t->ordered)
		text_add(out, " shuffle=no");
	if (t->seed)
		text_printf(out, " seed=%llu", (unsigned long long)t->seed);
	text_add(out, "\n");
}

void print_graph(struct graph *g, struct text *out)
{
	text_printf(out, "# graph of %s\n", g->name);
	write_declarations(g, out);
	for (int part = 0; part < PART_COUNT; part++)
		write_part(g, part, out);
	write_results(g, out);
	write_training(g, out);
}
