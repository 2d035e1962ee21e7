/* emit_tile_call.c - tiles and panels in process: the runtime has a function for each tile with the loops around it
 * (../runtime/tile.h), which it makes from the shape; the text has a call. Panels are filled by one function of the
 * runtime, so loops that fill them stay in the text. */
#include "emit_tile.h"

#include <string.h>

static int64_t sum_step(const struct tile *tile, int sum, bool of_b)
{
	int64_t step = panel_places(tile, of_b, 0);

	if (tile->panel != (of_b ? PANEL_B : PANEL_A))
		return of_b ? tile->sum[sum].b : tile->sum[sum].a;
	for (int k = 0; k < sum; k++)
		step *= tile->sum[k].extent;
	return step;
}

/* Places of a side: of the rows of the batch there is but one where there are few. */
static int places(const struct tile_axis *axis, int n, bool few) { return few && axis->rows ? 1 : n; }

/* Which count of a tile a loop goes along. */
static int counted(const struct tile_loop *loop)
{
	return loop->side == SIDE_ROW	   ? NN_TILE_ROW + loop->number
	       : loop->side == SIDE_VECTOR ? NN_TILE_COLUMN
					   : NN_TILE_COLUMN + loop->number;
}

/* At the end of a loop in the text there are fewer. */
static void take_rest(const struct tile *tile, const struct tile_loop *loop, nn_tile *shape)
{
	int count = counted(loop);
	int32_t *whole =
		count < NN_TILE_COLUMN ? &shape->row[count - NN_TILE_ROW] : &shape->column[count - NN_TILE_COLUMN];
	int64_t by = loop_step(tile, loop, 0);

	*whole = (int32_t)(loop->axis.extent % by * *whole / by);
}

static void set_sides(const struct tile *tile, bool few, nn_tile *shape)
{
	const struct tile_size *size = &tile->size[0];

	for (int k = 0; k < 2; k++) {
		const struct tile_axis *row = &tile->row[k], *col = &tile->col[k];

		shape->row[k] = places(row, size->row[k], few);
		shape->column[k] = places(col, size->col[k], few);
		shape->a_row[k] = (int32_t)row->a;
		shape->t_row[k] = (int32_t)row->t;
		shape->b_column[k] = (int32_t)col->b;
		shape->t_column[k] = (int32_t)col->t;
	}
	if (!tile->dot) {
		shape->b_column[0] = size->lanes;
		shape->t_column[0] = tile->across ? (int32_t)tile->col[0].t : size->lanes;
	}
	if (tile->panel == PANEL_A) {
		shape->a_row[0] = 1;
		shape->a_row[1] = size->row[0];
	} else if (tile->panel == PANEL_B) {
		shape->b_column[1] = size->lanes * size->col[0];
	}
}

static int32_t end_of(const struct body *b, const struct tile_axis *x, bool outermost)
{
	if (b->block_rows && x->slot == 0 && outermost)
		return NN_TILE_BLOCK;
	return x->rows && has_run_time_rows(b->group) ? NN_TILE_N : (int32_t)x->extent;
}

int first_called_loop(const struct tile *tile)
{
	int first = tile->n_loop - NN_TILE_LOOPS;

	return first > tile->outside ? first : tile->outside;
}

/* The number of a shape; few: of one row of the batch. rest: NULL, or the loop at whose end it is. */
static int find_shape(struct body *b, const struct tile *tile, bool few, const struct tile_loop *rest)
{
	struct emitter *e = b->e;
	nn_tile shape;
	int i = 0;

	memset(&shape, 0, sizeof shape);
	shape.dot = tile->dot;
	shape.across = tile->across;
	shape.lanes = tile->size[0].lanes;
	shape.ahead = tile->ahead;
	shape.ask = tile->asks >= 0 ? tile->size[0].row[0] : 0;
	shape.adds = tile->scale ? NN_TILE_SCALED : tile->adds;
	set_sides(tile, few, &shape);
	if (rest)
		take_rest(tile, rest, &shape);
	for (; shape.n_sum < tile->n_sum; shape.n_sum++) {
		shape.trips[shape.n_sum] = end_of(b, &tile->sum[shape.n_sum], false);
		shape.a_sum[shape.n_sum] = (int32_t)sum_step(tile, shape.n_sum, false);
		shape.b_sum[shape.n_sum] = (int32_t)sum_step(tile, shape.n_sum, true);
	}
	for (int k = first_called_loop(tile); k < tile->n_loop; k++) {
		const struct tile_axis *x = &tile->loop[k].axis;
		int64_t by = few && x->rows ? 1 : loop_step(tile, &tile->loop[k], 0);

		shape.loop[shape.n_loop++] =
			(nn_tile_loop){end_of(b, x, true),
				       (int32_t)by,
				       tile->panel == PANEL_A ? 0 : (int32_t)x->a,
				       tile->panel == PANEL_B ? 0 : (int32_t)x->b,
				       (int32_t)x->t,
				       tile->rests && x->extent % by ? counted(&tile->loop[k]) : NN_TILE_WHOLE};
	}
	while (i < e->tile_shapes.n && memcmp(&e->tile_shapes.item[i], &shape, sizeof shape) != 0)
		i++;
	if (i == e->tile_shapes.n)
		list_add(e->arena, &e->tile_shapes, shape);
	return i;
}

/* The number of a tile, or on a condition of another one. */
static const char *choose_shape(struct body *b, const char *condition, int other, const char *shape)
{
	const char *name = new_name(b->e, &b->scope, "tile");

	write_line(b->e, "const int %s = %s ? %d : %s;", name, condition, other, shape);
	return name;
}

void call_tile(struct body *b, const struct tile *tile, const struct tile_names *names)
{
	const char *shape = arena_printf(b->e->arena, "%d", find_shape(b, tile, false, NULL)), *operand[2];
	bool takes_n = has_run_time_rows(b->group) && !tile->across;

	b->takes_n |= takes_n;
	for (int k = 0; k < 2; k++)
		operand[k] = operand_text(b, tile, names, k);
	if (names->few)
		shape = choose_shape(b, arena_printf(b->e->arena, "%s == 1", names->few),
				     find_shape(b, tile, true, NULL), shape);
	if (tile->rests && names->cut) { /* what the tile before has made is left out */
		const struct tile_loop *loop = names->cut;
		int of_b = tile->panel == PANEL_B;

		shape = choose_shape(
			b, arena_printf(b->e->arena, "%s < %s", b->slot_name[loop->axis.slot], names->cut_name),
			find_shape(b, tile, false, loop), shape);
		operand[of_b] = arena_printf(b->e->arena, "%s + (%s - %s)", operand[of_b], names->cut_name,
					     b->slot_name[loop->axis.slot]);
		set_slot(b, loop->axis.slot, names->cut_name);
	}
	write_line(b->e, "nn_tiles[%s].run(nn_tiles + %s, %s, %s, %s, %s, %s, %s);", shape, shape, operand[0],
		   operand[1], start_text(b, tile, 2),
		   tile->across ? names->there
		   : takes_n	? "n"
				: "0",
		   b->block_rows ? b->block_rows : "0", names->scale ? names->scale : "0");
}

void declare_routines(struct emitter *e)
{
	write_line(e, "struct nn_tile {");
	write_line(
		e,
		"\tvoid (*run)(const struct nn_tile *tile, const %s *a, const %s *b, %s *t, int n, int block, %s scale);",
		e->real, e->real, e->real, e->real);
	write_line(e, "\tchar shape[%zu];", sizeof(nn_tile) - sizeof((nn_tile *)NULL)->run);
	write_line(e, "};");
	write_line(e, "extern const struct nn_tile nn_tiles[];");
	write_line(e, "void nn_tile_fill(const void *panel, const %s *from, %s *to, int n);", e->real, e->real);
}

const char *write_call_panel(struct body *b, const struct tile *tile)
{
	bool of_b = tile->panel == PANEL_B;
	const struct tile_axis *side = of_b ? tile->col : tile->row;
	const struct tile_size *size = &tile->size[0];
	nn_panel order;

	memset(&order, 0, sizeof order);
	order.turned = tile->turned;
	order.across = tile->across;
	order.run = of_b ? size->col[0] * size->lanes : size->row[0];
	order.groups = of_b ? size->col[1] : size->row[1];
	order.place = (int32_t)(of_b ? side[0].b : side[0].a);
	order.group = (int32_t)(of_b ? side[1].b : side[1].a);
	for (int k = 0; k < NN_TILE_SUMS; k++) {
		const struct tile_axis *x = k < tile->n_sum ? &tile->sum[k] : NULL;
		int at = NN_TILE_SUMS - 1 - k;

		order.k[at] = x ? end_of(b, x, false) : 1;
		order.step[at] = !x ? 0 : (int32_t)(of_b ? x->b : x->a);
	}
	return words_text(b->e, &order, (int)(sizeof order / sizeof(int32_t)));
}
