/* emit_loops.c - a group as loops: the shared ones, then one nest after the other.
 *
 * The schedule says which loops, in which order, and how each stage accumulates. Here they become text: bounds from
 * conditions, an accumulator or a row, the stores at the end of a nest's body. */
#include "emit_parts.h"

#include <stdlib.h>
#include <string.h>

enum { FLAT_LANES = 16 /* elements of a round of a flat loop */ };

/* ---- indices ---- */

bool runs_once(const struct body *b, const struct equation *eq, int slot)
{
	const struct index *index = &eq->index[slot];

	return index->extent == 1 || (index->rows && b->one_row) || is_step(eq, count_steps(b->group), slot);
}

void set_slot(struct body *b, int slot, const char *name)
{
	b->slot_name[slot] = name;
	b->open |= (uint64_t)1 << slot;
}

/* The slots that the shared loops have opened stay; what the stage before opened beyond them goes. */
void start_stage(struct body *b, const struct equation *eq, int n_open)
{
	b->eq = eq;
	for (int s = n_open; s < 64; s++) {
		b->slot_name[s] = NULL;
		b->slot_value[s] = 0;
	}
	b->open &= n_open < 64 ? ((uint64_t)1 << n_open) - 1 : UINT64_MAX;
	for (int d = 0; d < count_steps(b->group); d++)
		set_slot(b, eq->tensor->batched + d, b->step_name[d]);
}

static const char *index_name(struct body *b, const struct equation *eq, int slot)
{
	return new_name(b->e, &b->scope, eq->index[slot].name);
}

static const char *extent_text(struct body *b, const struct index *index)
{
	if (!index->rows || !has_run_time_rows(b->group))
		return arena_printf(b->e->arena, "%lld", (long long)index->extent);
	b->takes_n = true;
	return "n";
}

/* for (int i = 0; i < 16; i++) { ; returns the blocks opened: 0 or 1. */
int open_loop(struct body *b, const struct equation *eq, int slot)
{
	const char *name;

	b->open |= (uint64_t)1 << slot;
	if (runs_once(b, eq, slot))
		return 0;
	name = index_name(b, eq, slot);
	open_block(b->e, "for (int %s = 0; %s < %s; %s++) {", name, name, extent_text(b, &eq->index[slot]), name);
	set_slot(b, slot, name);
	return 1;
}

void close_loops(struct body *b, int n)
{
	for (int i = 0; i < n; i++)
		close_block(b->e, "}");
}

/* ---- bounds ---- */

/* The loops of a stage that accumulate, and what they are in. */
struct accumulation {
	struct stage *stage;
	int first;	     /* of stage->loop */
	int n_blocks, names; /* names of the scope before the first block */
};

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

/* ---- accumulation ---- */

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

/* Open loop k of the stage, within its bounds. */
static void open_bounded(struct body *b, struct accumulation *acc, int k, const char **from, const char **to)
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

static void open_accumulation(struct body *b, struct accumulation *acc, int until)
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

static void close_accumulation(struct body *b, const struct accumulation *acc)
{
	close_loops(b, acc->n_blocks);
	if (acc->n_blocks)
		release_names(&b->scope, acc->names);
}

/* The value of the term where all its loops are open. */
static const char *term_text(struct body *b, const struct stage *stage)
{
	const char *text;

	b->known = (condition_list *)&stage->conditions;
	write_temps(b, (struct expr **)&stage->term, 1, TEMPS_HERE);
	text = expr_text(b, stage->term);
	b->known = NULL;
	return text;
}

struct mark mark(const struct body *b) { return (struct mark){b->temps.n, b->locals.n, b->drawn.n, b->scope.names.n}; }

void forget(struct body *b, struct mark m, bool closed)
{
	b->temps.n = m.temps;
	b->locals.n = m.locals;
	b->drawn.n = m.drawn;
	if (closed)
		release_names(&b->scope, m.names);
}

const char *neutral_start(struct body *b, const struct equation *eq)
{
	bool real = eq->value->elem == ELEM_REAL;

	switch (eq->red) {
	case RED_SUM: return real ? real_literal(b->e, 0) : "0";
	case RED_PROD: return real ? real_literal(b->e, 1) : "1";
	case RED_MAX:
	case RED_ARGMAX:
		if (!real)
			return "-2147483647 - 1";
		b->e->uses_infinity = true;
		return "-INFINITY";
	default:
		if (!real)
			return "2147483647";
		b->e->uses_infinity = true;
		return "INFINITY";
	}
}

/* The flat number of the bound indices. */
static const char *winner_text(struct body *b, const struct equation *eq)
{
	struct text out = {.arena = b->e->arena};
	struct affine flat = {0};
	int64_t stride = 1;

	for (int s = eq->n - 1; s >= eq->nfree; s--) {
		flat.coef[s] = stride;
		stride *= eq->index[s].extent;
	}
	print_affine(b, &out, &flat, 0);
	return out.at;
}

void write_accumulate(struct body *b, const struct equation *eq, const char *name, const char *best, const char *term,
		      const char *winner)
{
	bool real = eq->value->elem == ELEM_REAL;
	const char *value = term;

	switch (eq->red) {
	case RED_SUM: write_line(b->e, "%s += %s;", name, term); return;
	case RED_PROD: write_line(b->e, "%s *= %s;", name, term); return;
	default: break;
	}
	if (strchr(term, ' ') || strchr(term, '(')) {
		value = new_name(b->e, &b->scope, "value");
		write_line(b->e, "const %s %s = %s;", real ? b->e->real : "int32_t", value, term);
	}
	open_block(b->e, eq->red == RED_MAX || eq->red == RED_ARGMAX ? "if (%s > %s) {" : "if (%s < %s) {", value,
		   best);
	write_line(b->e, "%s = %s;", best, value);
	if (winner)
		write_line(b->e, "%s = %s;", name, winner);
	close_block(b->e, "}");
}

/* The sum of n of the lanes, the first and every (lanes/n)th after it: in pairs, halves apart. */
static const char *lane_total(struct body *b, const char *sums, int first, int n, int lanes)
{
	int apart = lanes / n;
	const char *left, *right;

	if (n == 1)
		return arena_printf(b->e->arena, "%s[%d]", sums, first);
	left = lane_total(b, sums, first, n / 2, lanes);
	right = lane_total(b, sums, first + apart, n / 2, lanes);
	return arena_printf(b->e->arena, n == lanes ? "%s + %s" : "(%s + %s)", left, right);
}

/* Several sums side by side, added up in a fixed order at the end: independent additions, which fill a vector. */
static void write_lanes(struct body *b, struct accumulation *acc, const char *name)
{
	struct emitter *e = b->e;
	struct stage *stage = acc->stage;
	const struct equation *eq = stage->eq;
	int k = stage->n_loop - 1, slot = stage->loop[k], lanes = stage->lanes;
	const char *from, *to, *index, *lane, *sums;
	struct mark m;

	write_temps(b, &stage->term, 1, TEMPS_BEFORE_LOOP);
	open_bounded(b, acc, k, &from, &to);
	index = b->slot_name[slot];
	sums = new_name(e, &b->scope, arena_printf(e->arena, "%s_lane", name));
	lane = new_name(e, &b->scope, "lane");
	write_line(e, "%s %s[%d] = {%s};", e->real, sums, lanes, real_literal(e, 0));
	write_line(e, "int %s = %s;", index, from);
	m = mark(b);
	open_block(e, "for (; %s + %d <= %s; %s += %d) {", index, lanes, to, index, lanes);
	open_block(e, "for (int %s = 0; %s < %d; %s++) {", lane, lane, lanes, lane);
	b->slot_name[slot] = arena_printf(e->arena, "%s + %s", index, lane);
	write_line(e, "%s[%s] += %s;", sums, lane, term_text(b, stage));
	forget(b, m, true);
	close_block(e, "}");
	close_block(e, "}");
	b->slot_name[slot] = index;
	if (strchr(to, '_') || strcmp(from, "0") != 0 || eq->index[slot].rows || eq->index[slot].extent % lanes) {
		open_block(e, "for (; %s < %s; %s++) {", index, to, index);
		write_line(e, "%s += %s;", name, term_text(b, stage));
		forget(b, m, true);
		close_block(e, "}");
	}
	write_line(e, "%s += %s;", name, lane_total(b, sums, 0, lanes, lanes));
}

const char *value_name(struct body *b, const struct stage *stage)
{
	static const char *const reduced[] = {
		[RED_NONE] = "value", [RED_SUM] = "sum",       [RED_PROD] = "product", [RED_MAX] = "most",
		[RED_MIN] = "least",  [RED_ARGMAX] = "winner", [RED_ARGMIN] = "winner"};
	const struct tensor *t = stage->eq->tensor;
	const char *want = reduced[stage->eq->red];

	if (stage->local)
		want = base_name(b, t);
	else if (stage->eq->red == RED_NONE)
		want = arena_printf(b->e->arena, t->role == ROLE_NEXT ? "new_%s" : "this_%s", base_name(b, t));
	return new_name(b->e, &b->scope, want);
}

/* The accumulator of a DOT stage, complete. */
static const char *write_dot(struct body *b, struct stage *stage)
{
	struct emitter *e = b->e;
	const struct equation *eq = stage->eq;
	struct accumulation acc = {.stage = stage, .first = stage->n_free};
	bool real = eq->value->elem == ELEM_REAL, which = eq->red == RED_ARGMAX || eq->red == RED_ARGMIN;
	bool lanes = stage->lanes > 1 && !e->options->freestanding;
	const char *name = value_name(b, stage), *best = name;
	struct mark m;

	if (which) {
		best = new_name(e, &b->scope, "best");
		write_line(e, "int32_t %s = 0;", name);
	}
	write_line(e, "%s %s = %s;", real ? e->real : "int32_t", best, neutral_start(b, eq));
	m = mark(b);
	if (lanes) {
		open_accumulation(b, &acc, stage->n_loop - 1);
		write_lanes(b, &acc, name);
	} else {
		open_accumulation(b, &acc, stage->n_loop);
		write_accumulate(b, eq, name, best, term_text(b, stage), which ? winner_text(b, eq) : NULL);
	}
	close_accumulation(b, &acc);
	forget(b, m, false);
	return name;
}

/* ---- stores ---- */

/* The element that a MAP, DOT or ROW stage makes. */
static const char *target_text(struct body *b, const struct equation *eq)
{
	struct text out = {.arena = b->e->arena};
	struct expr *subs[64];

	for (int s = 0; s < eq->nfree; s++)
		subs[s] = ex_index(b->e->g, s);
	print_element(b, &out, eq->tensor, subs);
	return out.at;
}

struct pending {
	const char *target, *name;
};

/* Whether a stage of the nest after `at` reads the old value of what `at` makes. */
bool old_value_wanted(struct body *b, int at, int end)
{
	const struct tensor *t = b->group->stages.item[at]->eq->tensor;
	const struct arg *mine = b->group->stages.item[at]->local ? NULL : find_arg(b, t);

	for (int i = at + 1; mine && i < end; i++) {
		expr_list reads = b->group->stages.item[i]->reads;

		for (int k = 0; k < reads.n; k++)
			if (reads.item[k]->tensor != t && find_arg(b, reads.item[k]->tensor) == mine)
				return true;
	}
	return false;
}

bool read_later(struct body *b, int at, int end)
{
	const struct tensor *t = b->group->stages.item[at]->eq->tensor;

	for (int i = at + 1; i < end; i++) {
		expr_list reads = b->group->stages.item[i]->reads;

		for (int k = 0; k < reads.n; k++)
			if (reads.item[k]->tensor == t)
				return true;
	}
	return false;
}

/* The stages [at, end) in the body of their nest: values first, and each stored as soon as nothing reads what it
 * overwrites. */
static void write_nest_body(struct body *b, int at, int end, int n_open)
{
	struct pending *pending = arena_array(b->e->arena, (size_t)(end - at) + 1, sizeof *pending);
	int n_pending = 0;

	for (int i = at; i < end; i++) {
		struct stage *stage = b->group->stages.item[i];
		const struct equation *eq = stage->eq;
		bool named = stage->local || read_later(b, i, end), late = old_value_wanted(b, i, end);
		const char *value;

		start_stage(b, eq, n_open);
		if (stage->form == FORM_DOT) {
			value = write_dot(b, stage);
		} else {
			write_temps(b, &stage->term, 1, TEMPS_HERE);
			value = expr_text(b, stage->term);
			if (named || late) {
				const char *name = value_name(b, stage);

				write_line(b->e, "const %s %s = %s;", elem_type(b->e, eq->tensor->elem), name, value);
				value = name;
			}
		}
		if (named || late || stage->form == FORM_DOT)
			list_add(b->e->arena, &b->locals, (struct local){eq->tensor, -1, value});
		start_stage(b, eq, n_open);
		if (stage->local)
			continue;
		if (late)
			pending[n_pending++] = (struct pending){target_text(b, eq), value};
		else
			write_line(b->e, "%s = %s;", target_text(b, eq), value);
	}
	for (int i = 0; i < n_pending; i++)
		write_line(b->e, "%s = %s;", pending[i].target, pending[i].name);
}

/* ---- nests ---- */

static void write_row(struct body *b, struct stage *stage)
{
	struct emitter *e = b->e;
	struct equation *eq = stage->eq;
	struct accumulation acc = {.stage = stage, .first = stage->n_free};
	struct mark m = mark(b);
	int row = eq->nfree - 1;
	uint64_t open = b->open;

	open_loop(b, eq, row);
	write_line(e, "%s = %s;", target_text(b, eq), real_literal(e, 0));
	close_block(e, "}");
	b->slot_name[row] = NULL;
	b->open = open;
	forget(b, m, true);
	open_accumulation(b, &acc, stage->n_loop);
	write_line(e, "%s += %s;", target_text(b, eq), term_text(b, stage));
	close_accumulation(b, &acc);
}

/* How many elements a row of the batch has, or the whole where it has none. */
static void clear_tensor(struct body *b, const struct tensor *t)
{
	const char *name = find_arg(b, t)->name, *type = elem_type(b->e, t->elem);
	bool rows = t->rank && t->axis[0].rows && !b->one_row && has_run_time_rows(b->group);
	int64_t size = rows ? memory_sample_size(t) : memory_size(t);

	if (t->rank && t->axis[0].rows && b->one_row)
		size = memory_sample_size(t);
	b->e->uses_memset = true;
	b->takes_n |= rows;
	if (rows)
		write_line(b->e, "memset(%s, 0, (size_t)n * %lld * sizeof(%s));", name, (long long)size, type);
	else
		write_line(b->e, "memset(%s, 0, %lld * sizeof(%s));", name, (long long)size, type);
}

static void write_scatter(struct body *b, struct stage *stage)
{
	struct text target = {.arena = b->e->arena};
	struct accumulation acc = {.stage = stage};
	const struct equation *eq = stage->eq;
	const char *term;

	if (stage->clears)
		clear_tensor(b, eq->tensor);
	open_accumulation(b, &acc, stage->n_loop);
	term = term_text(b, stage);
	print_element(b, &target, eq->tensor, stage->target);
	write_line(b->e, "%s += %s;", target.at, term);
	close_accumulation(b, &acc);
}

/* The terms of stages [at, end): what hoisting looks at. */
void hoist_terms(struct body *b, int at, int end)
{
	struct expr **terms = arena_array(b->e->arena, (size_t)(end - at) + 1, sizeof *terms);

	for (int i = at; i < end; i++)
		terms[i - at] = b->group->stages.item[i]->term;
	write_temps(b, terms, end - at, TEMPS_BEFORE_LOOP);
}

/* While an index is in [from, to), the terms of stages [at, end); what they are otherwise is kept. */
static struct expr **restrict_terms(struct body *b, int at, int end, int slot, int64_t from, int64_t to)
{
	struct expr **kept = arena_array(b->e->arena, (size_t)(end - at) + 1, sizeof *kept);

	for (int i = at; i < end; i++) {
		struct stage *stage = b->group->stages.item[i];

		kept[i - at] = stage->term;
		stage->term = restrict_term(b->e->g, stage, slot < 0 ? step_slot(b->group, stage) : slot, from, to);
	}
	return kept;
}

static void restore_terms(struct body *b, int at, int end, struct expr *const *kept)
{
	for (int i = at; i < end; i++)
		b->group->stages.item[i]->term = kept[i - at];
}

static void write_nest_loops(struct body *b, int at, int end, int k, int n_open);

/* One loop after the other instead of loop k, which the schedule has cut. */
static void write_pieces(struct body *b, int at, int end, int k, int n_open)
{
	const struct stage *stage = b->group->stages.item[at];
	const struct cut *cut = &stage->cut;
	uint64_t open = b->open;

	for (int piece = 0; piece < cut->n; piece++) {
		int64_t from = cut->at[piece], to = cut->at[piece + 1];
		struct expr **kept = restrict_terms(b, at, end, cut->slot, from, to);
		struct mark m = mark(b);

		b->eq = stage->eq;
		b->open = open | (uint64_t)1 << cut->slot;
		if (to - from == 1) {
			b->slot_name[cut->slot] = NULL;
			b->slot_value[cut->slot] = from;
			write_nest_loops(b, at, end, k + 1, n_open);
		} else {
			const char *name = index_name(b, stage->eq, cut->slot);

			open_block(b->e, "for (int %s = %lld; %s < %lld; %s++) {", name, (long long)from, name,
				   (long long)to, name);
			set_slot(b, cut->slot, name);
			write_nest_loops(b, at, end, k + 1, n_open);
			close_block(b->e, "}");
		}
		forget(b, m, to - from > 1);
		restore_terms(b, at, end, kept);
	}
	b->slot_name[cut->slot] = NULL;
	b->slot_value[cut->slot] = 0;
	b->open = open;
}

/* The loops of a nest from number k on, and its body. */
static void write_nest_loops(struct body *b, int at, int end, int k, int n_open)
{
	struct stage *stage = b->group->stages.item[at];
	struct mark m = mark(b);
	int blocks = 0;

	for (; k < stage->n_free; k++) {
		if (stage->cut.n && stage->loop[k] == stage->cut.slot) {
			write_pieces(b, at, end, k, n_open);
			break;
		}
		hoist_terms(b, at, end);
		draw_ahead(b, at, end, stage->loop[k]);
		if (!blocks) /* what stands before the loops stays declared after them */
			m.names = mark(b).names;
		blocks += open_loop(b, stage->eq, stage->loop[k]);
	}
	if (k == stage->n_free && stage->form == FORM_ROW)
		write_row(b, stage);
	else if (k == stage->n_free)
		write_nest_body(b, at, end, n_open);
	close_loops(b, blocks);
	if (stage->n_free > 0 || stage->form == FORM_ROW) /* else its variables serve the nests that follow */
		forget(b, m, blocks > 0);
}

static void write_nest(struct body *b, int at, int end, int depth)
{
	struct stage *stage = b->group->stages.item[at];

	start_stage(b, stage->eq, depth);
	if (stage->form == FORM_SCATTER) {
		struct mark m = mark(b);

		write_scatter(b, stage);
		forget(b, m, false);
		return;
	}
	write_nest_loops(b, at, end, 0, depth + stage->n_free);
}

int nest_end(const struct group *group, int at)
{
	for (at++; at < group->stages.n && group->stages.item[at]->joins; at++)
		;
	return at;
}

static void write_nests(struct body *b)
{
	struct group *group = b->group;
	const struct equation *first = group->stages.item[0]->eq;
	int blocks = 0;

	start_stage(b, first, 0);
	if (write_map(b, 0, group->stages.n, 0))
		return;
	for (int s = 0; s < group->depth; s++) {
		hoist_terms(b, 0, group->stages.n);
		draw_ahead(b, 0, group->stages.n, s);
		blocks += open_loop(b, first, s);
	}
	for (int at = 0; at < group->stages.n; at = nest_end(group, at)) {
		if (nest_end(group, at) < group->stages.n || at > 0)
			start_stage(b, group->stages.item[at]->eq, group->depth);
		if (nest_end(group, 0) == group->stages.n || !write_map(b, at, nest_end(group, at), group->depth))
			write_nest(b, at, nest_end(group, at), group->depth);
	}
	close_loops(b, blocks);
}

/* Where a step reads beyond no end of its scan, without tests. */
static void write_plain_loops(struct body *b)
{
	const struct group *group = b->group;
	const char *step = group->steps ? b->step_name[count_steps(group) - 1] : NULL;
	struct text test = {.arena = b->e->arena};
	struct expr **kept;
	struct mark m;

	if (!step || !group->steady_to) {
		write_nests(b);
		return;
	}
	if (group->steady_from > 0)
		text_printf(&test, "%s >= %lld", step, (long long)group->steady_from);
	if (group->steady_to < group->steps->scan->trips)
		text_printf(&test, "%s%s < %lld", test.n ? " && " : "", step, (long long)group->steady_to);
	m = mark(b);
	kept = restrict_terms(b, 0, group->stages.n, -1, group->steady_from, group->steady_to);
	open_block(b->e, "if (%s) {", test.at);
	write_nests(b);
	forget(b, m, true);
	restore_terms(b, 0, group->stages.n, kept);
	reopen_block(b->e, "} else {");
	write_nests(b);
	close_block(b->e, "}");
	forget(b, m, true);
}

void write_loops(struct body *b)
{
	const struct stage *first = b->group->stages.item[0];
	const struct tile *tile = b->one_row ? first->row_tile : first->tile;
	int names = b->scope.names.n;
	bool none = b->e->options->freestanding && !b->e->options->tiles;
	bool either = !b->e->options->freestanding && b->e->p->n_machine > 1; /* else it is known which there are */

	if (!tile || none) {
		write_plain_loops(b);
		return;
	}
	if (either)
		text_add(b->e->out, "#ifdef TILE_PICK\n");
	start_stage(b, first->eq, 0);
	write_tiles(b, tile);
	if (!either)
		return;
	text_add(b->e->out, "#else\n");
	release_names(&b->scope, names);
	write_plain_loops(b);
	text_add(b->e->out, "#endif\n");
}

static void write_flat_body(struct body *b, const char *index)
{
	const struct equation *eq = b->group->stages.item[0]->eq;
	struct mark m = mark(b);

	b->flat_index = index;
	for (int s = 0; s < eq->nfree; s++)
		set_slot(b, s, index);
	write_nest_body(b, 0, b->group->stages.n, 64);
	forget(b, m, true);
}

/* gcc -O2 makes vectors only of loops whose number of rounds is a known multiple of theirs; libtcc makes none, and
 * random numbers are none. */
void write_flat(struct body *b)
{
	bool plain = b->e->options->freestanding || b->group->part == PART_INIT;
	const char *i;

	start_stage(b, b->group->stages.item[0]->eq, 0);
	if (write_flat_draws(b) || write_map(b, 0, b->group->stages.n, 0))
		return;
	hoist_terms(b, 0, b->group->stages.n);
	if (open_flat_blocks(b)) {
		write_flat_body(b, b->flat_index);
		close_block(b->e, "}");
		close_block(b->e, "}");
		return;
	}
	i = new_name(b->e, &b->scope, "i");
	if (plain) {
		open_block(b->e, "for (int %s = 0; %s < count; %s++) {", i, i, i);
	} else {
		const char *lane = new_name(b->e, &b->scope, "lane");

		write_line(b->e, "int %s = 0;", i);
		open_block(b->e, "for (; %s + %d <= count; %s += %d) {", i, FLAT_LANES, i, FLAT_LANES);
		open_block(b->e, "for (int %s = 0; %s < %d; %s++) {", lane, lane, FLAT_LANES, lane);
		write_flat_body(b, arena_printf(b->e->arena, "%s + %s", i, lane));
		close_block(b->e, "}");
		close_block(b->e, "}");
		open_block(b->e, "for (; %s < count; %s++) {", i, i);
	}
	write_flat_body(b, i);
	close_block(b->e, "}");
}
