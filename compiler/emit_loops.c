/* emit_loops.c - a group as loops: the shared ones, then one nest after the other.
 *
 * The schedule says which loops, in which order, and how each stage accumulates. Here they become text, with the stores
 * at the end of a nest's body; emit_bounds.c has the bounds from conditions, emit_reduce.c accumulators and rows. */
#include "emit_loops.h"

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

const char *index_name(struct body *b, const struct equation *eq, int slot)
{
	return new_name(b->e, &b->scope, eq->index[slot].name);
}

const char *extent_text(struct body *b, const struct index *index)
{
	if (b->block_rows && index == &b->eq->index[0])
		return b->block_rows;
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
	if (b->group->backwards && slot == 0)
		open_block(b->e, "for (int %s = %s - 1; %s >= 0; %s--) {", name, extent_text(b, &eq->index[slot]), name,
			   name);
	else
		open_block(b->e, "for (int %s = 0; %s < %s; %s++) {", name, name, extent_text(b, &eq->index[slot]),
			   name);
	set_slot(b, slot, name);
	return 1;
}

void close_loops(struct body *b, int n)
{
	for (int i = 0; i < n; i++)
		close_block(b->e, "}");
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

/* ---- stores ---- */

const char *target_text(struct body *b, const struct equation *eq)
{
	struct text out = {.arena = b->e->arena};
	struct expr *subs[64];

	for (int s = 0; s < eq->nfree; s++)
		subs[s] = b->in_digits[s] ? b->in_digits[s] : ex_index(b->e->g, s);
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

/* Whether another stage of the nest stores where `at` does, so that a variable is enough. */
static bool overwritten_later(struct body *b, int at, int end)
{
	const struct arg *mine = find_arg(b, b->group->stages.item[at]->eq->tensor);
	bool later = false;

	for (int i = at + 1; i < end; i++)
		later |= !b->group->stages.item[i]->local && find_arg(b, b->group->stages.item[i]->eq->tensor) == mine;
	return later && read_later(b, at, end);
}

void write_nest_body(struct body *b, int at, int end, int n_open)
{
	struct pending *pending = arena_array(b->e->arena, (size_t)(end - at) + 1, sizeof *pending);
	int n_pending = 0;

	for (int i = at; i < end; i++) {
		struct stage *stage = b->group->stages.item[i];
		const struct equation *eq = stage->wide ? stage->wide : stage->eq;
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
		if (stage->local || overwritten_later(b, i, end))
			continue;
		if (late)
			pending[n_pending++] = (struct pending){target_text(b, eq), value};
		else
			write_line(b->e, stage->adds || b->goes_on ? "%s += %s;" : "%s = %s;", target_text(b, eq),
				   value);
	}
	for (int i = 0; i < n_pending; i++)
		write_line(b->e, "%s = %s;", pending[i].target, pending[i].name);
}

/* ---- nests ---- */

/* The terms of stages [at, end): what hoisting looks at. */
void hoist_terms(struct body *b, int at, int end)
{
	struct expr **terms = arena_array(b->e->arena, (size_t)(end - at) + 1, sizeof *terms);

	for (int i = at; i < end; i++)
		terms[i - at] = b->group->stages.item[i]->term;
	write_temps(b, terms, end - at, TEMPS_BEFORE_LOOP);
}

void write_nest_loops(struct body *b, int at, int end, int k, int n_open)
{
	struct stage *stage = b->group->stages.item[at];
	struct mark m = mark(b);
	int blocks = 0;

	for (; k < stage->n_free; k++) {
		if (write_pieces(b, at, end, k, n_open))
			break;
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
	write_nest_loops(b, at, end, 0, stage->wide ? stage->wide->n : depth + stage->n_free);
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
	if (!group->backwards && write_map(b, 0, group->stages.n, 0))
		return;
	for (int s = 0; s < group->depth; s++) {
		hoist_terms(b, 0, group->stages.n);
		draw_ahead(b, 0, group->stages.n, s);
		blocks += open_loop(b, first, s);
		if (s == 0 && group->zero)
			write_line(b->e, "if (%s == %s) continue;", expr_text(b, group->zero), real_literal(b->e, 0));
		if (s == 0 && group->backwards && write_map(b, 0, group->stages.n, 1)) {
			close_loops(b, blocks);
			return;
		}
	}
	for (int at = 0; at < group->stages.n; at = nest_end(group, at)) {
		b->n_complete = at;
		if (nest_end(group, at) < group->stages.n || at > 0)
			start_stage(b, group->stages.item[at]->eq, group->depth);
		if (nest_end(group, 0) == group->stages.n || !write_map(b, at, nest_end(group, at), group->depth))
			write_nest(b, at, nest_end(group, at), group->depth);
	}
	b->n_complete = 0;
	close_loops(b, blocks);
}

/* Where a step reads beyond no end of its scan, without tests. */
static void write_plain_loops(struct body *b)
{
	const struct group *group = b->group;
	const char *step = group->steps ? b->step_name[count_steps(group) - 1] : NULL;
	struct text test = {.arena = b->e->arena};
	struct piece_ranges before = b->ranges;
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
	know_range(b, step_slot(group, group->stages.item[0]), group->steady_from, group->steady_to);
	kept = restrict_terms(b, 0, group->stages.n, NULL);
	open_block(b->e, "if (%s) {", test.at);
	write_nests(b);
	forget(b, m, true);
	restore_terms(b, 0, group->stages.n, kept);
	b->ranges = before;
	reopen_block(b->e, "} else {");
	write_nests(b);
	close_block(b->e, "}");
	forget(b, m, true);
}

void write_loops(struct body *b)
{
	const struct stage *first = b->group->stages.item[0];
	const struct tile *tile = tile_of(first, b->one_row);
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
	if (tile->memory)
		write_line(b->e, "(void)%s;", find_arg(b, tile->memory)->name);
	write_plain_loops(b);
	text_add(b->e->out, "#endif\n");
}
