/* schedule_sweep.c - updates of a training step that follow their gradients block by block.
 *
 * The gradient of a large param is a sum over the batch, and its update goes through it, element by element. Where
 * nothing else reads the gradient it need not be whole: some rows of it are made, and the param's rows moved on while
 * they are still in the cache; then the next ones take their place in memory. The function that makes a gradient is the
 * same that backward calls for all rows, the one that updates the same that update calls: so are the numbers.
 *
 * With one sample the gradient is a product of what belongs to the row and what belongs to the column, and no memory is
 * needed at all: its equation goes into those of the update. Rows whose factor is 0 are left out where that moves
 * nothing on. The loop runs backwards, since the end of the param is what was read last. */
#include "schedule.h"

enum {
	LEAST_ELEMENTS = 4096, /* of a gradient: smaller ones are in a cache anyway */
	BLOCK_ELEMENTS = 32768 /* about as many are made before the update goes through them */
};

/* The gradient that a group makes, or NULL. */
static const struct stage *gradient_of(const struct group *make)
{
	const struct stage *stage = make->stages.item[0];

	if (make->stages.n > 1 || make->steps || make->written_out || make->flat ||
	    stage->eq->tensor->role != ROLE_GRAD || stage->eq->kind != EQ_MAP || stage->eq->red != RED_SUM ||
	    stage->to || stage->eq->nfree < 1 || tensor_size(stage->eq->tensor) < LEAST_ELEMENTS)
		return NULL;
	return stage;
}

/* Whether a group reads what another one replaces; moved: what any later one may. */
static bool reads_replaced(const struct group *make, const struct group *use, bool moved)
{
	expr_list reads = make->stages.item[0]->reads;

	for (int k = 0; k < reads.n; k++) {
		const struct tensor *root = root_of(reads.item[k]->tensor);

		if (moved && (root->role == ROLE_PARAM || root->role == ROLE_STATE))
			return true;
		for (int i = 0; i < use->stages.n; i++)
			if (use->stages.item[i]->eq->tensor->of == root)
				return true;
	}
	return false;
}

/* An update that goes through the gradient only, element by element, and leaves nothing but next values. */
static bool follows(const struct group *use, const struct tensor *grad)
{
	if (!use->flat || use->steps || layout_of(grad)->readers != 1 || layout_of(grad)->reader != use)
		return false;
	for (int i = 0; i < use->stages.n; i++) {
		const struct stage *stage = use->stages.item[i];

		if (stage->eq->tensor->role != ROLE_NEXT && !stage->local)
			return false;
		for (int k = 0; k < stage->reads.n; k++)
			if (stage->reads.item[k]->tensor == grad && !reads_element(stage->reads.item[k], stage->eq))
				return false;
	}
	return true;
}

bool row_shift(const struct group *group, const struct tensor *root, int64_t *shift)
{
	const struct stage *stage = group->stages.item[0];
	bool first = true;
	struct affine flat;

	*shift = 0;
	for (int k = 0; k < stage->reads.n; k++) {
		const struct expr *read = stage->reads.item[k];

		if (root_of(read->tensor) != root)
			continue;
		if (!flat_subscript(read->tensor, read->arg, &flat)) {
			if (read->slots & 1)
				return false;
			flat.coef[0] = 0;
		}
		if ((read->guarded && flat.coef[0]) || (!first && flat.coef[0] != *shift))
			return false;
		*shift = flat.coef[0];
		first = false;
	}
	return true;
}

bool moves_by_pointers(const struct stage *stage, const struct group *make)
{
	int64_t shift;

	for (int i = 0; i < stage->conditions.n; i++)
		if (stage->conditions.item[i].coef[0])
			return false;
	if (stage->n_cut)
		return false;
	for (int k = 0; k < stage->exprs.n; k++) {
		const struct expr *e = stage->exprs.item[k];

		if (e->op == EX_DRAW || (e->op == EX_READ && !row_shift(make, root_of(e->tensor), &shift)))
			return false;
		for (int a = 0; e->op != EX_READ && e->elem != ELEM_INT && a < e->n; a++)
			if (e->arg[a]->elem == ELEM_INT && e->arg[a]->op != EX_READ && e->arg[a]->slots & 1)
				return false;
	}
	return true;
}

int64_t rows_at_once(const struct stage *stage, int target)
{
	if (!stage->tile)
		return 1;
	for (int k = 0; k < stage->tile->n_loop; k++) {
		const struct tile_loop *loop = &stage->tile->loop[k];

		if (loop->axis.slot == 0 && loop->axis.extent == stage->eq->index[0].extent)
			return loop_step(stage->tile, loop, target);
	}
	return 0;
}

static void choose_blocks(struct program *p, const struct stage *stage, struct sweep *sweep)
{
	int64_t extent = stage->eq->index[0].extent;

	sweep->row = tensor_size(stage->eq->tensor) / extent;
	sweep->room = 0;
	for (int t = 0; t < (p->n_machine ? p->n_machine : 1); t++) {
		int64_t least = rows_at_once(stage, t), block = BLOCK_ELEMENTS / sweep->row;

		block = least < 1 ? extent : block < least ? least : block / least * least;
		if (2 * block > extent) {
			sweep->room = extent;
			return;
		}
		sweep->block[t] = block;
		sweep->room = sweep->room > 2 * block - 1 ? sweep->room : 2 * block - 1;
	}
}

/* ---- one sample ---- */

struct gradient {
	const struct tensor *tensor;
	struct expr *value;
};

static struct expr *put_gradient(void *user, struct expr *read)
{
	const struct gradient *gradient = user;

	return read->tensor == gradient->tensor ? gradient->value : read;
}

static struct expr *with_gradient(struct graph *g, const struct equation *eq, const struct tensor *grad,
				  struct expr *value)
{
	struct gradient gradient = {grad, value};

	return ex_map_reads(g, eq->value, put_gradient, &gradient);
}

/* A factor of a product that belongs to the row, or NULL. */
static struct expr *row_factor(struct expr *e)
{
	struct expr *factor = NULL;

	if (e->op == EX_READ && e->slots == 1 && !e->guarded)
		return e;
	for (int a = 0; e->op == EX_MUL && !factor && a < e->n; a++)
		factor = row_factor(e->arg[a]);
	return factor;
}

/* Whether a gradient of 0 leaves everything as it is. */
static bool stands_still(struct graph *g, const struct group *use, const struct tensor *grad)
{
	for (int i = 0; i < use->stages.n; i++) {
		const struct equation *eq = use->stages.item[i]->eq;

		if (eq->tensor->role != ROLE_NEXT ||
		    !ex_is_read_of(with_gradient(g, eq, grad, ex_num(g, 0)), eq->tensor->of, eq->nfree))
			return false;
	}
	return true;
}

/* The update with the gradient of the only row in it; NULL where there is more to sum over. */
static struct group *update_alone(struct program *p, const struct equation *sum, const struct group *use)
{
	struct graph *g = p->g;
	struct arena *arena = &g->ctx->arena;
	struct expr *map[MAX_SLOTS] = {0}, *value;
	struct group *alone;

	if (sum->n != sum->nfree + 1 || !sum->index[sum->nfree].rows)
		return NULL;
	map[sum->nfree] = ex_int(g, 0);
	value = ex_substitute(g, sum->value, map, sum->n);
	alone = arena_alloc(arena, sizeof *alone);
	alone->part = PART_FORWARD;
	alone->depth = sum->nfree;
	alone->backwards = true;
	alone->alone = true;
	if (stands_still(g, use, sum->tensor))
		alone->zero = row_factor(value);
	for (int i = 0; i < use->stages.n; i++) {
		const struct stage *like = use->stages.item[i];
		const struct equation *eq = like->eq;
		struct stage *stage =
			make_stage(g,
				   graph_equation(g, eq->tensor, RED_NONE, eq->nfree, eq->nfree, eq->index,
						  with_gradient(g, eq, sum->tensor, value), eq->at),
				   0);

		stage->local = like->local;
		stage->joins = i > 0;
		list_add(arena, &alone->stages, stage);
	}
	find_pieces(p, alone);
	split_loops(alone);
	return alone;
}

struct sweep *sweep_of(const struct tensor *grad)
{
	const struct group *group = layout_of(grad)->group;

	return group && group->sweep && group->sweep->make == group && group->stages.item[0]->eq->tensor == grad
		       ? group->sweep
		       : NULL;
}

struct sweep *plan_sweep(struct program *p, struct group *make, struct group *use, bool moved)
{
	const struct stage *stage = gradient_of(make);
	struct sweep *sweep;

	if (!stage || !follows(use, stage->eq->tensor) || reads_replaced(make, use, moved) ||
	    (p->in_process && !stage->tile))
		return NULL;
	sweep = arena_alloc(&p->g->ctx->arena, sizeof *sweep);
	*sweep = (struct sweep){.make = make, .use = use};
	choose_blocks(p, stage, sweep);
	if (!moves_by_pointers(stage, make) || (stage->tile && stage->tile->adds))
		sweep->room = stage->eq->index[0].extent;
	sweep->alone = update_alone(p, stage->eq, use);
	sweep->added = plan_addition(p, stage, use);
	if (sweep->alone && p->g->batch == 1)
		sweep->room = stage->eq->index[0].extent;
	if (sweep->added)
		sweep->added->sweep = sweep;
	else
		make->sweep = use->sweep = sweep;
	p->call[CALL_STEP].sweeps = true;
	return sweep;
}
