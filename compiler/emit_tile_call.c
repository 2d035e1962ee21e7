/* emit_tile_call.c - tiles and panels in process: the routines are functions of the runtime (../runtime/tile.h), and
 * shapes are structures that they are given. */
#include "emit_tile.h"

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

const char *write_call_shape(struct body *b, const struct tile *tile, bool few)
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
	text_printf(&out, "%d, %d, %d, %d, 1", rows, cols, size->lanes, tile->adds);
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

void call_routine(struct body *b, const struct tile *tile, const char *shape)
{
	write_line(b->e, "nn_tile_%s(&%s, %s, %s, %s);", tile->dot ? "dot" : "run", shape, operand_text(b, tile, 0),
		   operand_text(b, tile, 1), start_text(b, tile, 2));
}

void declare_routines(struct emitter *e)
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

/* The order of an nn_panel, whose loops are written outermost first. */
const char *write_call_panel(struct body *b, const struct tile *tile)
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
