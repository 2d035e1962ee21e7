/* schedule_epilogue.c - what is made of a sum of products element by element is made behind its tiles.
 *
 *     y_sum[batch, i] = sum[j] weight[i, j] * x[batch, j]
 *     relu[batch, i] = max(y_sum[batch, i] + bias[i], 0)
 *
 * A bias, an activation, the derivative of one: maps that read the product at the very element that they make. As a
 * function of their own they bring it from memory once more. Here they join the product's group: loops over what tiles
 * have just stored, and the first cache still has, stand within the loops around the tiles, as far inside as leaves
 * whole vectors side by side. C compilers make vectors of such short loops; the tile itself stays the same routine for
 * all, and where there are no tiles the group is one nest of loops as any other.
 *
 * A product that is small enough stays near anyway. What else the maps touch, the mask of a derivative or a second
 * value, they touch in the pieces of these blocks, too. Where that comes from beyond the second cache, a loop that goes
 * through it from end to end is the faster one, as the machine fetches ahead: unless a block has long rows, such maps
 * stay by themselves.
 *
 * Tiles at the end of an index start earlier, and then elements are made twice. That is no harm, as their sums are
 * stored anew before; but nothing else that the maps read may be overwritten by them (overwrite.c).
 *
 * requires  the groups of a part, whose stages have their tiles; before finish_groups()
 * keeps     the order of what depends on each other, and every value
 * gives     groups of a tile and maps; tile.followed */
#include "schedule_tile.h"

enum {
	LEAST_RUN = 48,	  /* elements side by side, if they are no whole vectors */
	LONG_RUN = 256,	  /* and of what is far */
	LEAST_BLOCK = 32, /* elements from which loops over a block pay */
	MOST_BYTES = L2_BYTES / 4,
	FURTHEST = 16 /* groups that maps may move ahead by */
};

/* ---- blocks ---- */

bool moves_along(const struct tile_axis *x, const struct equation *sum, int slot)
{
	int64_t stride = axis_stride(sum->tensor, slot);

	return slot == x->slot || (sum->index[slot].extent > 1 && stride >= x->t && stride < x->t * x->extent);
}

/* The loop, of the first so many, that goes along a free index of the sum, or NULL. */
static const struct tile_loop *loop_along(const struct tile *tile, int level, const struct equation *sum, int slot)
{
	for (int k = 0; k < level; k++)
		if (moves_along(&tile->loop[k].axis, sum, slot))
			return &tile->loop[k];
	return NULL;
}

/* Whether a map goes through its tensors as loops do that are one for several indices. */
static bool moves_as_loops(const struct stage *map, const struct tile *tile, int level, const struct equation *sum)
{
	const struct tensor *made = map->eq->tensor;

	for (int s = 0; s < sum->nfree; s++) {
		const struct tile_loop *loop = loop_along(tile, level, sum, s);
		int64_t times; /* as far as with one index it moves with the other */

		if (!loop || loop->axis.slot == s)
			continue;
		times = axis_stride(sum->tensor, s) / loop->axis.t;
		if (axis_stride(made, s) != times * axis_stride(made, loop->axis.slot))
			return false;
		for (int k = 0; k < map->reads.n; k++) {
			const struct expr *read = map->reads.item[k];
			struct affine flat;

			if (!flat_subscript(read->tensor, read->arg, &flat) ||
			    flat.coef[s] != times * flat.coef[loop->axis.slot])
				return false;
		}
	}
	return true;
}

/* Elements of a block along a free index. */
static int64_t block_extent(const struct tile *tile, int level, const struct equation *sum, int slot, int target)
{
	const struct tile_loop *loop = loop_along(tile, level, sum, slot);

	if (!loop)
		return sum->index[slot].extent;
	return loop->axis.slot == slot ? loop_step(tile, loop, target) : 1;
}

/* Whether a group makes what a read is of. */
static bool makes(const struct group *group, const struct expr *read)
{
	for (int i = 0; i < group->stages.n; i++)
		if (root_of(group->stages.item[i]->eq->tensor) == root_of(read->tensor))
			return true;
	return false;
}

/* Bytes that memory for all samples takes. */
static double bytes_of(const struct program *p, const struct tensor *t)
{
	return (double)(memory_size(root_of(t)) * real_size(p->g));
}

/* Whether maps touch what is larger than half of the second cache, the sum apart, of which the last takes the place. */
static bool touch_far(const struct program *p, const struct group *maps, const struct tensor *sum)
{
	for (int i = 0; i < maps->stages.n; i++) {
		const struct stage *map = maps->stages.item[i];

		if ((i > 0 || map->n_steps) && bytes_of(p, map->eq->tensor) > L2_BYTES / 2)
			return true;
		for (int k = 0; k < map->reads.n; k++)
			if (map->reads.item[k]->tensor != sum &&
			    bytes_of(p, map->reads.item[k]->tensor) > L2_BYTES / 2 && !makes(maps, map->reads.item[k]))
				return true;
	}
	return false;
}

/* Whether loops over a block are worth it. */
static bool is_good_block(const struct program *p, const struct tile *tile, int level, const struct stage *sum,
			  bool far)
{
	const struct equation *eq = sum->eq;

	for (int t = 0; t < p->n_machine; t++) {
		int64_t run = block_extent(tile, level, eq, eq->nfree - 1, t), block = 1;

		for (int s = 0; s < eq->nfree; s++)
			block *= is_step(eq, sum->n_steps, s) ? 1 : block_extent(tile, level, eq, s, t);
		if ((run % p->machine[t].lanes && run < LEAST_RUN) || (far && run < LONG_RUN) || block < LEAST_BLOCK ||
		    block * real_size(p->g) > MOST_BYTES)
			return false;
	}
	return true;
}

/* The loops of the sum's tile within which maps may follow it, so that a block is as small as pays; 0: there are none.
 */
static int choose_level(const struct program *p, const struct stage *sum, const struct group *maps)
{
	bool far = touch_far(p, maps, sum->eq->tensor);

	for (int level = sum->tile->n_loop; level > 0; level--) {
		bool good = is_good_block(p, sum->tile, level, sum, far);

		for (int i = 0; i < maps->stages.n && good; i++)
			good = moves_as_loops(maps->stages.item[i], sum->tile, level, sum->eq);
		if (good)
			return level;
	}
	return 0;
}

/* ---- what may follow ---- */

/* A map that is the same whatever part of its elements is made, of whichever samples, and how often. */
static bool is_plain_map(const struct stage *stage)
{
	const struct equation *eq = stage->eq;

	if (stage->form != FORM_MAP || eq->kind != EQ_MAP || eq->tensor->role != ROLE_VALUE ||
	    eq->value->op == EX_INDEX)
		return false;
	for (int k = 0; k < stage->exprs.n; k++) {
		const struct expr *e = stage->exprs.item[k];

		if (e->op == EX_DRAW || (e->op == EX_READ && e->guarded) || !reads_own_sample(e, 0))
			return false;
		for (int a = 0; e->op != EX_READ && e->elem != ELEM_INT && a < e->n; a++)
			if (e->arg[a]->elem == ELEM_INT && e->arg[a]->op != EX_READ && e->arg[a]->slots)
				return false;
	}
	return true;
}

static bool same_free(const struct equation *a, const struct equation *b)
{
	bool same = a->nfree == b->nfree;

	for (int s = 0; s < a->nfree && same; s++)
		same = a->index[s].extent == b->index[s].extent && a->index[s].rows == b->index[s].rows;
	return same;
}

/* Whether a group reads what another one makes. */
static bool reads_from(const struct group *group, const struct group *from)
{
	for (int i = 0; i < group->stages.n; i++)
		for (int k = 0; k < group->stages.item[i]->reads.n; k++)
			if (makes(from, group->stages.item[i]->reads.item[k]))
				return true;
	return false;
}

/* Whether a group is one nest of maps, and reads of the product's group only the element that it makes. */
static bool are_maps_of(const struct group *maps, const struct group *product)
{
	for (int i = 0; i < maps->stages.n; i++) {
		const struct stage *stage = maps->stages.item[i];

		if ((i > 0 && !stage->joins) || !is_plain_map(stage) ||
		    !same_free(stage->eq, product->stages.item[0]->eq))
			return false;
		for (int k = 0; k < stage->reads.n; k++) {
			const struct expr *read = stage->reads.item[k];

			if (makes(product, read) &&
			    (read->tensor != root_of(read->tensor) || !reads_element(read, stage->eq) ||
			     reads_other_step(read, stage->eq, stage->n_steps)))
				return false;
		}
	}
	return true;
}

/* Whether a group's tile, complete after one call, may have maps behind it. */
static bool takes_maps(const struct group *product, const struct group *maps)
{
	const struct stage *sum = product->stages.item[0];

	return sum->tile && !sum->tile->adds && !sum->tile->scale && !sum->tile->across &&
	       sum->eq->tensor->role == ROLE_VALUE && samples_of(sum->eq) == 0 && product->part == maps->part &&
	       product->readers == maps->readers && product->steps == maps->steps;
}

/* The last group, of those close before number `at`, that this one reads of, or that reads what this one makes, of the
 * step before; or NULL. */
static struct group *last_needed(const group_list *list, int at)
{
	const struct group *maps = list->item[at];

	for (int i = at - 1; i >= 0 && i >= at - FURTHEST; i--)
		if (reads_from(maps, list->item[i]) || reads_from(list->item[i], maps))
			return list->item[i];
	return NULL;
}

/* The maps of a group stand behind a tile from now on, if they may and that pays. */
static bool follow(const struct program *p, struct group *product, const struct group *maps)
{
	struct stage *sum = product->stages.item[0];
	int level;

	if (!takes_maps(product, maps) || !are_maps_of(maps, product) || reads_from(product, maps))
		return false;
	level = bytes_of(p, sum->eq->tensor) > L1_BYTES / 2 ? choose_level(p, sum, maps) : 0;
	if (!level || (product->stages.n > 1 && level != sum->tile->followed))
		return false;
	sum->tile->followed = level;
	for (int i = 0; i < maps->stages.n; i++) {
		struct stage *map = maps->stages.item[i];
		struct layout *layout = layout_of(root_of(map->eq->tensor));

		map->joins = product->stages.n > 1 || sum->form != FORM_ROW;
		list_add(&p->g->ctx->arena, &product->stages, map);
		layout->group = layout->group == maps ? product : layout->group;
	}
	return true;
}

void add_epilogues(struct program *p, group_list *list)
{
	int n = 0;

	if (p->in_process || p->g->no_operands)
		return;
	for (int at = 0; at < list->n; at++) {
		struct group *product, *group = list->item[n] = list->item[at];

		product = is_plain_map(group->stages.item[0]) ? last_needed(list, n) : NULL;
		if (!product || !follow(p, product, group))
			n++;
	}
	list->n = n;
}
