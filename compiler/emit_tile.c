/* emit_tile.c - a sum of products in tiles, as schedule_tile.c has planned it: loops around calls of one routine.
 *
 * The routine (tile_template.h) uses the vector extensions of gcc and clang, which need no header and know every
 * instruction set. Which one there is shows when the generated file is compiled: TILE_PICK takes the numbers for it.
 * Compilers without vectors, tcc among them, get the plain loops that stand behind #else. With --target there is but
 * one machine, and the file says so where another one compiles it. */
#include "emit_tile.h"

#include "emit_loops.h"

#include <stdlib.h>
#include <string.h>

/* ---- numbers that depend on the machine ---- */

static const char *pick_by(struct emitter *e, const char *macro, const int64_t *number)
{
	bool same = true;

	for (int t = 1; t < e->p->n_machine; t++)
		same &= number[t] == number[0];
	if (same)
		return arena_printf(e->arena, "%lld", (long long)number[0]);
	return arena_printf(e->arena, "%s(%lld, %lld, %lld, %lld)", macro, (long long)number[TARGET_AVX512],
			    (long long)number[TARGET_AVX2], (long long)number[TARGET_SSE2],
			    (long long)number[TARGET_NEON]);
}

const char *pick(struct emitter *e, const int64_t *number) { return pick_by(e, "TILE_PICK", number); }

const char *pick_block(struct emitter *e, const int64_t *number)
{
	const char *text = pick_by(e, "BLOCK_PICK", number);

	e->uses_blocks |= strchr(text, '(') != NULL;
	return text;
}

static const char *name_number(struct body *b, struct text *list, const char *want, const int64_t *number)
{
	const char *value = pick(b->e, number), *name;

	if (!strchr(value, '('))
		return value;
	name = new_name(b->e, &b->scope, want);
	text_printf(list, "%s%s = %s", list->n ? ", " : "", name, value);
	return name;
}

static void name_numbers(struct body *b, const struct tile *tile, struct tile_names *names)
{
	struct text list = {.arena = b->e->arena};
	int64_t lanes[TARGET_COUNT], copied[TARGET_COUNT], row[2][TARGET_COUNT], col[2][TARGET_COUNT];

	for (int t = 0; t < b->e->p->n_machine; t++) {
		lanes[t] = tile->size[t].lanes;
		copied[t] = tile->size[t].copied;
		for (int k = 0; k < 2; k++) {
			row[k][t] = tile->size[t].row[k];
			col[k][t] = tile->size[t].col[k];
		}
	}
	names->lanes = name_number(b, &list, "lanes", lanes);
	for (int k = 0; k < 2; k++) {
		names->row[k] = name_number(b, &list, "rows", row[k]);
		names->col[k] = name_number(b, &list, "columns", col[k]);
	}
	names->copied = name_number(b, &list, "copied", copied);
	if (list.n)
		write_line(b->e, "enum { %s };", list.at);
}

/* ---- the tile's shape ---- */

const char *product(struct emitter *e, const char *a, const char *b)
{
	if (strcmp(a, "1") == 0)
		return b;
	return strcmp(b, "1") == 0 ? a : arena_printf(e->arena, "%s * %s", a, b);
}

const char *number(struct emitter *e, int64_t n) { return arena_printf(e->arena, "%lld", (long long)n); }

void write_pair(struct text *out, const char *field, const char *first, const char *second)
{
	if (strcmp(second, "0") == 0)
		text_printf(out, ", .%s = {%s}", field, first);
	else
		text_printf(out, ", .%s = {%s, %s}", field, first, second);
}

/* Whether the outermost sum is repeated by the call: all are but a dot product's only one. */
static bool repeats(const struct tile *tile) { return tile->n_sum > (tile->dot ? 1 : 0); }

static void write_sums(struct body *b, struct text *out, const struct tile *tile, const struct tile_names *names,
		       bool of_b)
{
	const struct tile_axis none = {0}, *outermost = repeats(tile) ? &tile->sum[tile->n_sum - 1] : &none;

	text_printf(out, ", .%s = {", of_b ? "b_sum" : "a_sum");
	for (int k = 0; k < TILE_SUMS; k++) {
		const struct tile_axis *x = k == TILE_SUMS - 1	  ? outermost
					    : k < tile->n_sum - 1 ? &tile->sum[k]
								  : &none;
		const char *place = tile->dot && k == 0 ? names->lanes : number(b->e, of_b ? x->b : x->a);
		bool panel = tile->panel == (of_b ? PANEL_B : PANEL_A), other = of_b && tile->memory;

		if (x != &none && (panel || other)) {
			const char *step = panel_step(b, tile, names, of_b, (int)(x - tile->sum));

			place = panel ? step : if_copied(b, names, step, place);
		}
		text_printf(out, k ? ", %s" : "%s", place);
	}
	text_add(out, "}");
}

/* Trips of the inner sums; the outermost one's are the call's, unless it is the vector's. */
static void write_trips(struct body *b, struct text *out, const struct tile *tile, const struct tile_names *names)
{
	text_add(out, ", .trips = {");
	for (int k = 0; k < TILE_SUMS - 1; k++) {
		const char *trips = "1";

		if (tile->dot && k == 0)
			trips = arena_printf(b->e->arena, "%lld / %s", (long long)tile->sum[0].extent, names->lanes);
		else if (k < tile->n_sum - 1)
			trips = number(b->e, tile->sum[k].extent);
		text_printf(out, "%s%s", k ? ", " : "", trips);
	}
	text_add(out, "}");
	if (tile->dot)
		text_printf(out, ", .tail = %lld %% %s", (long long)tile->sum[0].extent, names->lanes);
}

static const char *repeat_text(struct body *b, const struct tile *tile, const struct tile_names *names)
{
	const struct tile_axis *outermost;

	if (names->steps)
		return names->steps;
	if (!repeats(tile))
		return "1";
	outermost = &tile->sum[tile->n_sum - 1];
	if (!outermost->rows || !has_run_time_rows(b->group))
		return number(b->e, outermost->extent);
	b->takes_n = true;
	return "n";
}

static const char *write_shape(struct body *b, const struct tile *tile, const struct tile_names *names)
{
	struct text out = {.arena = b->e->arena};
	const char *name = new_name(b->e, &b->scope, "shape");
	const struct tile_axis *row = tile->row, *col = tile->col;
	const char *vector = tile->dot ? NULL : names->lanes;

	text_printf(&out, ".split = {%s, %s}", names->row[0], names->col[0]);
	if (tile->panel == PANEL_A)
		write_pair(&out, "a_row", "1", row[1].a ? panel_run(b, names, false) : "0");
	else
		write_pair(&out, "a_row", number(b->e, row[0].a), number(b->e, row[1].a));
	write_pair(&out, "t_row", number(b->e, row[0].t), number(b->e, row[1].t));
	if (tile->panel == PANEL_B)
		write_pair(&out, "b_col", vector, col[1].b ? panel_run(b, names, true) : "0");
	else
		write_pair(&out, "b_col", vector ? vector : number(b->e, col[0].b), number(b->e, col[1].b));
	write_pair(&out, "t_col", vector && !tile->across ? vector : number(b->e, col[0].t), number(b->e, col[1].t));
	write_trips(b, &out, tile, names);
	write_sums(b, &out, tile, names, false);
	write_sums(b, &out, tile, names, true);
	if (tile->ahead)
		text_printf(&out, ", .ahead = %s", if_copied(b, names, "0", number(b->e, tile->ahead)));
	if (tile->asks >= 0)
		text_printf(&out, ", .ask = %s", ask_step(b, tile, names));
	text_add(&out, tile->adds ? ", .adds = 1" : "");
	text_add(&out, tile->far ? ", .far = 1" : "");
	write_line(b->e, "static const struct tile %s = {%s};", name, out.at);
	return name;
}

/* ---- the loops around ---- */

static const char *step_text(struct body *b, const struct tile *tile, const struct tile_names *names, int k)
{
	const struct tile_loop *loop = &tile->loop[k];

	switch (loop->side) {
	case SIDE_ROW: return names->row[loop->number];
	case SIDE_COLUMN: return names->col[loop->number];
	case SIDE_VECTOR: return product(b->e, names->col[0], names->lanes);
	case SIDE_SUM: return number(b->e, loop_step(tile, loop, 0));
	default: return "1";
	}
}

static bool divides(const struct body *b, const struct tile *tile, const struct tile_loop *loop)
{
	bool whole = !loop->axis.rows && !(b->block_rows && loop->axis.slot == 0);

	for (int t = 0; t < b->e->p->n_machine; t++)
		whole &= loop->axis.extent % loop_step(tile, loop, t) == 0;
	return whole;
}

void open_tile_loop(struct body *b, const struct tile *tile, struct tile_names *names, int k)
{
	struct emitter *e = b->e;
	const struct tile_loop *loop = &tile->loop[k];
	const struct tile_axis *x = &loop->axis;
	const char *base = b->eq->index[x->slot].name, *name = new_name(e, &b->scope, base), *at;
	const char *step = names->step[k], *end = number(e, x->extent);

	if (b->block_rows && x->slot == 0) {
		end = b->block_rows;
	} else if (x->rows && has_run_time_rows(b->group)) {
		b->takes_n = true;
		end = "n";
	}
	if (strcmp(step, "1") == 0)
		open_block(e, "for (int %s = 0; %s < %s; %s++) {", name, name, end, name);
	else
		open_block(e, "for (int %s = 0; %s < %s; %s += %s) {", name, name, end, name, step);
	set_slot(b, x->slot, name);
	if (loop->side == SIDE_VECTOR)
		names->vector = name;
	if (tile->across && loop->side == SIDE_VECTOR)
		names->there = arena_printf(e->arena, "%s - %s", end, name);
	if (strcmp(step, "1") == 0 || (tile->across && loop->side == SIDE_VECTOR) || divides(b, tile, loop))
		return;
	at = new_name(e, &b->scope, arena_printf(e->arena, "%s_at", base));
	/* in words of its own: plain loops would leave a helper unused */
	write_line(e, "const int %s = %s < %s - %s ? %s : %s - %s;", at, name, end, step, name, end, step);
	set_slot(b, x->slot, at);
	names->cut = loop;
	names->cut_name = name;
	names->done[loop->side == SIDE_VECTOR] = arena_printf(e->arena, "%s - %s", name, at);
}

/* The batch's rows may be fewer than a tile has: then one at a time. */
static void name_steps(struct body *b, const struct tile *tile, struct tile_names *names)
{
	for (int k = 0; k < tile->n_loop; k++) {
		const struct tile_loop *loop = &tile->loop[k];
		const char *step = step_text(b, tile, names, k);

		names->step[k] = step;
		if (!loop->axis.rows || tile->across || strcmp(step, "1") == 0 || !has_run_time_rows(b->group))
			continue;
		b->takes_n = true;
		names->few = names->step[k] = new_name(b->e, &b->scope, "step");
		write_line(b->e, "const int %s = n < %s ? 1 : %s;", names->few, step, step);
	}
}

const char *start_text(struct body *b, const struct tile *tile, int which)
{
	const struct expr *read = which ? tile->b : tile->a;
	const struct equation *eq = b->eq;
	struct tensor *t = which == 2 ? eq->tensor : read->tensor;
	struct affine all = {0}, flat = {0};
	struct text out = {.arena = b->e->arena};
	const struct arg *arg = find_arg(b, t);

	if (which < 2) {
		flat_subscript(t, read->arg, &all);
		flat.constant = all.constant - arg->shift;
	}
	for (int s = 0; s < eq->nfree && which == 2; s++)
		all.coef[s] = axis_stride(t, s);
	for (int s = 0; s < 64; s++) /* loops around the stage */
		flat.coef[s] = b->slot_name[s] ? all.coef[s] : 0;
	for (int k = 0; k < tile->n_loop; k++) {
		const struct tile_axis *x = &tile->loop[k].axis;

		if (b->slot_name[x->slot]) /* it is in the text */
			flat.coef[x->slot] = which == 0 ? x->a : which == 1 ? x->b : x->t;
	}
	print_affine(b, &out, &flat, 0);
	return strcmp(out.at, "0") == 0 ? arg->name : arena_printf(b->e->arena, "%s + %s", arg->name, out.at);
}

const char *operand_text(struct body *b, const struct tile *tile, const struct tile_names *names, int which)
{
	const char *place;

	if (tile->panel == (which ? PANEL_B : PANEL_A))
		return find_arg(b, tile->memory)->name;
	place = start_text(b, tile, which);
	if (names->from) {
		const struct tile_axis *sum = &tile->sum[tile->n_sum - 1];
		int64_t move = which ? sum->b : sum->a;

		return arena_printf(b->e->arena, "%s %c %s", place, move < 0 ? '-' : '+',
				    product(b->e, number(b->e, llabs(move)), names->from));
	}
	return which && tile->memory ? if_copied(b, names, text_of_b(b, tile, names), place) : place;
}

/* ---- a tile and the loops around it ---- */

static void write_call(struct body *b, const struct tile *tile, const struct tile_names *names, const char *shape,
		       bool one_row)
{
	struct emitter *e = b->e;
	const char *row[2] = {names->row[0], names->row[1]}, *col[2] = {names->col[0], names->col[1]};

	for (int k = 0; k < 2 && one_row; k++) { /* the side of the batch has but one */
		row[k] = tile->row[k].rows ? "1" : row[k];
		col[k] = tile->col[k].rows ? "1" : col[k];
	}
	if (tile->across) {
		write_line(e, "across_%d(&%s, %s, %s, %s, %s, %s, %s, %s, %s);", find_routine(e, tile), shape,
			   product(e, row[0], row[1]), product(e, col[0], col[1]), repeat_text(b, tile, names),
			   operand_text(b, tile, names, 0), operand_text(b, tile, names, 1), start_text(b, tile, 2),
			   names->there, ask_text(b, tile, names));
		return;
	}
	if (tile->scale) {
		write_line(e, "add_%d(&%s, %s, %s, %s, %s, %s, %s, %s, %s, %s);", find_routine(e, tile), shape,
			   product(e, row[0], row[1]), product(e, col[0], col[1]), repeat_text(b, tile, names),
			   operand_text(b, tile, names, 0), operand_text(b, tile, names, 1), start_text(b, tile, 2),
			   names->scale, names->done[0], names->done[1]);
		return;
	}
	write_line(e, "tile_%d(&%s, %d, %s, %s, %s, %s, %s, %s, %s);", find_routine(e, tile), shape, tile->dot,
		   product(e, row[0], row[1]), product(e, col[0], col[1]), repeat_text(b, tile, names),
		   operand_text(b, tile, names, 0), operand_text(b, tile, names, 1), start_text(b, tile, 2),
		   ask_text(b, tile, names));
}

/* The call of a tile, of one row of the batch where there are few. */
static void write_tile(struct body *b, const struct tile *tile, const struct tile_names *names, const char *shape)
{
	struct emitter *e = b->e;

	if (e->options->tiles) {
		call_tile(b, tile, names);
		return;
	}
	if (names->few) {
		open_block(e, "if (%s == 1) {", names->few);
		write_call(b, tile, names, shape, true);
		reopen_block(e, "} else {");
	}
	write_call(b, tile, names, shape, false);
	if (names->few)
		close_block(e, "}");
}

/* By what the sums are multiplied before they are added: known before the loops. */
static void name_scale(struct body *b, const struct tile *tile, struct tile_names *names)
{
	struct expr *scale = tile->scale;

	if (!scale)
		return;
	b->e->uses_adds = true;
	write_temps(b, &scale, 1, TEMPS_HERE);
	names->scale = expr_text(b, scale);
	if (strpbrk(names->scale, " (")) {
		const char *name = new_name(b->e, &b->scope, "scale");

		write_line(b->e, "const %s %s = %s;", b->e->real, name, names->scale);
		names->scale = name;
	}
}

void write_tiles(struct body *b, const struct tile *tile)
{
	struct emitter *e = b->e;
	struct tile_names names = {.done = {"0", "0"}};
	struct mark m = mark(b);
	const char *shape = NULL, *panel = NULL, *copy = NULL;
	int loops = e->options->tiles ? first_called_loop(tile) : tile->n_loop;

	e->uses_tiles = true;
	if (tile->memory)
		e->uses_panels = e->uses_memcpy = true;
	e->uses_across |= tile->across;
	name_numbers(b, tile, &names);
	if (!e->options->tiles)
		shape = write_shape(b, tile, &names);
	name_scale(b, tile, &names);
	name_steps(b, tile, &names);
	if (tile->panel)
		panel = e->options->tiles ? write_call_panel(b, tile)
					  : write_panel_shape(b, tile, &names, tile->panel == PANEL_B);
	if (strcmp(names.copied, "0") != 0)
		copy = write_panel_shape(b, tile, &names, true);
	if (tile->behind)
		fill_copy(b, tile, &names, copy);
	if (tile->adds && !b->goes_on)
		clear_tensor(b, b->eq->tensor);
	for (int k = 0; k <= loops; k++) {
		if (tile->panel && k == tile->outside)
			fill_panel(b, tile, &names, panel);
		if (copy && !tile->behind && k == tile->outside)
			fill_copy(b, tile, &names, copy);
		if (k < loops)
			open_tile_loop(b, tile, &names, k);
		if (k == tile->asks && !e->options->tiles)
			name_asked(b, tile, &names);
	}
	name_steps_inside(b, tile, &names);
	write_tile(b, tile, &names, shape);
	for (int k = loops; k >= 0; k--) {
		if (k == tile->followed && b->group->stages.n > 1)
			write_epilogue(b, tile, &names);
		if (k > 0)
			close_block(e, "}");
	}
	if (tile->scale)
		forget(b, m, true);
}
