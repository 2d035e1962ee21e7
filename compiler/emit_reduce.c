/* emit_reduce.c - reductions as loops: an accumulator an element, several of them side by side, a row of the tensor in
 * memory, elements found by subscripts. */
#include "emit_loops.h"

#include <string.h>

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
static const char *lane_total(struct emitter *e, const char *sums, int first, int n, int lanes)
{
	int apart = lanes / n;
	const char *left, *right;

	if (n == 1)
		return arena_printf(e->arena, "%s[%d]", sums, first);
	left = lane_total(e, sums, first, n / 2, lanes);
	right = lane_total(e, sums, first + apart, n / 2, lanes);
	return arena_printf(e->arena, n == lanes ? "%s + %s" : "(%s + %s)", left, right);
}

/* Its text is long, and compilers take long over each copy. */
void write_add_lanes(struct emitter *e)
{
	write_blank(e);
	write_comment(e, "The total of sums that ran side by side: halves of them are added, as vectors are.");
	write_line(e, "static %s add_lanes(const %s lane[%d])", e->real, e->real, (int)SUM_LANES);
	open_block(e, "{");
	write_line(e, "return %s;", lane_total(e, "lane", 0, SUM_LANES, SUM_LANES));
	close_block(e, "}");
}

/* The lanes start as the whole does. */
static void write_lane_starts(struct body *b, const struct equation *eq, const char *values, const char *lane,
			      int lanes)
{
	struct emitter *e = b->e;

	if (eq->red == RED_SUM) {
		write_line(e, "%s %s[%d] = {%s};", e->real, values, lanes, real_literal(e, 0));
		return;
	}
	write_line(e, "%s %s[%d];", e->real, values, lanes);
	open_block(e, "for (int %s = 0; %s < %d; %s++) {", lane, lane, lanes, lane);
	write_line(e, "%s[%s] = %s;", values, lane, neutral_start(b, eq));
	close_block(e, "}");
}

/* A term taken into a lane; an extreme without a branch. */
static void write_lane(struct body *b, const struct equation *eq, const char *element, const char *term)
{
	const char *value;

	if (eq->red == RED_SUM) {
		write_line(b->e, "%s += %s;", element, term);
		return;
	}
	value = new_name(b->e, &b->scope, "value");
	write_line(b->e, "const %s %s = %s;", b->e->real, value, term);
	write_line(b->e, "%s = %s %s %s ? %s : %s;", element, value, eq->red == RED_MAX ? ">" : "<", element, value,
		   element);
}

/* The greater (less) of two lanes, `apart` from each other. */
static const char *write_pair_of_lanes(struct body *b, const struct equation *eq, const char *values, const char *lane,
				       int at, int apart)
{
	const char *name = new_name(b->e, &b->scope, at ? "right" : "left");
	const char *first = arena_printf(b->e->arena, at ? "%s[%s + %d]" : "%s[%s]", values, lane, at);
	const char *second = arena_printf(b->e->arena, "%s[%s + %d]", values, lane, at + apart);

	write_line(b->e, "const %s %s = %s %s %s ? %s : %s;", b->e->real, name, second, eq->red == RED_MAX ? ">" : "<",
		   first, second, first);
	return name;
}

static void write_lane_end(struct body *b, const struct stage *stage, const char *name, const char *values,
			   const char *lane)
{
	const struct equation *eq = stage->eq;
	bool behind_else = tile_of(stage, b->one_row); /* a routine would have no use where there are tiles */
	int lanes = stage->lanes;

	if (eq->red == RED_SUM) {
		write_line(b->e, "%s += %s;", name,
			   lanes == SUM_LANES && !behind_else
				   ? arena_printf(b->e->arena, "%s(%s)", help(b->e, HELP_ADD_LANES), values)
				   : lane_total(b->e, values, 0, lanes, lanes));
		return;
	}
	open_block(b->e, "for (int %s = 0; %s < %d; %s++) {", lane, lane, lanes > 8 ? lanes / 4 : lanes, lane);
	if (lanes > 8) {
		const char *left = write_pair_of_lanes(b, eq, values, lane, 0, lanes / 4);
		const char *right = write_pair_of_lanes(b, eq, values, lane, lanes / 2, lanes / 4);

		write_accumulate(b, eq, name, name,
				 arena_printf(b->e->arena, "%s %s %s ? %s : %s", left, eq->red == RED_MAX ? ">" : "<",
					      right, left, right),
				 NULL);
	} else {
		write_accumulate(b, eq, name, name, arena_printf(b->e->arena, "%s[%s]", values, lane), NULL);
	}
	close_block(b->e, "}");
}

/* Several sums or extremes side by side, put together in a fixed order at the end: independent operations, which fill a
 * vector. */
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
	write_lane_starts(b, eq, sums, lane, lanes);
	write_line(e, "int %s = %s;", index, from);
	m = mark(b);
	open_block(e, "for (; %s + %d <= %s; %s += %d) {", index, lanes, to, index, lanes);
	open_block(e, "for (int %s = 0; %s < %d; %s++) {", lane, lane, lanes, lane);
	b->slot_name[slot] = arena_printf(e->arena, "%s + %s", index, lane);
	write_lane(b, eq, arena_printf(e->arena, "%s[%s]", sums, lane), term_text(b, stage));
	forget(b, m, true);
	close_block(e, "}");
	close_block(e, "}");
	b->slot_name[slot] = index;
	if (strchr(to, '_') || strcmp(from, "0") != 0 || eq->index[slot].rows || eq->index[slot].extent % lanes) {
		open_block(e, "for (; %s < %s; %s++) {", index, to, index);
		write_accumulate(b, eq, name, name, term_text(b, stage), NULL);
		forget(b, m, true);
		close_block(e, "}");
	}
	write_lane_end(b, stage, name, sums, lane);
}

/* One loop makes as many terms as there are lanes: their sum. */
static bool is_one_round(const struct stage *stage)
{
	return stage->eq->red == RED_SUM && stage->n_loop - stage->n_free == 1 && !stage->conditions.n &&
	       stage->eq->index[stage->loop[stage->n_free]].extent == stage->lanes &&
	       !stage->eq->index[stage->loop[stage->n_free]].rows;
}

static const char *write_round(struct body *b, struct stage *stage)
{
	struct emitter *e = b->e;
	const char *name = value_name(b, stage);
	const char *terms = new_name(e, &b->scope, arena_printf(e->arena, "%s_term", name));
	int slot = stage->loop[stage->n_free];
	struct mark m;

	write_temps(b, &stage->term, 1, TEMPS_BEFORE_LOOP);
	write_line(e, "%s %s[%d];", e->real, terms, stage->lanes);
	m = mark(b);
	open_loop(b, stage->eq, slot);
	write_line(e, "%s[%s] = %s;", terms, b->slot_name[slot], term_text(b, stage));
	close_block(e, "}");
	forget(b, m, true);
	declare_constant(b, ELEM_REAL, name, lane_total(b->e, terms, 0, stage->lanes, stage->lanes));
	return name;
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

const char *write_dot(struct body *b, struct stage *stage)
{
	struct emitter *e = b->e;
	const struct equation *eq = stage->eq;
	struct accumulation acc = {.stage = stage, .first = stage->n_free};
	bool real = eq->value->elem == ELEM_REAL, which = eq->red == RED_ARGMAX || eq->red == RED_ARGMIN;
	bool lanes = stage->lanes > 1 && !e->options->freestanding;
	const char *name, *best;
	struct mark m;

	if (lanes && is_one_round(stage))
		return write_round(b, stage);
	best = name = value_name(b, stage);
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

void write_row(struct body *b, struct stage *stage)
{
	struct emitter *e = b->e;
	struct equation *eq = stage->eq;
	struct accumulation acc = {.stage = stage, .first = stage->n_free};
	struct mark m = mark(b);
	int row = eq->nfree - 1;
	uint64_t open = b->open;

	if (!stage->adds && !b->goes_on) {
		open_loop(b, eq, row);
		write_line(e, "%s = %s;", target_text(b, eq), real_literal(e, 0));
		close_block(e, "}");
	}
	b->slot_name[row] = NULL;
	b->open = open;
	forget(b, m, true);
	open_accumulation(b, &acc, stage->n_loop);
	write_line(e, "%s += %s;", target_text(b, eq), term_text(b, stage));
	close_accumulation(b, &acc);
}

/* How many elements a row of the batch has, or the whole where it has none. */
void clear_tensor(struct body *b, const struct tensor *t)
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

void write_scatter(struct body *b, struct stage *stage)
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
