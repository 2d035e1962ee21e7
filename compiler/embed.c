/* embed.c - weights that are known while compiling, in code that trains nothing.
 *
 * What depends on params and on states that stay as they are is then a number like them. It is computed here, from the
 * weights to be embedded: a batch normalisation goes into the weights of the layer before it (absorb.c), a weight that
 * has a length of its own becomes a plain one. The result is a graph of its own whose params are these values, and the
 * weights that belong to it; params and states that nothing reads any more are gone. */
#include "embed.h"

#include "emit_parts.h"
#include "evaluate.h"
#include "expr.h"
#include "simplify.h"

#include <string.h>

struct embedding {
	struct graph *from, *g;
	struct arena *arena;
	size_t real;	 /* bytes of a real number */
	double **values; /* of tensors that are known, by id */
	bool *used;	 /* by id: something that is left reads it */
	bool any;	 /* something was computed */
};

/* ---- a graph of its own ---- */

static struct tensor *copy_of(const struct embedding *m, const struct tensor *t)
{
	return t ? m->g->tensors.item[t->id] : NULL;
}

static struct expr *read_copy(void *user, struct expr *read)
{
	const struct embedding *m = user;
	int n = read->tensor->rank;

	return ex_read(m->g, copy_of(m, read->tensor), read->arg, read->guarded ? read->arg[n] : NULL);
}

static struct equation *copy_equation(struct embedding *m, const struct equation *eq)
{
	struct equation *copy = arena_alloc(m->arena, sizeof *copy);

	*copy = *eq;
	copy->tensor = copy_of(m, eq->tensor);
	if (eq->value)
		copy->value = ex_map_reads(m->g, eq->value, read_copy, m);
	if (eq->index) {
		copy->index = arena_array(m->arena, (size_t)eq->n + 1, sizeof *copy->index);
		memcpy(copy->index, eq->index, (size_t)eq->n * sizeof *copy->index);
	}
	if (eq->target) {
		copy->target = arena_array(m->arena, (size_t)eq->tensor->rank + 1, sizeof *copy->target);
		for (int d = 0; d < eq->tensor->rank; d++)
			copy->target[d] = ex_map_reads(m->g, eq->target[d], read_copy, m);
	}
	if (eq->kind == EQ_SCAN) {
		copy->scan = arena_alloc(m->arena, sizeof *copy->scan);
		*copy->scan = *eq->scan;
		copy->scan->body = arena_array(m->arena, (size_t)eq->scan->n + 1, sizeof *copy->scan->body);
		for (int i = 0; i < eq->scan->n; i++)
			copy->scan->body[i] = copy_equation(m, eq->scan->body[i]);
	}
	return copy;
}

static void copy_table(struct table *to, const struct table *from)
{
	*to = (struct table){.arena = from->arena};
	for (int i = 0; i < from->entries.n; i++)
		table_set(to, from->entries.item[i].key, from->entries.item[i].value);
}

/* Part inference with tensors and equations of its own; expressions are the same ones but for what they read. */
static void copy_graph(struct embedding *m)
{
	const struct graph *from = m->from;
	struct graph *g = m->g = arena_alloc(m->arena, sizeof *g);

	*g = *from;
	memset(&g->tensors, 0, sizeof g->tensors);
	memset(&g->usage, 0, sizeof g->usage);
	memset(g->part, 0, sizeof g->part);
	memset(&g->outputs, 0, sizeof g->outputs);
	memset(&g->metrics, 0, sizeof g->metrics);
	memset(&g->goals, 0, sizeof g->goals);
	memset(&g->grads, 0, sizeof g->grads);
	copy_table(&g->names, &from->names);
	copy_table(&g->every_name, &from->every_name);
	for (int i = 0; i < from->tensors.n; i++) {
		struct tensor *t = arena_alloc(m->arena, sizeof *t);

		*t = *from->tensors.item[i];
		list_add(m->arena, &g->tensors, t);
	}
	for (int i = 0; i < g->tensors.n; i++) {
		g->tensors.item[i]->of = copy_of(m, g->tensors.item[i]->of);
		g->tensors.item[i]->owner = copy_of(m, g->tensors.item[i]->owner);
	}
	for (int i = 0; i < from->part[PART_INFERENCE].n; i++)
		list_add(m->arena, &g->part[PART_INFERENCE], copy_equation(m, from->part[PART_INFERENCE].item[i]));
	g->loss = NULL;
	g->inference_loss = copy_of(m, from->inference_loss);
	for (int i = 0; i < from->outputs.n; i++) {
		struct output output = {from->outputs.item[i].name, copy_of(m, from->outputs.item[i].value)};

		list_add(m->arena, &g->outputs, output);
	}
	for (int i = 0; i < from->metrics.n; i++) {
		struct metric metric = {from->metrics.item[i].name, copy_of(m, from->metrics.item[i].value)};

		list_add(m->arena, &g->metrics, metric);
	}
}

/* ---- the bytes of the generated structs ---- */

static void read_numbers(const struct embedding *m, double *to, enum elem elem, const char *from, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (elem != ELEM_REAL)
			to[i] = (double)((const int32_t *)from)[i];
		else
			to[i] = m->real == 4 ? (double)((const float *)from)[i] : ((const double *)from)[i];
}

static void write_numbers(const struct embedding *m, char *to, enum elem elem, const double *from, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (elem != ELEM_REAL)
			((int32_t *)to)[i] = (int32_t)from[i];
		else if (m->real == 4)
			((float *)to)[i] = (float)from[i];
		else
			((double *)to)[i] = from[i];
}

typedef void number_fn(struct embedding *m, struct tensor *t, char *at);

/* Calls fn for each param, in the order of the struct. Returns the bytes. */
static size_t visit_params(struct embedding *m, struct graph *g, char *at, number_fn *fn)
{
	size_t size = 0;

	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < g->tensors.n; i++) {
			struct tensor *t = g->tensors.item[i];

			if (t->role != (pass ? ROLE_FROZEN : ROLE_PARAM))
				continue;
			if (fn)
				fn(m, t, at + size);
			size += (size_t)tensor_size(t) * m->real;
		}
	return size;
}

/* The same for settings and the states that the model keeps itself, which stand behind the run. */
static size_t visit_states(struct embedding *m, struct graph *g, char *at, number_fn *fn)
{
	size_t size = RUN_SIZE;

	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < g->tensors.n; i++) {
			struct tensor *t = g->tensors.item[i];
			size_t element = (size_t)elem_size(t->elem, (int64_t)m->real);

			if (t->role != (pass ? ROLE_STATE : ROLE_SETTING) || is_optimiser_state(t))
				continue;
			size = (size + element - 1) / element * element;
			if (fn)
				fn(m, t, at + size);
			size += (size_t)tensor_size(t) * element;
		}
	return size;
}

static void take_values(struct embedding *m, struct tensor *t, char *at)
{
	int64_t n = tensor_size(t);

	m->values[t->id] = arena_array(m->arena, (size_t)n, sizeof(double));
	read_numbers(m, m->values[t->id], t->elem, at, n);
}

static void give_values(struct embedding *m, struct tensor *t, char *at)
{
	write_numbers(m, at, t->elem, m->values[t->id], tensor_size(t));
}

/* ---- what is known ---- */

/* Compute what params only are in, and take its equations out. */
static void compute_known(struct embedding *m)
{
	equation_list *list = &m->g->part[PART_INFERENCE], left = {0};

	for (int i = 0; i < list->n; i++) {
		struct equation *eq = list->item[i];
		double *values = NULL;

		if (eq->kind == EQ_MAP && usage_of(eq->tensor)->of_params && !usage_of(eq->tensor)->fixed &&
		    usage_of(eq->tensor)->definitions == 1 && eq->tensor->elem == ELEM_REAL)
			values = evaluate_equation(m->g, eq, m->values);
		if (!values) {
			list_add(m->arena, &left, eq);
			continue;
		}
		eq->tensor->role = ROLE_PARAM;
		m->values[eq->tensor->id] = values;
		m->any = true;
	}
	*list = left;
}

static void use(struct embedding *m, const struct tensor *t)
{
	for (; t && !m->used[t->id]; t = t->role == ROLE_VIEW || t->role == ROLE_NEXT ? t->of : NULL)
		m->used[t->id] = true;
}

static void use_read(void *user, struct expr *read) { use(user, read->tensor); }

static void use_reads(void *user, struct equation *eq)
{
	struct embedding *m = user;

	use(m, eq->tensor);
	if (eq->value)
		ex_visit_reads(m->g, eq->value, use_read, m);
	for (int d = 0; eq->target && d < eq->tensor->rank; d++)
		ex_visit_reads(m->g, eq->target[d], use_read, m);
}

/* Params and states that nothing reads become values that nothing makes. */
static void drop_unused(struct embedding *m)
{
	struct graph *g = m->g;

	m->used = arena_array(m->arena, (size_t)g->tensors.n, sizeof *m->used);
	visit_equations(g->part[PART_INFERENCE].item, g->part[PART_INFERENCE].n, use_reads, m);
	use(m, g->inference_loss);
	for (int i = 0; i < g->outputs.n; i++)
		use(m, g->outputs.item[i].value);
	for (int i = 0; i < g->metrics.n; i++)
		use(m, g->metrics.item[i].value);
	for (int i = 0; i < g->tensors.n; i++) {
		struct tensor *t = g->tensors.item[i];

		if (!m->used[i] && (t->role == ROLE_PARAM || t->role == ROLE_FROZEN || t->role == ROLE_STATE))
			t->role = ROLE_VALUE;
	}
}

struct graph *embed_weights(struct graph *g, const void **weights, const void **state)
{
	const nnc_options *options = g->ctx->options;
	struct embedding m = {.from = g, .arena = &g->ctx->arena, .real = (size_t)real_size(g)};
	char *blob;

	if (!*weights || !*state || !options->inference_only || options->no_simplify || options->real == NNC_QUAD ||
	    options->fp == NNC_FP_STRICT)
		return g;
	copy_graph(&m);
	simplify_known(m.g);
	find_usage(m.g);
	find_of_params(m.g, true);
	m.values = arena_array(m.arena, (size_t)m.g->tensors.n, sizeof *m.values);
	visit_params(&m, m.g, (char *)*weights, take_values);
	visit_states(&m, m.g, (char *)*state, take_values);
	for (int i = 0; i < m.g->tensors.n; i++) /* what a run changes is not known */
		if (m.values[i] && !usage_of(m.g->tensors.item[i])->of_params)
			m.values[i] = NULL;
	compute_known(&m);
	if (!m.any)
		return g;
	visit_states(&m, m.g, (char *)*state, take_values);
	drop_unused(&m);
	blob = arena_array(m.arena, visit_params(&m, m.g, NULL, NULL) + 1, 1);
	visit_params(&m, m.g, blob, give_values);
	*weights = blob;
	blob = arena_array(m.arena, visit_states(&m, m.g, NULL, NULL) + 1, 1);
	visit_states(&m, m.g, blob, give_values);
	*state = blob;
	return m.g;
}
