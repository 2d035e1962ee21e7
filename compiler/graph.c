/* graph.c - the parts of a graph: tensors with unique names, equations over them. */
#include "graph.h"

#include <assert.h>
#include <string.h>

struct graph *graph_new(struct context *ctx, const char *name, const struct source *src, int64_t batch)
{
	struct graph *g = arena_alloc(&ctx->arena, sizeof *g);

	g->ctx = ctx;
	g->name = name;
	g->src = src;
	g->batch = batch;
	g->names.arena = g->every_name.arena = &ctx->arena;
	return g;
}

/* Words that mean something in every equation's text, so that no tensor or index may have them for a name. */
bool is_reserved_name(const char *name)
{
	static const char *const words[] = {
		"if",  "then",	    "else",	"and",	  "or",	   "not",   "in",
		"def", "return",    "repeat",	"scan",	  "sum",   "mean",  "prod",
		"max", "min",	    "argmax",	"argmin", "yes",   "no",    "none",
		"inf", "pi",	    "training", "step",	  "epoch", "steps", "steps_per_epoch",
		"row", "last_loss", "nrows",	"ndata",  "batch", "data"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (*name == *words[i] && strcmp(name, words[i]) == 0) /* most differ at once */
			return true;
	return false;
}

/* name, or name with the number 2 or more that makes it new. Galloping keeps many equal names cheap; numbers are
 * taken without gaps, so the search ends at the least free one. */
static const char *unique_name(struct graph *g, const char *name)
{
	struct arena *arena = &g->ctx->arena;
	unsigned low = 1, high = 2;
	const char *numbered;

	if (!table_get(&g->names, name) && !is_reserved_name(name))
		return arena_copy(arena, name, strlen(name));
	while (table_get(&g->names, numbered = arena_printf(arena, "%s%u", name, high)))
		low = high, high *= 2;
	while (high - low > 1) {
		unsigned middle = low + (high - low) / 2;
		const char *try = arena_printf(arena, "%s%u", name, middle);

		if (table_get(&g->names, try))
			low = middle;
		else
			high = middle, numbered = try;
	}
	return numbered;
}

static void name_tensor(struct graph *g, struct tensor *t, const char *name)
{
	t->name = unique_name(g, name);
	table_set(&g->names, t->name, t);
	table_set(&g->every_name, t->name, t);
}

struct tensor *graph_tensor(struct graph *g, enum role role, const char *name, enum elem elem, bool batched, int rank,
			    const struct axis *axis, struct span at)
{
	struct tensor *t = arena_alloc(&g->ctx->arena, sizeof *t);

	assert(rank >= 0 && (!batched || rank > 0));
	name_tensor(g, t, name);
	t->id = (uint32_t)g->tensors.n;
	t->role = role;
	t->elem = elem;
	t->batched = batched;
	t->rank = rank;
	t->axis = arena_array(&g->ctx->arena, (size_t)rank, sizeof *t->axis);
	if (rank)
		memcpy(t->axis, axis, (size_t)rank * sizeof *axis);
	t->at = at;
	t->layer = "";
	list_add(&g->ctx->arena, &g->tensors, t);
	return t;
}

void graph_rename(struct graph *g, struct tensor *t, const char *name)
{
	if (table_get(&g->names, t->name) == t)
		table_set(&g->names, t->name, NULL);
	name_tensor(g, t, name);
}

/* The product of extents from axis `first` on; INT64_MAX where it does not fit. */
static int64_t count_elements(const struct tensor *t, int first)
{
	int64_t n = 1;

	for (int a = 0; a < t->rank; a++)
		if (t->axis[a].extent == 0)
			return 0;
	for (int a = first; a < t->rank; a++)
		if (__builtin_mul_overflow(n, t->axis[a].extent, &n))
			return INT64_MAX;
	return n;
}

int64_t real_size(const struct graph *g)
{
	static const int64_t size[] = {[NNC_FLOAT] = 4, [NNC_DOUBLE] = 8, [NNC_QUAD] = 16};

	return size[g->ctx->options->real];
}

int64_t tensor_size(const struct tensor *t) { return count_elements(t, 0); }

int64_t tensor_sample_size(const struct tensor *t) { return count_elements(t, t->batched ? 1 : 0); }

struct equation *graph_equation(struct graph *g, struct tensor *t, enum reducer red, int nfree, int n,
				const struct index *index, struct expr *value, struct span at)
{
	struct equation *eq = arena_alloc(&g->ctx->arena, sizeof *eq);

	assert(nfree <= n && n <= 64);
	eq->kind = EQ_MAP;
	eq->tensor = t;
	eq->red = red;
	eq->nfree = nfree;
	eq->n = n;
	eq->index = arena_array(&g->ctx->arena, (size_t)n, sizeof *eq->index);
	if (n)
		memcpy(eq->index, index, (size_t)n * sizeof *index);
	eq->value = value;
	eq->at = at;
	return eq;
}

const char *part_name(enum part part)
{
	static const char *const names[PART_COUNT] = {"init", "forward", "inference", "backward", "update", "average"};

	return names[part];
}

void visit_equations(struct equation *const *item, int n, void (*fn)(void *user, struct equation *eq), void *user)
{
	for (int i = 0; i < n; i++) {
		if (item[i]->kind == EQ_SCAN)
			visit_equations(item[i]->scan->body, item[i]->scan->n, fn, user);
		else
			fn(user, item[i]);
	}
}

bool same_data(const struct tensor *a, const struct tensor *b)
{
	if (a->rank != b->rank || a->elem != b->elem || a->classes != b->classes)
		return false;
	for (int i = 0; i < a->rank; i++)
		if (a->axis[i].extent != b->axis[i].extent)
			return false;
	return memcmp(a->data, b->data, (size_t)tensor_size(a) * sizeof *a->data) == 0;
}
