/* elaborate_instance.c - instances and their names: a label, or the definition's name and a number (dense, dense2 ..);
 * and layers, instances whose calls share their params. */
#include "elaborate.h"

#include <string.h>

struct scope *enter(struct elaborator *E, const struct node *def, const char *path, struct span at)
{
	struct scope *s = arena_alloc(&E->ctx->arena, sizeof *s);
	*s = (struct scope){.caller = E->scope,
			    .def = def,
			    .call_at = at,
			    .path = path,
			    .suffix = "",
			    .hint = "value",
			    .dots = -1,
			    .shared = E->scope->shared,
			    .builtin = def->at.src->builtin,
			    .names = {.arena = &E->ctx->arena},
			    .instances = {.arena = &E->ctx->arena},
			    .numbers = {.arena = &E->ctx->arena},
			    .overrides = {.arena = &E->ctx->arena}};
	if (++E->call_depth > MAX_CALL_DEPTH)
		fail(E, at, "calls are nested too deeply");
	E->scope = s;
	return s;
}

void leave(struct elaborator *E, struct scope *s)
{
	E->call_depth--;
	E->scope = s->caller;
}

/* The path of a new instance: label, or the definition's name with a number from the second on. NULL after an error. */
const char *instance_path(struct elaborator *E, const char *label, const char *name, struct span at)
{
	struct scope *s = E->scope;
	const char *text = label ? label : name, *own = label ? (label = filled_text(E, label, at)) : name;
	struct span *old = own ? table_get(&s->instances, own) : NULL;
	if (label && old) {
		fail(E, at, "label '%s' is used twice", label);
		report_note(E->ctx, *old, "first here");
		return NULL;
	}
	while (!label && old) { /* the number goes on from the last one of that name */
		uintptr_t k = (uintptr_t)table_get(&s->numbers, name) + 1;
		table_set(&s->numbers, name, (void *)k);
		own = arena_printf(&E->ctx->arena, "%s%d", name, (int)k + 1);
		old = table_get(&s->instances, own);
	}
	if (!own)
		return NULL;
	struct span *place = arena_alloc(&E->ctx->arena, sizeof *place);
	*place = at;
	table_set(&s->instances, own, place);
	return saved_path(E, text, own, at);
}

/* ---- layers ---- */

void bind_layer(struct elaborator *E, const struct node *n)
{
	const struct node *call = n->kid[0];
	if (call->kind != NODE_CALL && call->kind != NODE_NAME) {
		fail(E, call->at, "a layer is a call with its first argument left out: layer L = dense(10)");
		return;
	}
	struct layer *layer = arena_alloc(&E->ctx->arena, sizeof *layer);
	struct span *place = arena_alloc(&E->ctx->arena, sizeof *place);
	*place = n->name_at;
	struct span *old = table_get(&E->scope->instances, n->name);
	if (old) {
		fail(E, n->name_at, "label '%s' is used twice", n->name);
		report_note(E->ctx, *old, "first here");
	}
	table_set(&E->scope->instances, n->name, place);
	const char *own = *E->scope->suffix ? arena_printf(&E->ctx->arena, "%s%s", n->name, E->scope->suffix) : n->name;
	*layer = (struct layer){.call = call, .path = join_path(E, E->scope->path, own), .scope = E->scope};
	bind(E, n->name, (struct value){.kind = VAL_LAYER, .layer = layer}, n->name_at);
	table_set(&E->layers, layer->path, layer);
}

struct value call_layer(struct elaborator *E, const struct node *n, struct layer *layer, const struct argument *arg,
			int count)
{
	const struct node *call = layer->call;
	int own = call->kind == NODE_CALL ? call->n : 0;
	struct argument *all = arena_array(&E->ctx->arena, (size_t)(own + count) + 1, sizeof *all);
	int k = 0;
	/* the call's positional arguments, then the layer's, then the named ones of both */
	if (count)
		all[k++] = arg[0];
	struct scope *here = E->scope;
	struct building *eq = E->eq;
	E->scope = layer->scope;
	E->eq = NULL;
	for (int i = 0; i < own; i++)
		if (!call->kid[i]->name)
			all[k++] = (struct argument){NULL, eval(E, call->kid[i]->kid[0]), call->kid[i]->at};
	int named = k;
	for (int i = 0; i < own; i++)
		if (call->kid[i]->name)
			all[k++] =
				(struct argument){call->kid[i]->name, eval(E, call->kid[i]->kid[0]), call->kid[i]->at};
	E->scope = here;
	E->eq = eq;
	for (int i = 1; i < count; i++) {
		if (arg[i].name) {
			all[k++] = arg[i];
			continue;
		}
		memmove(all + named + 1, all + named, (size_t)(k - named) * sizeof *all);
		all[named++] = arg[i];
		k++;
	}
	const struct node *def = find_definition(E, call->name, false);
	if (!def) {
		struct binding *b = lookup(E, call->name);
		if (b && b->value.kind == VAL_LAYER && b->value.layer != layer)
			return call_layer(E, n, b->value.layer, all, k);
		unknown_function(E, call);
		return error_value();
	}
	layer->used = true;
	return inline_definition(E, def, layer->path, n->at, all, k, true);
}
