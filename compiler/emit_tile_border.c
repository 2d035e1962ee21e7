/* emit_tile_border.c - tiles leave out what they know to be 0.
 *
 * An operand that is a copy with 0 around it (schedule_border.c) is read there by the tiles next to the border, most of
 * all by the gradient of a window, of which the border is as wide as the window. Of the outermost sum such a tile takes
 * only those steps at which it reads something else:
 *
 *     const int u_from = i - 9 > 0 ? i - 9 : 0, u_end = i + 2 < 5 ? i + 2 : 5;
 */
#include "emit_tile.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_SHARE = 16 /* of all steps, one in so many is left out */ };

/* Along one axis of an operand: position = constant + moves * index + step of the sum, or - step. */
struct crossing {
	const struct tile_loop *loop; /* of the index */
	const char *side;	      /* how many of it a tile has */
	int64_t moves, constant, extent;
	bool backwards;
	struct inside inside;
};

static int64_t within(int64_t n, int64_t most) { return n < 0 ? 0 : n < most ? n : most; }

/* Steps that a tile at a place of the index takes, which has so many of it. */
static int64_t steps_at(const struct crossing *x, int64_t at, int64_t side)
{
	int64_t least = x->constant + x->moves * at, most = least + x->moves * (side - 1);
	int64_t from = x->backwards ? least - x->inside.to + 1 : x->inside.from - most;
	int64_t end = x->backwards ? most - x->inside.from + 1 : x->inside.to - least;

	from = within(from, x->extent);
	end = within(end, x->extent);
	return end > from ? end - from : 0;
}

static bool is_worthwhile(const struct tile *tile, const struct crossing *x)
{
	int64_t step = loop_step(tile, x->loop, 0), extent = x->loop->axis.extent, taken = 0, all = 0;

	for (int64_t at = 0; at < extent; at += step, all += x->extent)
		taken += steps_at(x, at < extent - step ? at : extent - step, step);
	return taken * LEAST_SHARE <= all * (LEAST_SHARE - 1);
}

/* The loop along the only other index that moves along the axis; NULL: there is none that will do. */
static const struct tile_loop *crossing_loop(struct body *b, const struct tile *tile, const struct affine *sub, int sum)
{
	const struct tile_loop *found = NULL;

	for (int s = 0; s < b->eq->n; s++) {
		const struct tile_loop *at = NULL;

		if (s == sum || !sub->coef[s] || b->eq->index[s].extent == 1)
			continue;
		for (int k = 0; k < tile->n_loop; k++)
			if (tile->loop[k].axis.slot == s && tile->loop[k].axis.extent == b->eq->index[s].extent &&
			    tile->loop[k].side != SIDE_VECTOR && tile->loop[k].side != SIDE_SUM &&
			    !tile->loop[k].axis.rows)
				at = &tile->loop[k];
		if (!at || found || sub->coef[s] < 0)
			return NULL;
		found = at;
	}
	return found;
}

static bool find_crossing(struct body *b, const struct tile *tile, const struct tile_names *names,
			  const struct expr *read, struct crossing *x)
{
	const struct tile_axis *sum = &tile->sum[tile->n_sum - 1];
	const struct inside *inside = layout_of(read->tensor)->inside;

	for (int a = 0; a < read->tensor->rank && inside; a++) {
		struct affine sub;

		if (!affine_of(read->arg[a], &sub) || llabs(sub.coef[sum->slot]) != 1)
			continue;
		x->loop = crossing_loop(b, tile, &sub, sum->slot);
		if (!x->loop)
			continue;
		x->side = names->step[x->loop - tile->loop];
		x->moves = sub.coef[x->loop->axis.slot];
		x->constant = sub.constant;
		x->extent = sum->extent;
		x->backwards = sub.coef[sum->slot] < 0;
		x->inside = inside[a];
		if (is_worthwhile(tile, x))
			return true;
	}
	return false;
}

/* constant + sign * (moves * index + sides * side) */
static const char *crossing_text(struct body *b, const struct crossing *x, int sign, int64_t sides, int64_t constant)
{
	struct text out = {.arena = b->e->arena};
	struct affine place = {.constant = constant};
	bool known = strspn(x->side, "0123456789") == strlen(x->side);

	place.coef[x->loop->axis.slot] = sign * x->moves;
	if (known)
		place.constant += sign * sides * strtoll(x->side, NULL, 10);
	print_affine(b, &out, &place, 0);
	if (sides && !known)
		text_printf(&out, " %c %s", sign < 0 ? '-' : '+', product(b->e, number(b->e, sides), x->side));
	return out.at;
}

void name_steps_inside(struct body *b, const struct tile *tile, struct tile_names *names)
{
	const struct tile_axis *sum;
	struct crossing x;
	const char *from, *end, *base, *first, *last;

	if (b->e->options->tiles || tile->n_sum < 2 || tile->panel || tile->memory || tile->across || tile->scale)
		return;
	sum = &tile->sum[tile->n_sum - 1];
	if (sum->rows || sum->extent != b->eq->index[sum->slot].extent ||
	    (!find_crossing(b, tile, names, tile->a, &x) && !find_crossing(b, tile, names, tile->b, &x)))
		return;
	if (x.backwards) {
		first = crossing_text(b, &x, 1, 0, x.constant - x.inside.to + 1);
		last = crossing_text(b, &x, 1, x.moves, x.constant - x.inside.from + 1 - x.moves);
	} else {
		first = crossing_text(b, &x, -1, x.moves, x.inside.from - x.constant + x.moves);
		last = crossing_text(b, &x, -1, 0, x.inside.to - x.constant);
	}
	base = b->eq->index[sum->slot].name;
	from = new_name(b->e, &b->scope, arena_printf(b->e->arena, "%s_from", base));
	end = new_name(b->e, &b->scope, arena_printf(b->e->arena, "%s_end", base));
	write_line(b->e, "const int %s = %s > 0 ? %s : 0;", from, first, first);
	write_line(b->e, "const int %s = %s < %lld ? %s : %lld;", end, last, (long long)sum->extent, last,
		   (long long)sum->extent);
	names->from = from;
	names->steps = arena_printf(b->e->arena, "%s - %s", end, from);
}
