/* emit_unrolled.c - a group written out: a statement for every element, no loop but that over the rows.
 *
 * Indices are replaced by numbers, so that the expressions simplify themselves: guards that hold vanish, terms that
 * are 0 are left out. Within the loop over rows the pointers move on, so that subscripts are plain numbers. */
#include "emit_unrolled.h"

#include <string.h>

enum { LINES_TO_CLEAR = 8 /* elements; more are cleared by memset */ };

struct text_list {
	const char **item;
	int n, room;
};

static const char *rows_text(const struct body *b)
{
	return has_run_time_rows(b->group) ? "n" : arena_printf(b->e->arena, "%lld", (long long)b->e->g->batch);
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
		if (is_row_slot(b, eq, s))
			return true;
	return false;
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
		set_place(b, v, eq, s, 0);
	for (int s = 0; s < eq->nfree; s++)
		if (!eq->index[s].rows && !is_step(eq, count_steps(b->group), s))
			slots[n++] = s;
	for (int k = n - 1; k >= 0; k--) {
		set_place(b, v, eq, slots[k], at % eq->index[slots[k]].extent);
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
	} while (++element != stage->to && advance_place(b, &v, eq, slots, n));
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
	while (!is_row_slot(b, eq, rows))
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
	} while (++element != stage->to && advance_place(b, &v, eq, slots, n));
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
	} while (++element != stage->to && advance_place(b, &v, stage->eq, slots, n));
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
	if (group->depth > 0 && is_row_slot(b, first, 0))
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
