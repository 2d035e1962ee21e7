/* emit_unrolled.c - a group written out: a statement for every element, no loop but that over the rows.
 *
 * Indices are replaced by numbers, so that the expressions simplify themselves: guards that hold vanish, terms that
 * are 0 are left out. Within the loop over rows the pointers move on, so that subscripts are plain numbers. */
#include "emit_parts.h"

#include <math.h>
#include <string.h>

enum { LINES_TO_CLEAR = 8 /* elements; more are cleared by memset */ };

struct text_list {
	const char **item;
	int n, room;
};

/* The values of a stage's slots, NULL where a slot stays an index (rows, steps of scans). */
struct place_values {
	struct expr *slot[64];
	int64_t value[64];
};

static bool is_row(const struct body *b, const struct equation *eq, int slot)
{
	return eq->index[slot].rows && !b->one_row;
}

static bool stays_index(const struct body *b, const struct equation *eq, int slot)
{
	return is_row(b, eq, slot) || is_step(eq, count_steps(b->group), slot);
}

static const char *rows_text(const struct body *b)
{
	return has_run_time_rows(b->group) ? "n" : arena_printf(b->e->arena, "%lld", (long long)b->e->g->batch);
}

static void set_value(struct body *b, struct place_values *v, const struct equation *eq, int slot, int64_t value)
{
	v->value[slot] = value;
	v->slot[slot] = stays_index(b, eq, slot) ? NULL : ex_int(b->e->g, value);
}

static int64_t rounds(const struct index *index) { return index->rows ? 1 : index->extent; }

/* The next combination of the slots listed, the last one fastest; false after the last. */
static bool advance(struct body *b, struct place_values *v, const struct equation *eq, const int *slots, int n)
{
	for (int k = n - 1; k >= 0; k--) {
		if (v->value[slots[k]] + 1 < rounds(&eq->index[slots[k]])) {
			set_value(b, v, eq, slots[k], v->value[slots[k]] + 1);
			return true;
		}
		set_value(b, v, eq, slots[k], 0);
	}
	return false;
}

static struct expr *value_at(struct body *b, const struct equation *eq, const struct place_values *v)
{
	return ex_substitute(b->e->g, eq->value, v->slot, eq->n);
}

static int64_t element_at(const struct equation *eq, const struct place_values *v)
{
	int64_t at = 0;

	for (int s = 0; s < eq->nfree; s++)
		at += v->value[s] * axis_stride(eq->tensor, s);
	return at;
}

static const char *target_at(struct body *b, const struct equation *eq, const struct place_values *v)
{
	struct text out = {.arena = b->e->arena};
	struct expr *subs[64];

	for (int s = 0; s < eq->nfree; s++)
		subs[s] = v->slot[s] ? v->slot[s] : ex_index(b->e->g, s);
	print_element(b, &out, eq->tensor, subs);
	return out.at;
}

static bool sums_rows(const struct body *b, const struct equation *eq)
{
	for (int s = eq->nfree; s < eq->n; s++)
		if (is_row(b, eq, s))
			return true;
	return false;
}

/* The bound slots but rows, in the order of the stage's loops. */
static int bound_slots(const struct body *b, const struct stage *stage, int *slots)
{
	int n = 0;

	for (int k = 0; k < stage->n_loop; k++)
		if (stage->loop[k] >= stage->eq->nfree && !is_row(b, stage->eq, stage->loop[k]))
			slots[n++] = stage->loop[k];
	return n;
}

static bool is_neutral_value(enum reducer red, const struct expr *e)
{
	return (red == RED_SUM && ex_is_num(e, 0)) || (red == RED_PROD && ex_is_num(e, 1));
}

/* The function that each of the terms is, where compilers can make vectors of its calls; NULL: there is none. */
static const char *shared_function(struct body *b, const expr_list *terms)
{
	enum { PAYS = 8 /* terms from which on an array is no detour */ };
	const struct expr *first = terms->item[0];

	if (terms->n < PAYS || b->e->options->tiles || first->elem != ELEM_REAL || first->n != 1)
		return NULL;
	for (int i = 1; i < terms->n; i++)
		if (terms->item[i]->op != first->op)
			return NULL;
	return fast_math_name(b->e, ex_name(first->op));
}

/* The terms, one function of different values, which is computed in a loop over them. */
static const char *called_terms(struct body *b, const struct equation *eq, const expr_list *terms, const char *function)
{
	struct emitter *e = b->e;
	const char *name = new_name(e, &b->scope, arena_printf(e->arena, "%s_term", base_name(b, eq->tensor)));
	const char *k = new_name(e, &b->scope, "k");
	struct text values = {.arena = e->arena}, out = {.arena = e->arena};
	expr_list args = {0};

	for (int i = 0; i < terms->n; i++)
		list_add(e->arena, &args, terms->item[i]->arg[0]);
	write_temps(b, args.item, args.n, TEMPS_HERE);
	for (int i = 0; i < args.n; i++) {
		text_printf(&values, "%s%s", i ? ", " : "", expr_text(b, args.item[i]));
		text_printf(&out, "%s%s[%d]", i == 0 ? "" : eq->red == RED_SUM ? " + " : " * ", name, i);
	}
	write_line(e, "%s %s[%d] = {%s};", e->real, name, args.n, values.at);
	open_block(e, "for (int %s = 0; %s < %d; %s++) {", k, k, args.n, k);
	write_line(e, "%s[%s] = %s(%s[%s]);", name, k, function, name, k);
	close_block(e, "}");
	return out.at;
}

/* The terms of one element of a sum or product, joined; NULL: there are none. */
static const char *joined_terms(struct body *b, const struct stage *stage, struct place_values *v)
{
	const struct equation *eq = stage->eq;
	struct text out = {.arena = b->e->arena};
	expr_list terms = {0};
	int slots[64], n = bound_slots(b, stage, slots);
	bool sum = eq->red == RED_SUM;
	const char *function;

	for (int k = 0; k < n; k++)
		set_value(b, v, eq, slots[k], 0);
	do {
		struct expr *term = value_at(b, eq, v);

		if (!is_neutral_value(eq->red, term))
			list_add(b->e->arena, &terms, term);
	} while (advance(b, v, eq, slots, n));
	if (!terms.n)
		return NULL;
	if ((function = shared_function(b, &terms)))
		return called_terms(b, eq, &terms, function);
	write_temps(b, terms.item, terms.n, TEMPS_HERE);
	for (int i = 0; i < terms.n; i++) {
		struct expr *term = terms.item[i];
		bool minus = sum && i > 0 && term->op == EX_NEG;

		if (i > 0)
			text_add(&out, minus ? " - " : sum ? " + " : " * ");
		print_c(b, &out, minus ? term->arg[0] : term, terms.n == 1 ? 0 : !sum ? 13 + (i > 0) : i > 0 ? 13 : 12);
	}
	return out.at;
}

/* "_3_0": which element, for names. */
static const char *element_suffix(struct body *b, const struct equation *eq, const struct place_values *v)
{
	struct text out = {.arena = b->e->arena};

	for (int s = 0; s < eq->nfree; s++)
		if (!eq->index[s].rows && eq->index[s].extent > 1 && !is_step(eq, count_steps(b->group), s))
			text_printf(&out, "_%lld", (long long)v->value[s]);
	return out.at;
}

static const char *element_name(struct body *b, const struct stage *stage, const struct place_values *v)
{
	const char *suffix = element_suffix(b, stage->eq, v);
	const char *base = base_name(b, stage->eq->tensor);

	return new_name(b->e, &b->scope, suffix ? arena_printf(b->e->arena, "%s%s", base, suffix) : base);
}

/* Statements for the largest of the terms of one element, and which it is. */
static const char *extreme_term(struct body *b, const struct stage *stage, struct place_values *v)
{
	const struct equation *eq = stage->eq;
	int slots[64], n = bound_slots(b, stage, slots);
	bool which = eq->red == RED_ARGMAX || eq->red == RED_ARGMIN, first = true;
	const char *name = element_name(b, stage, v), *best = which ? new_name(b->e, &b->scope, "best") : name;
	int winner = 0;

	for (int k = 0; k < n; k++)
		set_value(b, v, eq, slots[k], 0);
	do {
		struct expr *term = value_at(b, eq, v);
		const char *text;

		write_temps(b, &term, 1, TEMPS_HERE);
		text = expr_text(b, term);
		if (first) {
			if (which)
				write_line(b->e, "int32_t %s = 0;", name);
			write_line(b->e, "%s %s = %s;", eq->value->elem == ELEM_REAL ? b->e->real : "int32_t", best,
				   text);
		} else {
			write_accumulate(b, eq, name, best, text,
					 which ? arena_printf(b->e->arena, "%d", winner) : NULL);
		}
		first = false;
		winner++;
	} while (advance(b, v, eq, slots, n));
	return name;
}

static bool is_joined(const struct equation *eq) { return eq->red == RED_SUM || eq->red == RED_PROD; }

/* Its value is made in a variable of its own. */
static bool is_variable(const struct equation *eq) { return eq->red != RED_NONE && !is_joined(eq); }

/* The value of one element as text that can stand on the right of an assignment; what it needs is written before. */
static const char *element_value(struct body *b, const struct stage *stage, struct place_values *v)
{
	struct expr *value;
	const char *text;

	if (is_joined(stage->eq))
		return (text = joined_terms(b, stage, v)) ? text : neutral_start(b, stage->eq);
	if (stage->eq->red != RED_NONE)
		return extreme_term(b, stage, v);
	value = value_at(b, stage->eq, v);
	write_temps(b, &value, 1, TEMPS_HERE);
	return expr_text(b, value);
}

struct pending {
	const char *target, *name;
};

/* One element of every stage in [at, end), then what must be stored late. */
static void write_element(struct body *b, int at, int end, struct place_values *v)
{
	struct pending *pending = arena_array(b->e->arena, (size_t)(end - at) + 1, sizeof *pending);
	int n_pending = 0;

	for (int i = at; i < end; i++) {
		const struct stage *stage = b->group->stages.item[i];
		const struct equation *eq = stage->eq;
		bool late = old_value_wanted(b, i, end), named = stage->local || late || read_later(b, i, end);
		const char *value;

		b->eq = eq;
		b->suffix = element_suffix(b, eq, v);
		value = element_value(b, stage, v);
		if (named && !is_variable(eq)) {
			const char *name = element_name(b, stage, v);

			declare_constant(b, eq->tensor->elem, name, value);
			value = name;
		}
		if (named)
			list_add(b->e->arena, &b->locals, (struct local){eq->tensor, element_at(eq, v), value});
		b->suffix = NULL;
		if (late)
			pending[n_pending++] = (struct pending){target_at(b, eq, v), value};
		else if (!stage->local)
			write_line(b->e, "%s = %s;", target_at(b, eq, v), value);
	}
	for (int i = 0; i < n_pending; i++)
		write_line(b->e, "%s = %s;", pending[i].target, pending[i].name);
}

/* Free slots but rows, at the first element of the stage's range; bound slots start at 0. */
static int start_elements(struct body *b, const struct stage *stage, struct place_values *v, int *slots)
{
	const struct equation *eq = stage->eq;
	int64_t at = stage->from;
	int n = 0;

	memset(v, 0, sizeof *v);
	for (int s = 0; s < eq->n; s++)
		set_value(b, v, eq, s, 0);
	for (int s = 0; s < eq->nfree; s++)
		if (!eq->index[s].rows && !is_step(eq, count_steps(b->group), s))
			slots[n++] = s;
	for (int k = n - 1; k >= 0; k--) {
		set_value(b, v, eq, slots[k], at % eq->index[slots[k]].extent);
		at /= eq->index[slots[k]].extent;
	}
	return n;
}

/* The variables or elements that the sums over rows accumulate in, set to their start. */
static void start_row_sums(struct body *b, const struct stage *stage, struct text_list *targets)
{
	const struct equation *eq = stage->eq;
	struct place_values v;
	int slots[64], n = start_elements(b, stage, &v, slots);
	int64_t element = stage->from;
	bool block = !stage->local && !(eq->nfree > 0 && eq->index[0].rows) && !stage->n_steps && eq->red == RED_SUM &&
		     stage_cost(stage) > LINES_TO_CLEAR;

	if (block) {
		b->e->uses_memset = true;
		write_line(b->e, "memset(%s%s, 0, %lld * sizeof(%s));", find_arg(b, eq->tensor)->name,
			   stage->from ? arena_printf(b->e->arena, " + %lld", (long long)stage->from) : "",
			   (long long)((stage->to ? stage->to : tensor_size(eq->tensor)) - stage->from), b->e->real);
	}
	do {
		const char *name = stage->local ? element_name(b, stage, &v) : target_at(b, eq, &v);

		if (stage->local) {
			write_line(b->e, "%s %s = %s;", b->e->real, name, neutral_start(b, eq));
			list_add(b->e->arena, &b->locals, (struct local){eq->tensor, element_at(eq, &v), name});
		} else if (!block) {
			write_line(b->e, "%s = %s;", name, neutral_start(b, eq));
		}
		list_add(b->e->arena, targets, name);
	} while (++element != stage->to && advance(b, &v, eq, slots, n));
}

/* A sum over the rows: every element starts at 0 and takes in each row. */
static void write_row_sums(struct body *b, int at)
{
	struct emitter *e = b->e;
	const struct stage *stage = b->group->stages.item[at];
	const struct equation *eq = stage->eq;
	struct place_values v;
	struct text_list targets = {0};
	int slots[64], n, rows = eq->nfree, next = 0;
	int64_t element = stage->from;
	struct mark m;

	b->eq = eq;
	while (!is_row(b, eq, rows))
		rows++;
	start_row_sums(b, stage, &targets);
	hoist_terms(b, at, at + 1);
	m = mark(b);
	b->takes_n |= has_run_time_rows(b->group);
	set_slot(b, rows, new_name(e, &b->scope, eq->index[rows].name));
	open_block(e, "for (int %s = 0; %s < %s; %s++) {", b->slot_name[rows], b->slot_name[rows], rows_text(b),
		   b->slot_name[rows]);
	n = start_elements(b, stage, &v, slots);
	do {
		const char *target = targets.item[next++], *terms = joined_terms(b, stage, &v);

		if (!terms) /* every one is 0 */
			continue;
		write_accumulate(b, eq, target, target, terms, NULL);
	} while (++element != stage->to && advance(b, &v, eq, slots, n));
	close_block(e, "}");
	forget(b, m, true);
	b->slot_name[rows] = NULL;
	b->open &= ~((uint64_t)1 << rows);
}

static void write_elements(struct body *b, int at, int end)
{
	const struct stage *stage = b->group->stages.item[at];
	struct place_values v;
	int slots[64], n = start_elements(b, stage, &v, slots);
	int64_t element = stage->from;

	do {
		struct place_values here = v;

		write_element(b, at, end, &here);
	} while (++element != stage->to && advance(b, &v, stage->eq, slots, n));
}

/* Pointers to rows may move on if every access is to the row of the loop. */
static void find_bumped(struct body *b)
{
	struct graph *g = b->e->g;

	for (int i = 0; i < b->args.n; i++)
		b->args.item[i].bumped = b->args.item[i].root->batched;
	for (int i = 0; i < b->group->stages.n; i++) {
		const struct stage *stage = b->group->stages.item[i];
		expr_list reads = stage->reads;

		for (int k = 0; k < reads.n; k++) {
			struct arg *arg = find_arg(b, reads.item[k]->tensor);

			if (arg && (!reads.item[k]->tensor->batched || reads.item[k]->arg[0] != ex_index(g, 0)))
				arg->bumped = false;
		}
	}
}

static int open_rows(struct body *b, const struct equation *eq)
{
	struct text moves = {.arena = b->e->arena};
	const char *row = new_name(b->e, &b->scope, eq->index[0].name);

	find_bumped(b);
	for (int i = 0; i < b->args.n; i++)
		if (b->args.item[i].bumped)
			text_printf(&moves, ", %s += %lld", b->args.item[i].name,
				    (long long)memory_sample_size(b->args.item[i].root));
	b->takes_n |= has_run_time_rows(b->group);
	open_block(b->e, "for (int %s = 0; %s < %s; %s++%s) {", row, row, rows_text(b), row, moves.at ? moves.at : "");
	set_slot(b, 0, row);
	b->rows_slot = row;
	return 1;
}

void write_unrolled(struct body *b)
{
	struct group *group = b->group;
	const struct equation *first = group->stages.item[0]->eq;
	int blocks = 0;

	start_stage(b, first, 0);
	hoist_terms(b, 0, group->stages.n);
	if (group->depth > 0 && is_row(b, first, 0))
		blocks = open_rows(b, first);
	for (int at = 0; at < group->stages.n;) {
		int end = at + 1;

		if (sums_rows(b, group->stages.item[at]->eq)) {
			write_row_sums(b, at);
		} else {
			while (end < group->stages.n && group->stages.item[end]->joins &&
			       !sums_rows(b, group->stages.item[end]->eq))
				end++;
			write_elements(b, at, end);
		}
		at = end;
	}
	drop_unused_constants(b);
	if (blocks)
		close_block(b->e, "}");
}
