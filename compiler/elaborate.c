/* elaborate.c - tree to graph: the two runs of the text.
 *
 * The file is run twice, with training = yes (parts init, forward, update) and with training = no (part
 * inference). Both runs share params and states, by their full names; everything else is made anew. */
#include "elaborate.h"
#include "builtin.h"
#include "elaborate_graph.h"
#include "elaborate_train.h"
#include "include.h"

#include <string.h>

/* -D NAME=VALUE: an assignment of a known value; -D NAME is NAME=yes. */
static void read_defines(struct elaborator *E)
{
	const nnc_options *options = E->ctx->options;
	for (int i = 0; options && options->define && options->define[i]; i++) {
		const char *text = options->define[i];
		if (!strchr(text, '='))
			text = arena_printf(&E->ctx->arena, "%s=yes", text);
		struct source *src = add_source(E->ctx, "<command line>", text, strlen(text), false);
		struct node *tree = parse_source(E->ctx, src);
		if (!tree)
			continue;
		const struct node *n = tree->n ? tree->kid[0] : NULL;
		const struct node *lhs = n && n->kind == NODE_ASSIGN ? n->kid[0]->kid[0] : NULL;
		if (!lhs || tree->n > 1 || n->kid[0]->n > 1 || lhs->kid[0] || lhs->primed || strchr(lhs->name, '.')) {
			fail(E, (struct span){src, 0, (uint32_t)src->size}, "-D takes NAME=VALUE");
			continue;
		}
		struct override *o = arena_alloc(&E->ctx->arena, sizeof *o);
		*o = (struct override){.value = eval(E, n->kid[1]), .at = lhs->name_at};
		if (o->value.kind != VAL_ERROR && !is_known(&o->value)) {
			fail(E, n->kid[1]->at, "-D gives a number, a string, yes, no or a tuple of them, not %s",
			     kind_text(&o->value));
			o->value = error_value();
		}
		table_set(&E->defines, lhs->name, o);
	}
}

static struct scope *file_scope(struct elaborator *E)
{
	struct scope *s = arena_alloc(&E->ctx->arena, sizeof *s);
	*s = (struct scope){.path = "",
			    .suffix = "",
			    .hint = "value",
			    .dots = -1,
			    .shared = E->second,
			    .names = {.arena = &E->ctx->arena},
			    .instances = {.arena = &E->ctx->arena},
			    .numbers = {.arena = &E->ctx->arena},
			    .overrides = {.arena = &E->ctx->arena}};
	return s;
}

static void run_file(struct elaborator *E, const struct node *tree, bool training)
{
	E->training = training;
	E->second = !training;
	E->part = training ? PART_FORWARD : PART_INFERENCE;
	E->file = E->scope = file_scope(E);
	E->goals.n = E->goal_nodes.n = 0;
	run_block(E, tree);
}

/* Names of values are unique within inference and within the rest: the second run starts from the declared ones. */
void forget_value_names(struct graph *g)
{
	struct table kept = {.arena = &g->ctx->arena};
	for (int i = 0; i < g->tensors.n; i++) {
		enum role r = g->tensors.item[i]->role;
		if (r != ROLE_VALUE && r != ROLE_VIEW && r != ROLE_NEXT && r != ROLE_DATA)
			table_set(&kept, g->tensors.item[i]->name, g->tensors.item[i]);
	}
	g->names = kept;
}

/* What passes make is called like no value of either run. */
static void recall_value_names(struct graph *g)
{
	for (int i = 0; i < g->tensors.n; i++)
		if (!table_get(&g->names, g->tensors.item[i]->name))
			table_set(&g->names, g->tensors.item[i]->name, g->tensors.item[i]);
}

/* Training and inference have the same parameters. */
static void check_params(struct elaborator *E)
{
	for (int i = 0; i < E->params.entries.n && !E->ctx->errors; i++) {
		struct tensor *t = E->params.entries.item[i].value;
		if ((t->role == ROLE_PARAM || t->role == ROLE_FROZEN) && !table_get(&E->met, t->name))
			fail(E, t->at,
			     "'%s' exists only where training = yes: training and inference have the same parameters",
			     t->name);
	}
}

static void check_unused_defines(struct elaborator *E)
{
	for (int i = 0; i < E->defines.entries.n; i++) {
		const char *name = E->defines.entries.item[i].key;
		if (!find_binding(E->file, name))
			fail(E, (struct span){0}, "-D %s: the model has no constant of that name%s", name,
			     suggest(E, name));
	}
}

static void set_rows(void *user, struct equation *eq)
{
	for (int k = 0; k < eq->n; k++)
		if (eq->index[k].rows)
			eq->index[k].extent = ((struct graph *)user)->batch;
}

/* The rows of a batch became known last (train line): write them everywhere. */
static void set_batch(struct graph *g, int64_t batch)
{
	g->batch = batch;
	for (int i = 0; i < g->tensors.n; i++)
		for (int a = 0; a < g->tensors.item[i]->rank; a++)
			if (g->tensors.item[i]->axis[a].rows)
				g->tensors.item[i]->axis[a].extent = batch;
	for (int p = 0; p < PART_COUNT; p++)
		visit_equations(g->part[p].item, g->part[p].n, set_rows, g);
}

/* A tensor's bytes, all rows, stay well below what 32-bit offsets of generated code can address. */
static void check_sizes(struct elaborator *E)
{
	struct graph *g = E->g;
	for (int i = 0; i < g->tensors.n; i++) {
		struct tensor *t = g->tensors.item[i];
		int64_t size = 1;
		bool large = false;
		for (int a = 0; a < t->rank; a++)
			large |= __builtin_mul_overflow(size, t->axis[a].extent, &size) || size > INT64_C(1) << 30;
		if (!large)
			continue;
		struct text s = {.arena = &E->ctx->arena};
		for (int a = 0; a < t->rank; a++)
			text_printf(&s, "%s%lld", a ? " * " : "", (long long)t->axis[a].extent);
		fail(E, t->at, "tensor '%s' is too large: %s elements%s, more than 2^30", t->name, s.at,
		     t->batched ? " (the first is the batch)" : "");
		return;
	}
}

struct graph *elaborate(struct context *ctx, const struct node *tree, const struct source *src)
{
	struct arena *arena = &ctx->arena;
	struct elaborator *E = arena_alloc(arena, sizeof *E);
	*E = (struct elaborator){.ctx = ctx,
				 .defs = {.arena = arena},
				 .inits = {.arena = arena},
				 .hidden = {.arena = arena},
				 .optimizers = {.arena = arena},
				 .params = {.arena = arena},
				 .included = {.arena = arena},
				 .named = {.arena = arena},
				 .defines = {.arena = arena},
				 .layers = {.arena = arena},
				 .instances = {.arena = arena},
				 .met = {.arena = arena},
				 .library = arena_array(arena, (size_t)builtin_source_count, sizeof *E->library)};
	const nnc_options *o = ctx->options;
	E->g = graph_new(ctx, o && o->prefix ? o->prefix : "model", src, 32);
	E->file = E->scope = file_scope(E);
	read_defines(E);
	collect_definitions(E, tree);
	struct inclusion own = {tree, RAN_FIRST | RAN_SECOND}; /* the file itself is there */
	table_set(&E->included, ctx->includes ? file_key(ctx->includes, src->name) : src->name, &own);
	E->graph_text = is_graph_text(tree);
	run_file(E, tree, true);
	if (!ctx->errors && E->graph_text)
		finish_graph_text(E);
	if (!ctx->errors && !E->graph_text)
		drop_totals(E);
	if (!ctx->errors && !E->graph_text) {
		build_training(E);
		set_batch(E->g, o && o->batch > 0 ? o->batch : E->g->batch); /* for the second run's shapes, too */
		if (!ctx->errors) {
			struct table names = E->g->names;
			forget_value_names(E->g);
			run_file(E, tree, false);
			E->g->names = names;
		}
		check_params(E);
		if (!ctx->errors) {
			E->g->inference_loss = total_loss(E);
			default_output(E);
			E->part = PART_INFERENCE;
			finish_metrics(E);
			check_unused_defines(E);
		}
	}
	if (!ctx->errors) {
		set_batch(E->g, E->g->batch);
		check_sizes(E);
		recall_value_names(E->g);
	}
	if (!ctx->errors && E->graph_text) { /* it may have been edited */
		const char *fault = verify(E->g);
		if (fault)
			fail(E, (struct span){0}, "this is no sound graph: %s", fault);
	}
	return ctx->errors ? NULL : E->g;
}
