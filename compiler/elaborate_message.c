/* elaborate_message.c - what is wrong, said where the user's text caused it: an error inside the standard library is
 * shown at the call into it, with notes about where shapes and numbers come from. */
#include "elaborate.h"
#include "elaborate_building.h"

#include <string.h>

/* Where the user's text caused what stands at `at`: for the library's text, the call into it. */
struct span user_place(struct elaborator *E, struct span at)
{
	for (struct scope *s = E->scope; s && at.src && at.src->builtin && s->call_at.src; s = s->caller)
		at = s->call_at;
	return at;
}

/* The calls that led into a user's definition: what is wrong there may be their arguments' doing. */
static void note_calls(struct elaborator *E, const struct scope *s, struct span at)
{
	enum { MOST = 3 };
	for (int n = 0; n < MOST && s && s->def; s = s->caller) {
		if (!is_within(at, s->def->at))
			continue;
		at = s->call_at;
		report_note(E->ctx, at, "in this call of %s", s->def->name);
		n++;
	}
}

/* An error inside the standard library is shown where the user's text called it, with a note about the inside. */
void fail(struct elaborator *E, struct span at, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	struct text t = {.arena = &E->ctx->arena};
	text_vprintf(&t, format, args);
	va_end(args);
	struct scope *s = E->scope, *inside = NULL;
	struct span shown = at;
	while (s && shown.src && shown.src->builtin && s->call_at.src) {
		inside = s;
		shown = s->call_at;
		s = s->caller;
	}
	report_error(E->ctx, shown, "%s", t.at);
	if (inside && inside->def)
		report_note(E->ctx, at, "in the definition of %s", inside->def->name);
	note_calls(E, s, shown);
	if (E->eq)
		E->eq->failed = true;
}

void note_origin(struct elaborator *E, struct span at, const struct value *v)
{
	struct tensor *t = v->kind == VAL_TENSOR && v->expr->op == EX_READ ? v->expr->tensor : NULL;
	if (!t || !t->at.src || is_within(t->at, at))
		return;
	struct value whole = tensor_value(E, t); /* v may be a part of it */
	report_note(E->ctx, t->at, "'%s' of shape %s is made here", t->name,
		    value_shape(E, v->lead == whole.lead ? &whole : v));
}

void report_outside(struct elaborator *E, struct span at, const char *name, const struct range *r, int64_t extent,
		    int axis)
{
	long long last = (long long)extent - 1;
	if (!r)
		fail(E, at, "the range of this subscript of '%s' is not known (axis %d goes from 0 to %lld)", name,
		     axis, last);
	else if (r->low == r->high)
		fail(E, at, "this subscript of '%s' is %lld, but axis %d goes from 0 to %lld", name, (long long)r->low,
		     axis, last);
	else
		fail(E, at, "this subscript of '%s' runs from %lld to %lld, but axis %d goes from 0 to %lld", name,
		     (long long)r->low, (long long)r->high, axis, last);
	if (r && r->low == r->high && r->low < 0)
		report_note(E->ctx, (struct span){0}, "subscripts count from 0: the last one is %s[%lld]", name, last);
	else if (r && r->low < r->high)
		report_note(E->ctx, (struct span){0},
			    "a value for the places outside stands inside the brackets: %s[.. else 0]", name);
	else if (!r)
		report_note(E->ctx, (struct span){0},
			    "declare the integers as class[n], cut them with clamp, or give a value for the places "
			    "outside: %s[.. else 0]",
			    name);
}

void report_subscripts(struct elaborator *E, struct span at, const char *name, const struct value *v, int given)
{
	int rank = own_rank(v);
	fail(E, at, "'%s' has shape %s: %d subscript%s for %d ax%ss", name, value_shape(E, v), given,
	     given == 1 ? "" : "s", rank, rank == 1 ? "i" : "e");
}

/* ---- whole numbers ---- */

/* The text of some arithmetic with the values of its names put in, "7 / 2"; at: as far as it is written. */
static void add_arithmetic(struct elaborator *E, const struct node *n, struct text *t, uint32_t *at)
{
	struct binding *b = n->kind == NODE_NAME ? lookup(E, n->name) : NULL;
	if (b && is_number(&b->value)) {
		text_add_bytes(t, n->at.src->text + *at, n->at.begin - *at);
		text_add(t, value_text(E, &b->value));
		*at = n->at.end;
	}
	for (int i = 0; i < n->n && (n->kind == NODE_BINARY || n->kind == NODE_UNARY); i++)
		add_arithmetic(E, n->kid[i], t, at);
}

/* The binding that a formal's value comes from where calls only hand it on: f(a) = g(a) -> a of the user's call. */
static const struct binding *follow_argument(struct elaborator *E, const struct binding *b)
{
	for (struct scope *s = E->scope; s->caller && b->at.src && b->at.src->builtin; s = s->caller) {
		const char *name = arena_copy(&E->ctx->arena, b->at.src->text + b->at.begin, b->at.end - b->at.begin);
		const struct binding *outer = find_binding(s->caller, name);
		if (!outer)
			break;
		b = outer;
	}
	return b;
}

void note_binding(struct elaborator *E, const char *name, const struct binding *b, const struct value *v)
{
	if (v->kind == VAL_ERROR)
		report_note(E->ctx, b->at, "'%s' is made here", name);
	else
		report_note(E->ctx, b->at, "'%s' is %s from here", name, value_text(E, v));
}

/* Where the names in n have their values from, as far as the user's text tells. */
void note_values(struct elaborator *E, const struct node *n)
{
	const struct binding *b = n->kind == NODE_NAME ? lookup(E, n->name) : NULL;
	const struct binding *from = b && is_known(&b->value) ? follow_argument(E, b) : NULL;
	if (from && from->at.src && !from->at.src->builtin)
		note_binding(E, from->name, from, &b->value);
	for (int i = 0; i < n->n && (n->kind == NODE_BINARY || n->kind == NODE_UNARY); i++)
		note_values(E, n->kid[i]);
}

void report_value(struct elaborator *E, const struct node *n, const struct value *v, const char *rule)
{
	struct text t = {.arena = &E->ctx->arena};
	uint32_t at = n->at.begin;
	add_arithmetic(E, n, &t, &at);
	text_add_bytes(&t, n->at.src->text + at, n->at.end - at);
	const char *value = value_text(E, v);
	bool plain =
		!t.at || !strcmp(t.at, value) || strchr(t.at, '\n') || n->kind == NODE_NUMBER || n->kind == NODE_NAME;
	fail(E, n->at, "%s, not %s%s%s", rule, plain ? "" : t.at, plain ? "" : " = ", value);
	note_values(E, n);
}

bool expect_int(struct elaborator *E, const struct node *n, struct value v, const char *what, int64_t *out)
{
	if (v.kind == VAL_INT) {
		*out = v.integer;
		return true;
	}
	if (v.kind == VAL_TENSOR)
		fail(E, n->at, "%s must be known while compiling; this is a tensor", what);
	else if (v.kind != VAL_ERROR)
		report_value(E, n, &v, arena_printf(&E->ctx->arena, "%s is a whole number", what));
	return false;
}
