/* emit_bounds.c - the loops of a reduction: bounds from the conditions under which its terms count, and tests from
 * those that bound no loop. */
#include "emit_loops.h"

#include <stdlib.h>
#include <string.h>

/* The loop whose bound the condition becomes: the innermost one that it names; -1: it is a test. */
static int bounded_loop(const struct body *b, const struct accumulation *acc, const struct affine *condition)
{
	for (int k = acc->stage->n_loop - 1; k >= acc->first; k--) {
		int slot = acc->stage->loop[k];

		if (condition->coef[slot] && !runs_once(b, acc->stage->eq, slot))
			return k;
	}
	return -1;
}

/* floor(a / d) as text, d > 0. */
static const char *floor_text(struct body *b, const struct affine *a, int64_t d, int64_t add)
{
	struct text out = {.arena = b->e->arena};
	struct affine v = *a;
	struct range r = {0, 0};
	int64_t shift = 0;

	if (d == 1) {
		v.constant += add;
		print_affine(b, &out, &v, 0);
		return out.at;
	}
	range_of(affine_expr(b->e->g, a), b->eq->index, &r);
	if (r.low < 0)
		shift = (-r.low + d - 1) / d;
	v.constant += shift * d;
	print_affine(b, &out, &v, 14);
	text_printf(&out, " / %lld", (long long)d);
	if (add != shift)
		text_printf(&out, add > shift ? " + %lld" : " - %lld",
			    (long long)(add > shift ? add - shift : shift - add));
	return out.at;
}

/* What a condition says of a slot. */
struct bound {
	bool is_end;  /* the end (exclusive), not the start */
	bool matters; /* given the extent */
	bool alone;   /* given it, the extent does not */
};

static const char *bound_text(struct body *b, const struct affine *condition, int slot, struct bound *bound)
{
	int64_t c = condition->coef[slot], extent = b->eq->index[slot].extent;
	struct affine rest = *condition;
	struct range r;

	rest.coef[slot] = 0;
	bound->is_end = c < 0;
	if (c > 0) { /* slot >= ceil(-rest / c) = floor((c - 1 - rest) / c) */
		rest.constant = c - 1 - rest.constant;
		for (int s = 0; s < 64; s++)
			rest.coef[s] = -rest.coef[s];
	}
	if (!range_of(affine_expr(b->e->g, &rest), b->eq->index, &r))
		r = (struct range){INT64_MIN / 2, INT64_MAX / 2};
	if (c > 0) {
		bound->matters = r.high >= c;
		bound->alone = r.low >= 0;
		return floor_text(b, &rest, c, 0);
	}
	bound->matters = r.low < -c * (extent - 1); /* slot <= floor(rest / -c) */
	bound->alone = r.high < -c * extent && !b->eq->index[slot].rows;
	return floor_text(b, &rest, -c, 1);
}

static bool is_number(const char *text) { return text[strspn(text, "-0123456789")] == 0; }

/* The nested calls that make the largest (smallest) of the bounds so far and another one. */
static const char *join_bound(struct body *b, const char *bound, const char *other, bool is_end)
{
	if (is_number(bound) && is_number(other))
		return (strtoll(bound, NULL, 10) < strtoll(other, NULL, 10)) == is_end ? bound : other;
	return arena_printf(b->e->arena, "%s(%s, %s)", help(b->e, is_end ? HELP_SMALLER : HELP_LARGER), bound, other);
}

/* Where the loop over the slot starts and ends; constant text where no condition bounds it. */
static void find_bounds(struct body *b, const struct accumulation *acc, int k, const char **from, const char **to)
{
	const struct stage *stage = acc->stage;
	int slot = stage->loop[k];
	bool bounded[2] = {false, false}; /* start, end: by a condition before */

	*from = "0";
	*to = extent_text(b, &stage->eq->index[slot]);
	for (int i = 0; i < stage->conditions.n; i++) {
		struct bound bound;
		const char *text, **end;

		if (bounded_loop(b, acc, &stage->conditions.item[i]) != k)
			continue;
		text = bound_text(b, &stage->conditions.item[i], slot, &bound);
		end = bound.is_end ? to : from;
		if (!bound.matters)
			continue;
		*end = bound.alone && !bounded[bound.is_end] ? text : join_bound(b, *end, text, bound.is_end);
		bounded[bound.is_end] = true;
	}
}

/* A bound in a variable, unless it is a number or n. */
static const char *bound_variable(struct body *b, const char *text, const char *index, const char *suffix)
{
	const char *name;

	if (!strpbrk(text, "( "))
		return text;
	name = new_name(b->e, &b->scope, arena_printf(b->e->arena, "%s_%s", index, suffix));
	write_line(b->e, "const int %s = %s;", name, text);
	return name;
}

/* ---- the loops ---- */

static void open_tests(struct body *b, struct accumulation *acc)
{
	struct text tests = {.arena = b->e->arena};
	int n = 0;

	for (int i = 0; i < acc->stage->conditions.n; i++) {
		if (bounded_loop(b, acc, &acc->stage->conditions.item[i]) >= 0)
			continue;
		text_add(&tests, n++ ? " && " : "");
		print_condition(b, &tests, &acc->stage->conditions.item[i]);
	}
	if (!n)
		return;
	acc->names = b->scope.names.n;
	open_block(b->e, "if (%s) {", tests.at);
	acc->n_blocks++;
}

void open_bounded(struct body *b, struct accumulation *acc, int k, const char **from, const char **to)
{
	const struct equation *eq = acc->stage->eq;
	int slot = acc->stage->loop[k];

	find_bounds(b, acc, k, from, to);
	*from = bound_variable(b, *from, eq->index[slot].name, "from");
	*to = bound_variable(b, *to, eq->index[slot].name, "to");
	if (!acc->n_blocks)
		acc->names = b->scope.names.n;
	set_slot(b, slot, index_name(b, eq, slot));
}

void open_accumulation(struct body *b, struct accumulation *acc, int until)
{
	open_tests(b, acc);
	for (int k = acc->first; k < until; k++) {
		int slot = acc->stage->loop[k];
		const char *from, *to;

		b->open |= (uint64_t)1 << slot;
		if (runs_once(b, acc->stage->eq, slot))
			continue;
		b->open &= ~((uint64_t)1 << slot);
		write_temps(b, &acc->stage->term, 1,
			    k + 1 == acc->stage->n_loop && acc->stage->form == FORM_ROW ? TEMPS_BEFORE_INNERMOST
											: TEMPS_BEFORE_LOOP);
		open_bounded(b, acc, k, &from, &to);
		open_block(b->e, "for (int %s = %s; %s < %s; %s++) {", b->slot_name[slot], from, b->slot_name[slot], to,
			   b->slot_name[slot]);
		acc->n_blocks++;
	}
}

void close_accumulation(struct body *b, const struct accumulation *acc)
{
	close_loops(b, acc->n_blocks);
	if (acc->n_blocks)
		release_names(&b->scope, acc->names);
}
