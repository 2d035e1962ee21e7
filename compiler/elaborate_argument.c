/* elaborate_argument.c - the arguments of a call: which formal each is for, and those that name a param inside. */
#include "elaborate.h"

#include <string.h>

static const char *no_such_option(struct elaborator *E, const struct node *def, struct scope *s, const char *name)
{
	LIST(const char *) names = {0};
	struct text list = {.arena = &E->ctx->arena};
	for (int i = 0; i < def->kid[0]->n; i++)
		if (def->kid[0]->kid[i]->kind == NODE_VAR)
			list_add(&E->ctx->arena, &names, def->kid[0]->kid[i]->name);
	for (int i = 0; s && i < s->params_seen.n; i++)
		list_add(&E->ctx->arena, &names, s->params_seen.item[i]);
	const char *near = suggest_of(E, name, names.item, names.n);
	if (*near)
		return near;
	for (int i = 0; i < names.n; i++)
		text_printf(&list, "%s%s", i ? ", " : "; it takes ", names.item[i]);
	return list.at ? list.at : "";
}

int formal_count(const struct node *def, bool *folds)
{
	int n = def->kid[0]->n;
	*folds = n && def->kid[0]->kid[n - 1]->kind == NODE_DOTS;
	return n - *folds;
}

bool bind_arguments(struct elaborator *E, struct scope *s, const struct argument *arg, int n)
{
	const struct node *def = s->def;
	bool folds, ok = true;
	int nformal = formal_count(def, &folds), positional = 0;
	const struct argument **given = arena_array(&E->ctx->arena, (size_t)nformal + 1, sizeof *given);
	for (int i = 0; i < n; i++) {
		const struct argument *a = &arg[i];
		int k = -1;
		if (!a->name) {
			k = positional++;
			if (k >= nformal) {
				fail(E, a->at, "%s takes %d argument%s, this is one more", def->name, nformal,
				     nformal == 1 ? "" : "s");
				return false;
			}
		}
		for (int f = 0; a->name && f < nformal; f++)
			if (!strcmp(def->kid[0]->kid[f]->name, a->name))
				k = f;
		if (k >= 0) {
			if (given[k]) {
				fail(E, a->at, "argument '%s' of %s is given twice", def->kid[0]->kid[k]->name,
				     def->name);
				return false;
			}
			given[k] = a;
			continue;
		}
		if (table_get(&s->overrides, a->name)) {
			fail(E, a->at, "argument '%s' of %s is given twice", a->name, def->name);
			return false;
		}
		struct override *o = arena_alloc(&E->ctx->arena, sizeof *o);
		*o = (struct override){.value = a->value, .at = a->at};
		table_set(&s->overrides, a->name, o);
	}
	for (int f = 0; f < nformal; f++) {
		const struct node *formal = def->kid[0]->kid[f];
		const struct node *otherwise = formal->n > 2 ? formal->kid[2] : NULL;
		if (given[f]) {
			ok &= bind_formal(E, formal, given[f]->value, given[f]->at);
		} else if (otherwise) {
			ok &= bind_formal(E, formal, eval(E, otherwise), s->call_at);
		} else {
			fail(E, s->call_at, "%s needs an argument '%s'", def->name, formal->name);
			ok = false;
		}
		if (!ok)
			return false;
	}
	return ok;
}

void check_overrides(struct elaborator *E, struct scope *s)
{
	for (int i = 0; i < s->overrides.entries.n; i++) {
		struct override *o = s->overrides.entries.item[i].value;
		const char *name = s->overrides.entries.item[i].key;
		if (!o->used && o->value.kind != VAL_ERROR) {
			struct scope *inner = E->scope;
			E->scope = s->caller;
			fail(E, o->at, "%s has no option or parameter '%s'%s", s->def->name, name,
			     no_such_option(E, s->def, s, name));
			E->scope = inner;
		}
	}
}

/* The options of an optimizer: its formals from a train line's call. */
bool bind_options(struct elaborator *E, struct scope *s, const struct node *call, const struct value *option)
{
	struct argument *arg = arena_array(&E->ctx->arena, (size_t)call->n + 1, sizeof *arg);
	for (int i = 0; i < call->n; i++) {
		if (option[i].kind == VAL_ERROR)
			return false;
		arg[i] = (struct argument){call->kid[i]->name, option[i], call->kid[i]->at};
	}
	if (!bind_arguments(E, s, arg, call->n))
		return false;
	check_overrides(E, s);
	return true;
}
