/* schedule_add.c - a gradient that goes straight into its param.
 *
 * Plain gradient descent moves a param by a multiple of its gradient, which is a sum of products. Where tiles make that
 * sum, a tile's results need no memory: they are multiplied and added to the param where they belong, which is read and
 * written once, or once for each of the sums that run around the tile. So a training step has no such gradient. It
 * takes sums whose order does not matter to the bit: the loops for compilers without vectors multiply before they add.
 */
#include "schedule.h"

/* What e is a multiple of the gradient by, the same for all elements; or NULL. */
static struct expr *factor_of(struct graph *g, const struct expr *e, const struct tensor *grad)
{
	struct expr *factor = NULL;

	switch (e->op) {
	case EX_READ: return e->tensor == grad ? ex_num(g, 1) : NULL;
	case EX_NEG: factor = factor_of(g, e->arg[0], grad); return factor ? ex1(g, EX_NEG, factor) : NULL;
	case EX_MUL:
		for (int k = 0; k < 2 && !factor; k++) {
			factor = e->arg[1 - k]->slots ? NULL : factor_of(g, e->arg[k], grad);
			factor = factor ? ex2(g, EX_MUL, factor, e->arg[1 - k]) : NULL;
		}
		return factor;
	case EX_DIV:
		factor = e->arg[1]->slots ? NULL : factor_of(g, e->arg[0], grad);
		return factor ? ex2(g, EX_DIV, factor, e->arg[1]) : NULL;
	default: return NULL;
	}
}

/* By what multiple of the gradient the update moves its param, or NULL. */
static struct expr *find_scale(struct graph *g, const struct equation *update, const struct tensor *grad)
{
	const struct expr *e = update->value;
	struct expr *scale;

	if (update->tensor->role != ROLE_NEXT || (e->op != EX_ADD && e->op != EX_SUB))
		return NULL;
	for (int k = 0; k < (e->op == EX_SUB ? 1 : 2); k++) {
		if (!ex_is_read_of(e->arg[k], update->tensor->of, update->nfree))
			continue;
		scale = factor_of(g, e->arg[1 - k], grad);
		return scale && e->op == EX_SUB ? ex1(g, EX_NEG, scale) : scale;
	}
	return NULL;
}

/* Whether tiles that overlap do so only where a tile knows which of its results are there already. */
static bool knows_overlaps(const struct program *p, const struct tile *tile)
{
	for (int k = 0; k < tile->n_loop; k++)
		for (int t = 0; t < p->n_machine; t++)
			if (tile->loop[k].number > 0 && tile->loop[k].axis.extent % loop_step(tile, &tile->loop[k], t))
				return false;
	return !tile->dot && !tile->adds;
}

struct group *plan_addition(struct program *p, const struct stage *sum, const struct group *use)
{
	struct graph *g = p->g;
	struct arena *arena = &g->ctx->arena;
	const struct equation *eq = sum->eq, *update = use->stages.item[0]->eq;
	struct expr *scale = use->stages.n == 1 ? find_scale(g, update, eq->tensor) : NULL;
	struct stage *stage;
	struct group *group;

	if (!scale || !sum->tile || g->ctx->options->fp == NNC_FP_STRICT || sum->conditions.n)
		return NULL;
	stage = make_stage(g,
			   graph_equation(g, update->tensor, RED_SUM, eq->nfree, eq->n, eq->index,
					  ex2(g, EX_MUL, scale, sum->term), update->at),
			   0);
	stage->adds = sum->written;
	stage->written = use->stages.item[0]->written;
	stage->tile = plan_tile(p, stage, PART_BACKWARD, 0, false);
	if (!stage->tile || !knows_overlaps(p, stage->tile))
		return NULL;
	group = arena_alloc(arena, sizeof *group);
	group->part = PART_BACKWARD;
	group->depth = stage->n_free;
	list_add(arena, &group->stages, stage);
	find_pieces(p, group);
	split_loops(group);
	return group;
}
