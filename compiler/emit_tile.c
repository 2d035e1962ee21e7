/* emit_tile.c - a sum of products in tiles, as schedule_tile.c has planned it: loops around calls of one routine.
 *
 * The routine (tile_template.h) uses the vector extensions of gcc and clang, which need no header and know every
 * instruction set. Which one there is shows when the generated file is compiled: TILE_PICK takes the numbers for it.
 * Compilers without vectors, tcc among them, get the plain loops that stand behind #else. With --target there is but
 * one machine, and the file says so where another one compiles it. */
#include "emit_parts.h"

#include <string.h>

#include "builtin.h"

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

/* One number where all machines agree, else a pick. */
static const char *pick(struct emitter *e, const int64_t *number) { return pick_by(e, "TILE_PICK", number); }

const char *pick_block(struct emitter *e, const int64_t *number)
{
	const char *text = pick_by(e, "BLOCK_PICK", number);

	e->uses_blocks |= strchr(text, '(') != NULL;
	return text;
}

/* What the numbers of a tile are called in the function: literals or enumerators. */
struct tile_names {
	const char *lanes, *row[2], *col[2], *step[64]; /* step: of tile->loop[k] */
	const char *few;				/* the rows of the batch by which a loop goes on, or NULL */
};

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
	int64_t lanes[TARGET_COUNT], row[2][TARGET_COUNT], col[2][TARGET_COUNT];

	for (int t = 0; t < b->e->p->n_machine; t++) {
		lanes[t] = tile->size[t].lanes;
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
	if (list.n)
		write_line(b->e, "enum { %s };", list.at);
}

/* ---- the tile's shape ---- */

static const char *product(struct emitter *e, const char *a, const char *b)
{
	if (strcmp(a, "1") == 0)
		return b;
	return strcmp(b, "1") == 0 ? a : arena_printf(e->arena, "%s * %s", a, b);
}

static const char *number(struct emitter *e, int64_t n) { return arena_printf(e->arena, "%lld", (long long)n); }

/* Elements that lie side by side in a panel, of the first of the operand's indices, and of both. */
static const char *panel_run(struct body *b, const struct tile *tile, const struct tile_names *names)
{
	return tile->panel == PANEL_A ? names->row[0] : product(b->e, names->col[0], names->lanes);
}

static const char *panel_width(struct body *b, const struct tile *tile, const struct tile_names *names)
{
	return product(b->e, panel_run(b, tile, names), tile->panel == PANEL_A ? names->row[1] : names->col[1]);
}

/* The steps of two sides: "{784, 1}", "{784}". */
static void write_pair(struct text *out, const char *field, const char *first, const char *second)
{
	if (strcmp(second, "0") == 0)
		text_printf(out, ", .%s = {%s}", field, first);
	else
		text_printf(out, ", .%s = {%s, %s}", field, first, second);
}

/* Whether the outermost sum is repeated by the call: all are but a dot product's only one. */
static bool repeats(const struct tile *tile) { return tile->n_sum > (tile->dot ? 1 : 0); }

/* From one value of a sum to the next in the panel. */
static const char *panel_step(struct body *b, const struct tile *tile, const struct tile_names *names, int sum)
{
	const char *step = panel_width(b, tile, names);
	int64_t inner = 1;

	for (int k = 0; k < sum; k++)
		inner *= tile->sum[k].extent;
	return product(b->e, number(b->e, inner), step);
}

static void write_sums(struct body *b, struct text *out, const struct tile *tile, const struct tile_names *names,
		       bool of_b)
{
	const struct tile_axis none = {0}, *outermost = repeats(tile) ? &tile->sum[tile->n_sum - 1] : &none;

	text_printf(out, ", .%s = {", of_b ? "b_sum" : "a_sum");
	for (int k = 0; k < TILE_SUMS; k++) {
		const struct tile_axis *x = k == TILE_SUMS - 1	  ? outermost
					    : k < tile->n_sum - 1 ? &tile->sum[k]
								  : &none;

		text_add(out, k ? ", " : "");
		if (tile->panel == (of_b ? PANEL_B : PANEL_A) && x != &none)
			text_add(out, panel_step(b, tile, names, (int)(x - tile->sum)));
		else
			text_add(out, tile->dot && k == 0 ? names->lanes : number(b->e, of_b ? x->b : x->a));
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

static const char *repeat_text(struct body *b, const struct tile *tile)
{
	const struct tile_axis *outermost = &tile->sum[tile->n_sum - 1];

	if (!repeats(tile))
		return "1";
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
		write_pair(&out, "a_row", "1", row[1].a ? panel_run(b, tile, names) : "0");
	else
		write_pair(&out, "a_row", number(b->e, row[0].a), number(b->e, row[1].a));
	write_pair(&out, "t_row", number(b->e, row[0].t), number(b->e, row[1].t));
	if (tile->panel == PANEL_B)
		write_pair(&out, "b_col", vector, col[1].b ? panel_run(b, tile, names) : "0");
	else
		write_pair(&out, "b_col", vector ? vector : number(b->e, col[0].b), number(b->e, col[1].b));
	write_pair(&out, "t_col", vector ? vector : number(b->e, col[0].t), number(b->e, col[1].t));
	write_trips(b, &out, tile, names);
	write_sums(b, &out, tile, names, false);
	write_sums(b, &out, tile, names, true);
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

/* One loop of the nest; a tile at its end starts earlier, so that it is whole. */
static void open_tile_loop(struct body *b, const struct tile *tile, struct tile_names *names, int k)
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
	if (strcmp(step, "1") == 0 || divides(b, tile, loop))
		return;
	at = new_name(e, &b->scope, arena_printf(e->arena, "%s_at", base));
	write_line(e, "const int %s = %s(%s, %s - %s);", at, help(e, HELP_SMALLER), name, end, step);
	set_slot(b, x->slot, at);
}

/* The batch's rows may be fewer than a tile has: then one at a time. */
static void name_steps(struct body *b, const struct tile *tile, struct tile_names *names)
{
	for (int k = 0; k < tile->n_loop; k++) {
		const struct tile_loop *loop = &tile->loop[k];
		const char *step = step_text(b, tile, names, k);

		names->step[k] = step;
		if (!loop->axis.rows || strcmp(step, "1") == 0 || !has_run_time_rows(b->group))
			continue;
		b->takes_n = true;
		names->few = names->step[k] = new_name(b->e, &b->scope, "step");
		write_line(b->e, "const int %s = n < %s ? 1 : %s;", names->few, step, step);
	}
}

/* Where a tile starts in a tensor: which: 0 A, 1 B, 2 T. */
static const char *start_text(struct body *b, const struct tile *tile, int which)
{
	const struct expr *read = which ? tile->b : tile->a;
	const struct equation *eq = b->eq;
	struct tensor *t = which == 2 ? eq->tensor : read->tensor;
	struct affine all = {0}, flat = {0};
	struct text out = {.arena = b->e->arena};
	const char *name = find_arg(b, t)->name;

	if (which < 2) {
		flat_subscript(t, read->arg, &all);
		flat.constant = all.constant;
	}
	for (int s = 0; s < eq->nfree && which == 2; s++)
		all.coef[s] = axis_stride(t, s);
	for (int s = 0; s < 64; s++) /* loops around the stage */
		flat.coef[s] = b->slot_name[s] ? all.coef[s] : 0;
	for (int k = 0; k < tile->n_loop; k++) {
		const struct tile_axis *x = &tile->loop[k].axis;

		flat.coef[x->slot] = which == 0 ? x->a : which == 1 ? x->b : x->t;
	}
	print_affine(b, &out, &flat, 0);
	return strcmp(out.at, "0") == 0 ? name : arena_printf(b->e->arena, "%s + %s", name, out.at);
}

/* Where a tile reads one of its factors. */
static const char *operand_text(struct body *b, const struct tile *tile, int which)
{
	if (tile->panel == (which ? PANEL_B : PANEL_A))
		return find_arg(b, tile->memory)->name;
	return start_text(b, tile, which);
}

/* ---- in process: the routine is a function of the runtime (runtime/tile.h) ---- */

/* Offsets of the first `room` places along a side. */
static void write_offsets(struct text *out, int n, int split, int64_t first, int64_t second)
{
	text_add(out, ", {");
	for (int i = 0; i < n; i++)
		text_printf(out, i ? ", %lld" : "%lld", (long long)(i % split * first + i / split * second));
	text_add(out, "}");
}

static int64_t sum_step(const struct tile *tile, int sum, bool of_b)
{
	int64_t step = panel_places(tile, 0);

	if (tile->panel != (of_b ? PANEL_B : PANEL_A))
		return of_b ? tile->sum[sum].b : tile->sum[sum].a;
	for (int k = 0; k < sum; k++)
		step *= tile->sum[k].extent;
	return step;
}

/* A sum's field, outermost first. */
static void write_loops_of_sum(struct body *b, struct text *out, const struct tile *tile, int which)
{
	text_add(out, ", {");
	for (int k = 2; k >= 0; k--) {
		const struct tile_axis *x = k < tile->n_sum ? &tile->sum[k] : NULL;
		const char *trips = !x ? "1" : number(b->e, x->extent);

		if (x && x->rows && has_run_time_rows(b->group)) {
			b->takes_n = true;
			trips = "n";
		}
		text_add(out, which == 0 ? trips : number(b->e, !x ? 0 : sum_step(tile, k, which == 2)));
		text_add(out, k ? ", " : "}");
	}
}

/* An nn_tile; few: of one row of the batch. */
static const char *write_call_shape(struct body *b, const struct tile *tile, bool few)
{
	const struct tile_size *size = &tile->size[0];
	struct text out = {.arena = b->e->arena};
	const char *name = new_name(b->e, &b->scope, few ? "row_shape" : "shape");
	int row[2], col[2], rows, cols, lanes = b->e->p->machine[0].lanes;
	bool constant;
	int64_t b_first = tile->dot ? tile->col[0].b : lanes, t_first = tile->dot ? tile->col[0].t : lanes;

	for (int k = 0; k < 2; k++) {
		row[k] = few && tile->row[k].rows ? 1 : size->row[k];
		col[k] = few && tile->col[k].rows ? 1 : size->col[k];
	}
	rows = row[0] * row[1];
	cols = col[0] * col[1];
	text_printf(&out, "%d, %d, %d, 0, 1", rows, cols, size->lanes);
	for (int which = 0; which < 3; which++)
		write_loops_of_sum(b, &out, tile, which);
	text_add(&out, ", 0, 0, 0");
	if (tile->panel == PANEL_A)
		write_offsets(&out, rows, row[0], 1, row[0]);
	else
		write_offsets(&out, rows, row[0], tile->row[0].a, tile->row[1].a);
	write_offsets(&out, rows, row[0], tile->row[0].t, tile->row[1].t);
	if (tile->panel == PANEL_B)
		write_offsets(&out, cols, col[0], size->lanes, (int64_t)size->lanes * col[0]);
	else
		write_offsets(&out, cols, col[0], b_first, tile->col[1].b);
	write_offsets(&out, cols, col[0], t_first, tile->col[1].t);
	constant = !(tile->n_sum && tile->sum[tile->n_sum - 1].rows && has_run_time_rows(b->group));
	write_line(b->e, "%sconst nn_tile %s = {%s};", constant ? "static " : "", name, out.at);
	return name;
}

static void call_routine(struct body *b, const struct tile *tile, const char *shape)
{
	write_line(b->e, "nn_tile_%s(&%s, %s, %s, %s);", tile->dot ? "dot" : "run", shape, operand_text(b, tile, 0),
		   operand_text(b, tile, 1), start_text(b, tile, 2));
}

static void declare_routines(struct emitter *e)
{
	write_line(e, "typedef struct nn_tile {");
	write_line(e, "\tint rows, vectors, lanes, accumulate, count, k[3];");
	write_line(e, "\tptrdiff_t scalar_k[3], vector_k[3], scalar_step, vector_step, result_step;");
	write_line(e, "\tptrdiff_t scalar[16], result_row[16], vector[6], result_vector[6];");
	write_line(e, "} nn_tile;");
	write_line(e, "void nn_tile_run(const nn_tile *tile, const %s *a, const %s *b, %s *t);", e->real, e->real,
		   e->real);
	write_line(e, "typedef struct nn_panel {");
	write_line(e, "\tint turned, run, groups, k[3];");
	write_line(e, "\tptrdiff_t step[3], place, group;");
	write_line(e, "} nn_panel;");
	write_line(e, "void nn_tile_fill(const nn_panel *panel, const %s *from, %s *to);", e->real, e->real);
	write_line(e, "void nn_tile_dot(const nn_tile *tile, const %s *a, const %s *b, %s *t);", e->real, e->real,
		   e->real);
}

/* ---- panels ---- */

/* The number of the routine with the tile's lanes on every machine, from 1. */
static int find_routine(struct emitter *e, const struct tile *tile)
{
	struct tile_lanes lanes = {{0}};

	for (int t = 0; t < e->p->n_machine; t++)
		lanes.on[t] = tile->size[t].lanes;
	for (int i = 0; i < e->tile_lanes.n; i++)
		if (memcmp(&e->tile_lanes.item[i], &lanes, sizeof lanes) == 0)
			return i + 1;
	list_add(e->arena, &e->tile_lanes, lanes);
	return e->tile_lanes.n;
}

/* Where the sums of a panel stand: the outermost one may be the rows of the batch, and is the call's. */
static int panel_loop(const struct tile *tile, int sum)
{
	return tile->sum[sum].rows ? TILE_SUMS - 1 : sum;
}

static const struct tile_axis *panel_sum(const struct tile *tile, int loop)
{
	static const struct tile_axis none = {.extent = 1};

	for (int k = 0; k < tile->n_sum; k++)
		if (panel_loop(tile, k) == loop)
			return &tile->sum[k];
	return &none;
}

static void write_panel_list(struct text *out, const struct tile *tile, const char *field, int n, bool steps)
{
	text_printf(out, "%s = {", field);
	for (int k = 0; k < n; k++) {
		const struct tile_axis *x = panel_sum(tile, k);

		text_printf(out, k ? ", %lld" : "%lld",
			    (long long)(!steps ? x->extent : tile->panel == PANEL_B ? x->b : x->a));
	}
	text_add(out, "}");
}

/* How a panel is filled. */
static const char *write_panel_shape(struct body *b, const struct tile *tile, const struct tile_names *names)
{
	const struct tile_axis *side = tile->panel == PANEL_B ? tile->col : tile->row;
	const char *name = new_name(b->e, &b->scope, "order");
	struct text out = {.arena = b->e->arena};
	int64_t place[2];

	for (int k = 0; k < 2; k++)
		place[k] = tile->panel == PANEL_B ? side[k].b : side[k].a;
	write_panel_list(&out, tile, ".trips", TILE_SUMS - 1, false);
	write_panel_list(&out, tile, ", .step", TILE_SUMS, true);
	text_printf(&out, ", .run = %s", panel_run(b, tile, names));
	write_pair(&out, "place", number(b->e, place[0]), number(b->e, place[1]));
	write_line(b->e, "static const struct filling %s = {%s};", name, out.at);
	return name;
}

/* The order of an nn_panel, whose loops are written outermost first. */
static const char *write_call_panel(struct body *b, const struct tile *tile)
{
	bool of_b = tile->panel == PANEL_B, constant = true;
	const struct tile_axis *side = of_b ? tile->col : tile->row;
	const struct tile_size *size = &tile->size[0];
	const char *name = new_name(b->e, &b->scope, "order");
	struct text out = {.arena = b->e->arena};

	text_printf(&out, "%d, %d, %d", tile->turned, of_b ? size->col[0] * size->lanes : size->row[0],
		    of_b ? size->col[1] : size->row[1]);
	for (int which = 0; which < 2; which++) {
		text_add(&out, ", {");
		for (int k = 2; k >= 0; k--) {
			const struct tile_axis *x = k < tile->n_sum ? &tile->sum[k] : NULL;
			const char *trips = number(b->e, x ? x->extent : 1);

			if (x && x->rows && has_run_time_rows(b->group)) {
				constant = false;
				trips = "n";
			}
			text_add(&out, which == 0 ? trips : number(b->e, !x ? 0 : of_b ? x->b : x->a));
			text_add(&out, k ? ", " : "}");
		}
	}
	text_printf(&out, ", %lld, %lld", (long long)(of_b ? side[0].b : side[0].a),
		    (long long)(of_b ? side[1].b : side[1].a));
	write_line(b->e, "%sconst nn_panel %s = {%s};", constant ? "static " : "", name, out.at);
	return name;
}

static void fill_panel(struct body *b, const struct tile *tile, const struct tile_names *names, const char *order)
{
	struct emitter *e = b->e;
	const struct tile_axis *repeated = panel_sum(tile, TILE_SUMS - 1);
	const char *from = start_text(b, tile, tile->panel == PANEL_B), *to = find_arg(b, tile->memory)->name;
	const char *repeat = number(e, repeated->extent);

	if (repeated->rows && has_run_time_rows(b->group)) {
		b->takes_n = true;
		repeat = "n";
	}
	if (e->options->tiles)
		write_line(e, "nn_tile_fill(&%s, %s, %s);", order, from, to);
	else
		write_line(e, "fill_%d(&%s, %d, %s, %s, %s, %s);", find_routine(e, tile), order, tile->turned,
			   tile->panel == PANEL_B ? names->col[1] : names->row[1], repeat, from, to);
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
	write_line(e, "tile_%d(&%s, %d, %s, %s, %s, %s, %s, %s);", find_routine(e, tile), shape, tile->dot,
		   product(e, row[0], row[1]), product(e, col[0], col[1]), repeat_text(b, tile), operand_text(b, tile, 0),
		   operand_text(b, tile, 1), start_text(b, tile, 2));
}

/* The call of a tile, of one row of the batch where there are few. */
static void write_tile(struct body *b, const struct tile *tile, const struct tile_names *names,
		       const char *const shape[2], bool few)
{
	if (b->e->options->tiles)
		call_routine(b, tile, shape[few]);
	else
		write_call(b, tile, names, shape[0], few);
}

void write_tiles(struct body *b, const struct tile *tile)
{
	struct emitter *e = b->e;
	struct tile_names names = {0};
	const char *shape[2] = {0}, *panel = NULL;

	e->uses_tiles = true;
	if (tile->panel)
		e->uses_panels = e->uses_memcpy = true;
	name_numbers(b, tile, &names);
	shape[0] = e->options->tiles ? write_call_shape(b, tile, false) : write_shape(b, tile, &names);
	name_steps(b, tile, &names);
	if (names.few && e->options->tiles)
		shape[1] = write_call_shape(b, tile, true);
	if (tile->panel)
		panel = e->options->tiles ? write_call_panel(b, tile) : write_panel_shape(b, tile, &names);
	for (int k = 0; k <= tile->n_loop; k++) {
		if (tile->panel && k == tile->outside)
			fill_panel(b, tile, &names, panel);
		if (k < tile->n_loop)
			open_tile_loop(b, tile, &names, k);
	}
	if (names.few) {
		open_block(e, "if (%s == 1) {", names.few);
		write_tile(b, tile, &names, shape, true);
		reopen_block(e, "} else {");
	}
	write_tile(b, tile, &names, shape, false);
	if (names.few)
		close_block(e, "}");
	for (int k = 0; k < tile->n_loop; k++)
		close_block(e, "}");
}

/* ---- the routine ---- */

static const char idea[] =
	"/* A tile of a sum of products: its results stay in registers while the sums run. Result number i stands in row\n"
	" * i / columns; a row (column) may belong to two indices, of which the first has `split` values in the tile.";

/* For every machine. */
static const char pick_one[] =
	"\n * Where the compiler knows no vectors, or NN_PLAIN_LOOPS is defined, plain loops do the same. */\n"
	"#if defined(__GNUC__) && !defined(__TINYC__) && !defined(NN_PLAIN_LOOPS)\n"
	"#if defined(__AVX512F__)\n"
	"#define TILE_PICK(avx512, avx2, sse2, neon) avx512\n"
	"#elif defined(__AVX2__) && defined(__FMA__)\n"
	"#define TILE_PICK(avx512, avx2, sse2, neon) avx2\n"
	"#elif defined(__SSE2__)\n"
	"#define TILE_PICK(avx512, avx2, sse2, neon) sse2\n"
	"#elif defined(__aarch64__)\n"
	"#define TILE_PICK(avx512, avx2, sse2, neon) neon\n"
	"#endif\n"
	"#endif\n"
	"#ifdef TILE_PICK\n";

/* For one: what its compiler defines, and how it is told to. */
static const struct {
	const char *name, *macros, *needs;
} known[TARGET_COUNT] = {
	[TARGET_AVX512] = {"avx512", "defined(__AVX512F__)", "-mavx512f"},
	[TARGET_AVX2] = {"avx2", "defined(__AVX2__) && defined(__FMA__)", "-mavx2 -mfma"},
	[TARGET_SSE2] = {"sse2", "defined(__SSE2__)", "-msse2"},
	[TARGET_NEON] = {"neon", "defined(__aarch64__)", "an AArch64 machine"},
};

static const char *const head[] = {
	"struct tile {",
	"\tint split[2];               /* of rows, of columns */",
	"\tint a_row[2], t_row[2];     /* steps from row to row in A and in T */",
	"\tint b_col[2], t_col[2];     /* from column to column in B and in T */",
	"\tint trips[3];               /* of the inner sums, innermost first */",
	"\tint a_sum[4], b_sum[4];     /* their steps; the last is the outermost sum's */",
	"\tint tail;                   /* dot products: elements beyond whole vectors */",
	"};",
	"#define TILE_AT(step, i, split) ((i) % (split) * (step)[0] + (i) / (split) * (step)[1])",
	"#if defined(__clang__)",
	"#define TILE_INLINE static inline __attribute__((unused, always_inline, min_vector_width(512)))",
	"#define TILE_UNROLL _Pragma(\"clang loop unroll(full)\")",
	"#else",
	"#define TILE_INLINE static inline __attribute__((unused, always_inline))",
	"#define TILE_UNROLL _Pragma(\"GCC unroll 32\")",
	"#endif",
	"#if defined(__clang__) || __GNUC__ >= 12",
	"#define TILE_SHUFFLE(mask, x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)",
	"#else",
	"#define TILE_SHUFFLE(mask, x, y, ...) __builtin_shuffle(x, y, (mask){__VA_ARGS__})",
	"#endif",
	"#define TILE_NUMBERS_2(from, by) from, from + by",
	"#define TILE_NUMBERS_4(from, by) TILE_NUMBERS_2(from, by), TILE_NUMBERS_2(from + 2 * by, by)",
	"#define TILE_NUMBERS_8(from, by) TILE_NUMBERS_4(from, by), TILE_NUMBERS_4(from + 4 * by, by)",
	"#define TILE_NUMBERS_16(from, by) TILE_NUMBERS_8(from, by), TILE_NUMBERS_8(from + 8 * by, by)",
};

static const char *const panel_head[] = {
	"struct filling { /* an operand, in the order in which a tile reads it */",
	"\tint trips[3], step[4]; /* of the sums, as those of a tile */",
	"\tint run, place[2];      /* elements side by side, as many of one index, then groups of them */",
	"};",
	"#define PANEL_LANES_2(from, by) from, (from) + (by)",
	"#define PANEL_LANES_4(from, by) PANEL_LANES_2(from, by), PANEL_LANES_2((from) + 1, by)",
	"#define PANEL_LANES_8(from, by) PANEL_LANES_4(from, by), PANEL_LANES_4((from) + 2, by)",
	"#define PANEL_LANES_16(from, by) PANEL_LANES_8(from, by), PANEL_LANES_8((from) + 4, by)",
};

static bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }

/* What TILE_LIST_1 and its like stand for: as many numbers as there are lanes. */
static void define_list(struct emitter *e, const char *name, const char *numbers, const char *args, int routine)
{
	const struct tile_lanes *lanes = &e->tile_lanes.item[routine - 1];

	text_printf(e->out, "#define %s_%d(from%s) ", name, routine, strstr(args, "by") ? ", by" : "");
	text_add(e->out, e->p->n_machine > 1 ? "TILE_PICK(" : "");
	for (int t = 0; t < e->p->n_machine; t++)
		text_printf(e->out, "%s%s_%d(%s)", t ? ", " : "", numbers, (int)lanes->on[t], args);
	text_add(e->out, e->p->n_machine > 1 ? ")\n" : "\n");
}

/* A template with its words replaced. */
static void write_template(struct emitter *e, const char *template, int routine)
{
	const struct {
		const char *word, *text;
	} words[] = {
		{"NUMBER", number(e, routine)},
		{"LANES", pick(e, e->tile_lanes.item[routine - 1].on)},
		{"REAL", e->real},
		{"INTEGER", e->real_kind == NNC_FLOAT ? "int32_t" : "int64_t"},
	};

	for (const char *at = strstr(template, "*/\n") + 3; *at;) {
		size_t n = 0, letters = 0;

		while (at[n] && !is_capital(at[n]))
			n++;
		text_add_bytes(e->out, at, n);
		at += n;
		while (is_capital(at[letters]))
			letters++;
		for (size_t w = 0; letters && w < sizeof words / sizeof *words; w++)
			if (strncmp(at, words[w].word, strlen(words[w].word)) == 0) {
				text_add(e->out, words[w].text);
				at += strlen(words[w].word);
				letters = 0;
			}
		text_add_bytes(e->out, at, letters);
		at += letters;
	}
}

static void write_head(struct emitter *e, bool all)
{
	enum nnc_target target = e->g->ctx->options->target;
	int only = (int)target - NNC_TARGET_AVX512;

	text_add(e->out, idea);
	if (all)
		text_add(e->out, pick_one);
	else
		text_printf(e->out,
			    " */\n#if !defined(__GNUC__) || defined(__TINYC__) || !(%s)\n"
			    "#error \"made by nnc --target=%s: needs gcc or clang, for %s\"\n#endif\n",
			    known[only].macros, known[only].name, known[only].needs);
	for (size_t i = 0; i < sizeof head / sizeof *head; i++)
		text_printf(e->out, "%s\n", head[i]);
	for (size_t i = 0; e->uses_panels && i < sizeof panel_head / sizeof *panel_head; i++)
		text_printf(e->out, "%s\n", panel_head[i]);
}

void write_tile_routines(struct emitter *e)
{
	bool all = e->p->n_machine > 1;

	if (!e->uses_tiles)
		return;
	write_blank(e);
	if (e->options->tiles) {
		declare_routines(e);
		return;
	}
	write_head(e, all);
	for (int routine = 1; routine <= e->tile_lanes.n; routine++) {
		write_blank(e);
		define_list(e, "TILE_LIST", "TILE_NUMBERS", "from, by", routine);
		if (e->uses_panels)
			define_list(e, "PANEL_PAIRS", "PANEL_LANES", arena_printf(e->arena, "from, lanes_%d", routine), routine);
		write_template(e, tile_template_text(), routine);
		if (e->uses_panels)
			write_template(e, panel_template_text(), routine);
	}
	if (all && e->uses_blocks)
		text_add(e->out, "#define BLOCK_PICK TILE_PICK\n#else\n"
				 "#define BLOCK_PICK(avx512, avx2, sse2, neon) neon\n");
	if (all)
		text_add(e->out, "#endif\n");
}
