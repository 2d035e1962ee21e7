/* schedule_merge.c - bound indices that step through memory like one become one.
 *
 *     bias.grad[o] = sum[batch, i < 10, j < 10] y.grad[batch, o, i, j]
 *
 * goes through 100 elements that lie one after the other, in ten loops of ten rounds. As one loop of a hundred there is
 * room for sums side by side. The two are one if every read moves ten times as far with i as with j: then i stays 0,
 * and j runs on beyond its axis to 99.
 *
 * requires  an equation of the graph
 * gives     itself, or a copy in which some bound indices have extent 1 and their neighbours the extents of both */
#include "schedule.h"

#include <string.h>

static struct expr *no_read(void *user, struct expr *read)
{
	if (read->elem == ELEM_REAL)
		return ex_num(user, 0);
	return read->elem == ELEM_INT ? ex_int(user, 0) : ex_bool(user, false);
}

/* Whether the reads move with two slots as with one. */
static bool move_as_one(const struct equation *eq, const expr_list *reads, int outer, int inner)
{
	uint64_t both = (uint64_t)1 << outer | (uint64_t)1 << inner;

	for (int i = 0; i < reads->n; i++) {
		const struct expr *read = reads->item[i];
		struct affine flat;

		if (!(read->slots & both))
			continue;
		if (read->guarded || !flat_subscript(read->tensor, read->arg, &flat) ||
		    flat.coef[outer] != flat.coef[inner] * eq->index[inner].extent)
			return false;
	}
	return true;
}

struct equation *merge_bound(struct graph *g, struct equation *eq)
{
	struct equation *merged = NULL;
	expr_list reads = {0};
	uint64_t elsewhere;

	if (eq->kind != EQ_MAP || eq->n < eq->nfree + 2)
		return eq;
	collect_reads(g, eq->value, &reads);
	elsewhere = ex_map_reads(g, eq->value, no_read, g)->slots;
	for (int s = eq->n - 2; s >= eq->nfree; s--) {
		const struct equation *now = merged ? merged : eq;
		int inner = s + 1;

		while (inner < eq->n - 1 && now->index[inner].extent == 1 && !now->index[inner].rows)
			inner++;
		if (now->index[s].rows || now->index[inner].rows || now->index[s].extent == 1 || (elsewhere >> s & 1) ||
		    (elsewhere >> inner & 1) || now->index[s].extent * now->index[inner].extent > INT32_MAX ||
		    !move_as_one(now, &reads, s, inner))
			continue;
		if (!merged) {
			merged = arena_alloc(&g->ctx->arena, sizeof *merged);
			*merged = *eq;
			merged->index = arena_array(&g->ctx->arena, (size_t)eq->n, sizeof *merged->index);
			memcpy(merged->index, eq->index, (size_t)eq->n * sizeof *merged->index);
		}
		merged->index[inner].extent *= merged->index[s].extent;
		merged->index[s].extent = 1;
	}
	return merged ? merged : eq;
}
