/* emit_panel.c - an operand of a tile in the order in which the tile reads it: how it is filled (panel_template.h), and
 * how it is read. */
#include "emit_tile.h"

const char *panel_run(struct body *b, const struct tile *tile, const struct tile_names *names)
{
	return tile->panel == PANEL_A ? names->row[0] : product(b->e, names->col[0], names->lanes);
}

static const char *panel_width(struct body *b, const struct tile *tile, const struct tile_names *names)
{
	return product(b->e, panel_run(b, tile, names), tile->panel == PANEL_A ? names->row[1] : names->col[1]);
}

const char *panel_step(struct body *b, const struct tile *tile, const struct tile_names *names, int sum)
{
	const char *step = panel_width(b, tile, names);
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

static void write_panel_list(struct text *out, const struct tile *tile, const char *field, int n, bool steps)
{
	text_printf(out, "%s = {", field);
	for (int k = 0; k < n; k++) {
		const struct tile_axis *x = panel_sum(tile, k);

		text_printf(out, k ? ", %lld" : "%lld",
			    (long long)(!steps			 ? x->extent
					: tile->panel == PANEL_B ? x->b
								 : x->a));
	}
	text_add(out, "}");
}

const char *write_panel_shape(struct body *b, const struct tile *tile, const struct tile_names *names)
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

void fill_panel(struct body *b, const struct tile *tile, const struct tile_names *names, const char *order)
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
		write_line(e, "nn_tile_fill(%s, %s, %s, %s);", order, from, to, names->there ? names->there : repeat);
	else
		write_line(e, "fill_%d(&%s, %d, %s, %s, %s, %s, %s);", find_routine(e, tile), order, tile->turned,
			   tile->panel == PANEL_B ? names->col[1] : names->row[1], repeat,
			   names->there ? names->there : panel_width(b, tile, names), from, to);
}
