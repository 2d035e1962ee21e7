/* check.c - a graph whose gradients, of inputs too, are those of the trained params of one loss: what finite
 * differences can be compared with. An input's gradient becomes that of a param which stands for a change of the input.
 *
 * The pass leaves an input's offset in tensor->pass. */
#include "check.h"

/* x[a] becomes x[a] + x.offset[a]; outside of its tensor an offset is 0. */
static struct expr *add_offset(void *user, struct expr *read)
{
	struct graph *g = user;
	struct tensor *offset = read->tensor->pass;
	if (!offset)
		return read;
	return ex2(g, EX_ADD, read, ex_read(g, offset, read->arg, read->guarded ? ex_num(g, 0) : NULL));
}

static struct tensor *make_offset(struct graph *g, const struct tensor *input)
{
	struct arena *arena = &g->ctx->arena;
	struct axis *axis = arena_array(arena, (size_t)input->rank, sizeof *axis);
	struct index *index = arena_array(arena, (size_t)input->rank, sizeof *index);
	for (int i = 0; i < input->rank; i++) {
		axis[i].extent = input->axis[i].rows ? g->batch : input->axis[i].extent;
		index[i] = (struct index){.name = arena_printf(arena, "i%d", i), .extent = axis[i].extent};
	}
	struct tensor *offset = graph_tensor(g, ROLE_PARAM, arena_printf(arena, "%s.offset", input->name), ELEM_REAL,
					     false, input->rank, axis, input->at);
	struct equation *zero =
		graph_equation(g, offset, RED_NONE, input->rank, input->rank, index, ex_num(g, 0), input->at);
	list_add(arena, &g->part[PART_INIT], zero);
	struct tensor *grad = graph_tensor(g, ROLE_GRAD, arena_printf(arena, "%s.grad", offset->name), ELEM_REAL, false,
					   input->rank, axis, input->at);
	grad->of = offset;
	list_add(arena, &g->grads, grad);
	list_add(arena, &g->goals.item[0].params, offset);
	return offset;
}

static void add_offsets(struct graph *g)
{
	int n = g->tensors.n;
	for (int i = 0; i < n; i++) {
		struct tensor *t = g->tensors.item[i];
		t->pass = t->role == ROLE_INPUT && t->elem == ELEM_REAL ? make_offset(g, t) : NULL;
	}
	for (int i = n; i < g->tensors.n; i++)
		g->tensors.item[i]->pass = NULL;
	for (int i = 0; i < g->part[PART_FORWARD].n; i++) {
		struct equation *eq = g->part[PART_FORWARD].item[i];
		if (eq->value)
			eq->value = ex_map_reads(g, eq->value, add_offset, g);
	}
}

static bool has_param(const struct goal *goal, const struct tensor *param)
{
	for (int i = 0; i < goal->params.n; i++)
		if (goal->params.item[i] == param)
			return true;
	return false;
}

/* Params that the goal has no gradients for become constants. */
static void keep_goal(struct graph *g, struct goal goal)
{
	int kept = 0;
	for (int i = 0; i < g->grads.n; i++) {
		struct tensor *grad = g->grads.item[i];
		if (has_param(&goal, grad->of))
			g->grads.item[kept++] = grad;
		else
			grad->of->role = ROLE_FROZEN;
	}
	g->grads.n = kept;
	g->goals.n = 1;
	g->goals.item[0] = goal;
	g->loss = goal.value;
	g->part[PART_UPDATE].n = g->part[PART_AVERAGE].n = 0;
}

void prepare_check(struct graph *g, int goal)
{
	keep_goal(g, g->goals.item[goal]);
	add_offsets(g);
}
