/* elaborate_pattern.c - binding an argument to a formal: its shape pattern and its type.
 *
 * A new name in a pattern takes the extent of its axis; a name that is bound, or an expression, must equal it. `..`
 * stands for any axes, the same ones everywhere in a definition. */
#include "elaborate.h"

#include <string.h>

static void pattern_fails(struct elaborator *E, const struct node *formal, const struct value *v, struct span at,
			  const char *why)
{
	struct span p = formal->at;
	const char *text = arena_copy(&E->ctx->arena, p.src->text + p.begin, p.end - p.begin);
	struct scope *inner = E->scope;
	E->scope = inner->caller;
	fail(E, at, "%s: argument of shape %s does not fit %s: %s", inner->def->name, value_shape(E, v), text, why);
	E->scope = inner;
	note_origin(E, at, v);
}

/* An axis of the argument against a pattern's item: a new name takes the extent, all else must equal it. */
static bool match_extent(struct elaborator *E, const struct node *item, int64_t extent, int64_t *expected)
{
	if (item->kind == NODE_NAME && !lookup(E, item->name)) {
		bind(E, item->name, int_value(extent), item->at);
		return true;
	}
	return expect_int(E, item, eval(E, item), "an extent", expected) && *expected == extent;
}

static bool match_dots(struct elaborator *E, const struct node *formal, const struct value *v, int n,
		       const struct axis *axis, struct span at)
{
	struct scope *s = E->scope;
	if (s->dots < 0) {
		s->dots = n;
		s->dots_axis = (struct axis *)(uintptr_t)axis;
		return true;
	}
	bool same = s->dots == n;
	for (int i = 0; same && i < n; i++)
		same = axis[i].extent == s->dots_axis[i].extent;
	if (!same) {
		struct value other = {.kind = VAL_TENSOR, .rank = s->dots, .axis = s->dots_axis};
		pattern_fails(
			E, formal, v, at,
			arena_printf(&E->ctx->arena, "'..' was %s in an argument before it", value_shape(E, &other)));
	}
	return same;
}

static bool match_pattern(struct elaborator *E, const struct node *formal, const struct value *v, struct span at)
{
	const struct node *dims = formal->kid[0];
	int rank = own_rank(v), fixed = 0, dots = -1, axis = 0;
	for (int i = 0; i < dims->n; i++) {
		if (dims->kid[i]->kind == NODE_DOTS)
			dots = i;
		else
			fixed++;
	}
	if (dots < 0 ? rank != fixed : rank < fixed) {
		pattern_fails(E, formal, v, at,
			      arena_printf(&E->ctx->arena, "it has %d ax%ss, %s%d expected", rank,
					   rank == 1 ? "i" : "e", dots < 0 ? "" : "at least ", fixed));
		return false;
	}
	for (int i = 0; i < dims->n; i++) {
		if (i == dots) {
			if (!match_dots(E, formal, v, rank - fixed, own_axis(v) + axis, at))
				return false;
			axis += rank - fixed;
			continue;
		}
		int64_t expected = 0, extent = own_axis(v)[axis].extent;
		if (!match_extent(E, dims->kid[i], extent, &expected)) {
			const char *name = dims->kid[i]->kind == NODE_NAME
						   ? arena_printf(&E->ctx->arena, "%s = ", dims->kid[i]->name)
						   : "";
			pattern_fails(E, formal, v, at,
				      arena_printf(&E->ctx->arena, "axis %d is %lld, expected %s%lld", axis + 1,
						   (long long)extent, name, (long long)expected));
			return false;
		}
		axis++;
	}
	return true;
}

static bool match_type(struct elaborator *E, const struct node *formal, const struct value *v, struct span at)
{
	const struct node *type = formal->kid[1];
	if (!type || v->kind != VAL_TENSOR)
		return true;
	const char *wrong = NULL;
	enum elem elem = v->expr->elem;
	if (!strcmp(type->name, "class")) {
		int64_t expected = 0;
		int64_t classes = v->classes;
		if (elem != ELEM_INT || classes <= 0)
			wrong = "expected classes, class[n]";
		else if (type->kid[0] && type->kid[0]->n == 1 &&
			 !match_extent(E, type->kid[0]->kid[0], classes, &expected))
			wrong = arena_printf(&E->ctx->arena, "it is class[%lld], expected class[%lld]",
					     (long long)classes, (long long)expected);
	} else if (!strcmp(type->name, "int") && elem != ELEM_INT) {
		wrong = "expected integers";
	} else if (!strcmp(type->name, "bool") && elem != ELEM_BOOL) {
		wrong = "expected yes or no";
	}
	if (wrong)
		pattern_fails(E, formal, v, at, wrong);
	return !wrong;
}

/* A number or a tensor that is no variable of its own: nothing could depend on it. */
static bool is_constant_argument(const struct value *v)
{
	if (v->kind != VAL_TENSOR)
		return is_number(v);
	return !v->indexed && (!is_tensor_itself(v) || v->expr->tensor->role == ROLE_DATA);
}

/* Bind one formal to one value in E->scope. */
bool bind_formal(struct elaborator *E, const struct node *formal, struct value v, struct span at)
{
	if (v.kind == VAL_ERROR) {
		bind(E, formal->name, v, at);
		return false;
	}
	if (v.kind == VAL_TUPLE && v.n && !is_known(&v) && v.item[0].kind == VAL_TENSOR)
		v = v.item[0]; /* of several results the first is meant */
	bool pattern = formal->n && formal->kid[0];
	if (is_constant_argument(&v) && is_differentiated_by(E->scope->def->kid[1], formal->name))
		v = make_variable(E, v, join_path(E, E->scope->path, formal->name), at);
	if (v.kind == VAL_TENSOR && !v.indexed && !is_cheap(v.expr)) {
		v = settle(E, v, join_path(E, E->scope->path, formal->name), at);
		if (v.kind == VAL_ERROR)
			return false;
	}
	if (!pattern) {
		bind(E, formal->name, v, at);
		return match_type(E, formal, &v, at);
	}
	const struct node *dims = formal->kid[0];
	if (is_number(&v) && (dims->n == 0 || (dims->n == 1 && dims->kid[0]->kind == NODE_DOTS))) {
		bind(E, formal->name, v, at); /* a number fits any shape */
		return true;
	}
	if (v.kind != VAL_TENSOR && !is_number(&v)) {
		struct span p = formal->at;
		fail(E, at, "%s: %s does not fit %.*s: a tensor is expected", E->scope->def->name, kind_text(&v),
		     (int)(p.end - p.begin), p.src->text + p.begin);
		return false;
	}
	v = as_tensor(E, &v);
	bool ok = match_pattern(E, formal, &v, at) && match_type(E, formal, &v, at);
	bind(E, formal->name, ok ? v : error_value(), at);
	return ok;
}
