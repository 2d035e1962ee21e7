/* check.c - a graph whose gradients, of inputs too, are those of the trained params of one loss: what finite
 * differences can be compared with. An input's gradient becomes that of a param which stands for a change of the input:
 *
 *   x.moved[batch, i] = x[batch, i] + x.offset[batch, i]
 *
 * takes the input's place in training, in views and scans too.
 *
 * The pass leaves an input's x.moved in tensor->pass. */
#include "check.h"

static struct expr *read_moved(void *user, struct expr *read)
{
	struct graph *g = user;
	struct tensor *moved = read->tensor->pass;
	return moved ? ex_read(g, moved, read->arg, read->guarded ? read->arg[moved->rank] : NULL) : read;
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

static struct tensor *move_input(struct graph *g, struct tensor *input, struct tensor *offset)
{
	struct arena *arena = &g->ctx->arena;
	struct tensor *moved = graph_tensor(g, ROLE_VALUE, arena_printf(arena, "%s.moved", input->name), ELEM_REAL,
					    true, input->rank, input->axis, input->at);
	struct index *index = arena_array(arena, (size_t)input->rank, sizeof *index);
	struct expr **at = arena_array(arena, (size_t)input->rank, sizeof(struct expr *));
	for (int i = 0; i < input->rank; i++) {
		const char *name = i ? arena_printf(arena, "i%d", i) : "batch";
		index[i] = (struct index){name, input->axis[i].extent, input->axis[i].rows};
		at[i] = ex_index(g, i);
	}
	struct expr *sum = ex2(g, EX_ADD, ex_read(g, input, at, NULL), ex_read(g, offset, at, NULL));
	list_add(arena, &g->part[PART_FORWARD],
		 graph_equation(g, moved, RED_NONE, input->rank, input->rank, index, sum, input->at));
	return moved;
}

static void read_moved_inputs(struct graph *g, struct equation *eq)
{
	if (eq->kind == EQ_SCAN)
		for (int i = 0; i < eq->scan->n; i++)
			read_moved_inputs(g, eq->scan->body[i]);
	else if (eq->kind == EQ_VIEW)
		eq->tensor->of = eq->tensor->of->pass ? eq->tensor->of->pass : eq->tensor->of;
	else
		eq->value = ex_map_reads(g, eq->value, read_moved, g);
}

static void add_offsets(struct graph *g)
{
	equation_list forward = g->part[PART_FORWARD];
	int n = g->tensors.n;
	g->part[PART_FORWARD] = (equation_list){0};
	for (int i = 0; i < n; i++) {
		struct tensor *t = g->tensors.item[i];
		bool moves = t->role == ROLE_INPUT && t->elem == ELEM_REAL;
		t->pass = moves ? move_input(g, t, make_offset(g, t)) : NULL;
	}
	for (int i = n; i < g->tensors.n; i++)
		g->tensors.item[i]->pass = NULL;
	for (int i = 0; i < forward.n; i++) {
		read_moved_inputs(g, forward.item[i]);
		list_add(&g->ctx->arena, &g->part[PART_FORWARD], forward.item[i]);
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
