/* emit_panel.c - an operand of a tile in the order in which the tile reads it: how it is filled (panel_template.h), and
 * how it is read. */
#include "emit_tile.h"

#include <string.h>

const char *panel_run(struct body *b, const struct tile_names *names, bool of_b)
{
	return of_b ? product(b->e, names->col[0], names->lanes) : names->row[0];
}

static const char *panel_width(struct body *b, const struct tile_names *names, bool of_b)
{
	return product(b->e, panel_run(b, names, of_b), of_b ? names->col[1] : names->row[1]);
}

const char *panel_step(struct body *b, const struct tile *tile, const struct tile_names *names, bool of_b, int sum)
{
	const char *step = panel_width(b, names, of_b);
	int64_t inner = 1;

	for (int k = 0; k < sum; k++)
		inner *= tile->sum[k].extent;
	return product(b->e, number(b->e, inner), step);
}

/* Where the sums of a panel stand: the outermost one may be the rows of the batch, and is the call's. */
static int panel_loop(const struct tile *tile, int sum) { return tile->sum[sum].rows ? TILE_SUMS - 1 : sum; }

static const struct tile_axis *panel_sum(const struct tile *tile, int loop)
{
	static const struct tile_axis none = {.extent = 1};

	for (int k = 0; k < tile->n_sum; k++)
		if (panel_loop(tile, k) == loop)
			return &tile->sum[k];
	return &none;
}

static void write_panel_list(struct text *out, const struct tile *tile, bool of_b, const char *field, int n, bool steps)
{
	text_printf(out, "%s = {", field);
	for (int k = 0; k < n; k++) {
		const struct tile_axis *x = panel_sum(tile, k);

		text_printf(out, k ? ", %lld" : "%lld", (long long)(!steps ? x->extent : of_b ? x->b : x->a));
	}
	text_add(out, "}");
}

const char *write_panel_shape(struct body *b, const struct tile *tile, const struct tile_names *names, bool of_b)
{
	const struct tile_axis *side = of_b ? tile->col : tile->row;
	const char *name = new_name(b->e, &b->scope, "order");
	struct text out = {.arena = b->e->arena};
	int64_t place[2];

	for (int k = 0; k < 2; k++)
		place[k] = of_b ? side[k].b : side[k].a;
	write_panel_list(&out, tile, of_b, ".trips", TILE_SUMS - 1, false);
	write_panel_list(&out, tile, of_b, ", .step", TILE_SUMS, true);
	text_printf(&out, ", .run = %s", panel_run(b, names, of_b));
	write_pair(&out, "place", number(b->e, place[0]), number(b->e, place[1]));
	write_line(b->e, "static const struct filling %s = {%s};", name, out.at);
	return name;
}

const char *if_copied(struct body *b, const struct tile_names *names, const char *copy, const char *place)
{
	if (strcmp(names->copied, "0") == 0)
		return place;
	return strcmp(names->copied, "1") == 0 ? copy
					       : arena_printf(b->e->arena, "%s ? %s : %s", names->copied, copy, place);
}

/* to: where in the memory for panels. */
static void write_fill(struct body *b, const struct tile *tile, const struct tile_names *names, bool of_b,
		       const char *order, const char *to)
{
	struct emitter *e = b->e;
	const struct tile_axis *repeated = panel_sum(tile, TILE_SUMS - 1);
	const char *from = start_text(b, tile, of_b), *repeat = number(e, repeated->extent);

	if (repeated->rows && has_run_time_rows(b->group)) {
		b->takes_n = true;
		repeat = "n";
	}
	if (e->options->tiles)
		write_line(e, "nn_tile_fill(%s, %s, %s, %s);", order, from, to, names->there ? names->there : repeat);
	else
		write_line(e, "fill_%d(&%s, %d, %s, %s, %s, %s, %s);", find_routine(e, tile), order, tile->turned,
			   of_b ? names->col[1] : names->row[1], repeat,
			   names->there ? names->there : panel_width(b, names, of_b), from, to);
}

void fill_panel(struct body *b, const struct tile *tile, const struct tile_names *names, const char *order)
{
	write_fill(b, tile, names, tile->panel == PANEL_B, order, find_arg(b, tile->memory)->name);
}

const char *text_of_b(struct body *b, const struct tile *tile, const struct tile_names *names)
{
	struct text out = {.arena = b->e->arena};

	text_add(&out, find_arg(b, tile->memory)->name);
	if (tile->behind)
		text_printf(&out, " + %lld", (long long)tile->behind);
	if (tile->behind && names->vector)
		text_printf(&out, " + %lld * %s", (long long)tile_steps(tile), names->vector);
	return out.at;
}

void fill_copy(struct body *b, const struct tile *tile, const struct tile_names *names, const char *order)
{
	struct tile_names own = *names;
	int known = b->scope.names.n, slot = -1;
	bool some = strcmp(names->copied, "1") != 0; /* machines, not all */

	if (some)
		open_block(b->e, "if (%s) {", names->copied);
	for (int k = 0; tile->behind && k < tile->n_loop; k++)
		if (tile->loop[k].side == SIDE_VECTOR) {
			slot = tile->loop[k].axis.slot;
			open_tile_loop(b, tile, &own, k);
		}
	write_fill(b, tile, &own, true, order, text_of_b(b, tile, &own));
	if (slot >= 0) {
		close_block(b->e, "}");
		b->slot_name[slot] = NULL;
	}
	if (some)
		close_block(b->e, "}");
	release_names(&b->scope, known);
}
