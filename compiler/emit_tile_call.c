/* emit_tile_call.c - tiles and panels in process: the routines are functions of the runtime (../runtime/tile.h), and
 * shapes are structures of it that they are given, as words (emit_words.c). */
#include "emit_tile.h"

#include <stddef.h>
#include <string.h>

#include "../runtime/tile.h"

/* Offsets of places along a side. */
static void set_offsets(ptrdiff_t *out, int n, int split, int64_t first, int64_t second)
{
	for (int i = 0; i < n; i++)
		out[i] = (ptrdiff_t)(i % split * first + i / split * second);
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

/* What a routine is to read: constants, or a copy of them in which the trips of a sum over the call's rows, in the
 * field `trips`, outermost first, are set. */
static const char *structure_text(struct body *b, const struct tile *tile, const char *want, const void *structure,
				  size_t size, size_t trips)
{
	const char *words = words_text(b->e, structure, (int)(size / sizeof(int32_t))), *name = NULL;

	for (int k = 0; k < NN_TILE_LOOPS && k < tile->n_sum; k++) {
		if (!tile->sum[k].rows || !has_run_time_rows(b->group))
			continue;
		if (!name) {
			name = new_name(b->e, &b->scope, want);
			write_line(b->e, "ptrdiff_t %s[%d];", name, (int)(size / sizeof(ptrdiff_t)));
			write_line(b->e, "memcpy(%s, %s, sizeof %s);", name, words, name);
		}
		b->takes_n = true;
		write_line(b->e, "((int *)%s)[%d] = n;", name, (int)(trips / sizeof(int32_t)) + NN_TILE_LOOPS - 1 - k);
	}
	return name ? name : words;
}

const char *write_call_shape(struct body *b, const struct tile *tile, bool few)
{
	const struct tile_size *size = &tile->size[0];
	int row[2], col[2], rows, cols, lanes = b->e->p->machine[0].lanes;
	int64_t b_first = tile->dot ? tile->col[0].b : lanes, t_first = tile->dot ? tile->col[0].t : lanes;
	nn_tile shape;

	for (int k = 0; k < 2; k++) {
		row[k] = few && tile->row[k].rows ? 1 : size->row[k];
		col[k] = few && tile->col[k].rows ? 1 : size->col[k];
	}
	rows = row[0] * row[1];
	cols = col[0] * col[1];
	memset(&shape, 0, sizeof shape);
	shape.rows = rows;
	shape.vectors = cols;
	shape.lanes = size->lanes;
	shape.accumulate = tile->adds;
	shape.count = 1;
	for (int k = 0; k < NN_TILE_LOOPS; k++) {
		int at = NN_TILE_LOOPS - 1 - k;

		shape.k[at] = k < tile->n_sum ? (int32_t)tile->sum[k].extent : 1;
		shape.scalar_k[at] = k < tile->n_sum ? (ptrdiff_t)sum_step(tile, k, false) : 0;
		shape.vector_k[at] = k < tile->n_sum ? (ptrdiff_t)sum_step(tile, k, true) : 0;
	}
	if (tile->panel == PANEL_A)
		set_offsets(shape.scalar, rows, row[0], 1, row[0]);
	else
		set_offsets(shape.scalar, rows, row[0], tile->row[0].a, tile->row[1].a);
	set_offsets(shape.result_row, rows, row[0], tile->row[0].t, tile->row[1].t);
	if (tile->panel == PANEL_B)
		set_offsets(shape.vector, cols, col[0], size->lanes, (int64_t)size->lanes * col[0]);
	else
		set_offsets(shape.vector, cols, col[0], b_first, tile->col[1].b);
	set_offsets(shape.result_vector, cols, col[0], t_first, tile->col[1].t);
	return structure_text(b, tile, few ? "row_shape" : "shape", &shape, sizeof shape, offsetof(nn_tile, k));
}

void call_routine(struct body *b, const struct tile *tile, const char *shape)
{
	write_line(b->e, "nn_tile_%s(%s, %s, %s, %s);", tile->dot ? "dot" : "run", shape, operand_text(b, tile, 0),
		   operand_text(b, tile, 1), start_text(b, tile, 2));
}

void declare_routines(struct emitter *e)
{
	write_line(e, "void nn_tile_run(const void *tile, const %s *a, const %s *b, %s *t);", e->real, e->real,
		   e->real);
	write_line(e, "void nn_tile_dot(const void *tile, const %s *a, const %s *b, %s *t);", e->real, e->real,
		   e->real);
	write_line(e, "void nn_tile_fill(const void *panel, const %s *from, %s *to);", e->real, e->real);
}

const char *write_call_panel(struct body *b, const struct tile *tile)
{
	bool of_b = tile->panel == PANEL_B;
	const struct tile_axis *side = of_b ? tile->col : tile->row;
	const struct tile_size *size = &tile->size[0];
	nn_panel order;

	memset(&order, 0, sizeof order);
	order.turned = tile->turned;
	order.run = of_b ? size->col[0] * size->lanes : size->row[0];
	order.groups = of_b ? size->col[1] : size->row[1];
	for (int k = 0; k < NN_TILE_LOOPS; k++) {
		const struct tile_axis *x = k < tile->n_sum ? &tile->sum[k] : NULL;
		int at = NN_TILE_LOOPS - 1 - k;

		order.k[at] = x ? (int32_t)x->extent : 1;
		order.step[at] = !x ? 0 : (ptrdiff_t)(of_b ? x->b : x->a);
	}
	order.place = (ptrdiff_t)(of_b ? side[0].b : side[0].a);
	order.group = (ptrdiff_t)(of_b ? side[1].b : side[1].a);
	return structure_text(b, tile, "order", &order, sizeof order, offsetof(nn_panel, k));
}
