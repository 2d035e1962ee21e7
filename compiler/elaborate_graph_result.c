/* elaborate_graph_result.c - what follows the parts in the text of a graph: losses, outputs, metrics and train; and the
 * instances that tensors stand in. */
#include "elaborate.h"
#include "elaborate_graph.h"
#include "elaborate_train.h"

#include <string.h>

static struct tensor *named_value(struct elaborator *E, const struct node *n)
{
	struct value v = eval(E, n);
	if (v.kind == VAL_TENSOR && v.expr->op == EX_READ)
		return v.expr->tensor;
	if (v.kind != VAL_ERROR)
		fail(E, n->at, "expected the name of a tensor");
	return NULL;
}

/* loss, output and metric of a graph's text name tensors as they are. */
void read_result(struct elaborator *E, const struct node *n)
{
	struct arena *arena = &E->ctx->arena;
	struct scope *file = E->file;
	if (n->kind == NODE_LOSS) {
		struct tensor *t = named_value(E, n->kid[0]);
		list_add(arena, &E->goals, (struct goal){.name = n->name ? n->name : "loss", .value = t});
		list_add(arena, &E->goal_nodes, n);
		return;
	}
	if (E->inference)
		E->file = E->scope = E->inference;
	for (int i = 0; i < n->n; i++) {
		struct tensor *t = named_value(E, n->kid[i]->kid[0]);
		const char *name = n->kid[i]->name ? n->kid[i]->name : "value";
		if (t && n->kind == NODE_OUTPUT)
			list_add(arena, &E->g->outputs, (struct output){name, t});
		else if (t)
			list_add(arena, &E->g->metrics, (struct metric){name, t});
	}
	E->file = E->scope = file;
}

static bool named_by(const struct node *only, const char *name)
{
	for (int i = 0; i < only->n; i++)
		if (!strcmp(only->kid[i]->name, name))
			return true;
	return false;
}

/* ---- instances ---- */

/* The longest path that `name` begins with and that is among the layers, or, if params, the name of a param. */
static const char *longest_path(struct elaborator *E, const char *name, bool params)
{
	char *path = arena_copy(&E->ctx->arena, name, strlen(name));
	for (char *dot; (dot = strrchr(path, '.'));) {
		*dot = 0;
		struct tensor *w = params ? table_get(&E->params, path) : NULL;
		if (table_get(&E->instances, path) || (w && w->role == ROLE_PARAM))
			return path;
	}
	return "";
}

static void set_update_layer(void *user, struct equation *eq)
{
	struct elaborator *E = user;
	if (eq->tensor->role == ROLE_VALUE || eq->tensor->role == ROLE_VIEW)
		eq->tensor->layer = longest_path(E, eq->tensor->name, true);
}

/* Which instance a tensor stands in is told by its name. What an optimiser makes for a param stands in the param. */
static void set_layers(struct elaborator *E)
{
	struct graph *g = E->g;
	for (int i = 0; i < g->tensors.n; i++)
		g->tensors.item[i]->layer = longest_path(E, g->tensors.item[i]->name, g->tensors.item[i]->owner);
	visit_equations(g->part[PART_UPDATE].item, g->part[PART_UPDATE].n, set_update_layer, E);
	visit_equations(g->part[PART_AVERAGE].item, g->part[PART_AVERAGE].n, set_update_layer, E);
	for (int i = 0; i < g->tensors.n; i++)
		if (g->tensors.item[i]->role == ROLE_NEXT || g->tensors.item[i]->role == ROLE_GRAD)
			g->tensors.item[i]->layer = g->tensors.item[i]->of->layer;
}

/* Gradients in the order of their params; goals; run options. */
void finish_graph_text(struct elaborator *E)
{
	struct graph *g = E->g;
	int made = 0, found = g->grads.n;
	set_layers(E);
	struct tensor **ordered = arena_array(&E->ctx->arena, (size_t)g->tensors.n + 1, sizeof *ordered);
	for (int i = 0, n = g->tensors.n; i < n; i++) {
		struct tensor *w = g->tensors.item[i];
		if (w->role != ROLE_PARAM)
			continue;
		struct tensor *grad = NULL;
		for (int k = 0; k < found; k++)
			if (g->grads.item[k]->of == w)
				grad = g->grads.item[k];
		bool wanted = false;
		for (int k = 0; k < E->goals.n; k++) {
			const struct node *only = E->goal_nodes.item[k]->n > 1 ? E->goal_nodes.item[k]->kid[1] : NULL;
			wanted |= !only || named_by(only, w->name);
		}
		if (!grad && wanted)
			grad = add_grad(E, join_path(E, w->name, "grad"), w, w->at);
		if (grad)
			ordered[made++] = grad;
	}
	g->grads.n = 0;
	for (int i = 0; i < made; i++)
		list_add(&E->ctx->arena, &g->grads, ordered[i]);
	for (int i = 0; i < E->goals.n; i++) {
		struct goal goal = E->goals.item[i];
		const struct node *only = E->goal_nodes.item[i]->n > 1 ? E->goal_nodes.item[i]->kid[1] : NULL;
		for (int k = 0; k < g->grads.n; k++)
			if (!only || named_by(only, g->grads.item[k]->of->name))
				list_add(&E->ctx->arena, &goal.params, g->grads.item[k]->of);
		list_add(&E->ctx->arena, &g->goals, goal);
	}
	if (!E->trains.n)
		return;
	const struct node *train = E->trains.item[0], *call = train->kid[0];
	g->training.given = !strcmp(call->name, "graph");
	g->training.rule = call->n && call->kid[0]->kid[0]->kind == NODE_STRING ? call->kid[0]->kid[0]->name : NULL;
	if (train->kid[1])
		read_options(E, train->kid[1]);
}
