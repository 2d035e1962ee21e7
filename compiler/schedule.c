/* schedule.c - what each call needs, and the model's tensors by what they are for.
 *
 * Equations become groups (schedule_groups.c), groups get their shape (schedule_shape.c), and every public function
 * of the generated C runs those that it needs, in order. */
#include "schedule.h"
#include "place.h"

#include <string.h>

/* ---- what is read and needed ---- */

void find_root(struct tensor *t)
{
	struct tensor *root = t;

	while (root->role == ROLE_VIEW)
		root = root->of;
	layout_of(t)->root = root;
}

static struct layout *new_layout(struct program *p, struct tensor *t)
{
	t->pass = arena_alloc(&p->g->ctx->arena, sizeof(struct layout));
	find_root(t);
	return t->pass;
}

struct tensor *make_tensor(struct program *p, const struct tensor *like, enum role role, const char *name, int rank,
			   const struct axis *axis)
{
	struct tensor *t = arena_alloc(&p->g->ctx->arena, sizeof *t);

	*t = (struct tensor){.name = name, .role = role, .elem = ELEM_REAL, .rank = rank, .of = like->of};
	t->axis = arena_array(&p->g->ctx->arena, (size_t)rank + 1, sizeof *t->axis);
	for (int a = 0; a < rank; a++)
		t->axis[a] = axis[a];
	t->at = like->at;
	t->layer = like->layer;
	t->id = UINT32_MAX;
	new_layout(p, t);
	return t;
}

/* ---- totals over the evaluated set ---- */

/* What a total finds in the rows of one call: a tensor that is not the graph's. */
static struct tensor *part_of(struct program *p, const struct tensor *total)
{
	struct tensor *t = arena_alloc(&p->g->ctx->arena, sizeof *t);

	*t = *total;
	t->id = UINT32_MAX;
	t->total = false;
	new_layout(p, t);
	layout_of(t)->kept = true;
	return t;
}

/* Part inference as the calls run it: each total is a reduction over the rows of the call, whose result the call's end
 * takes into the total. */
static void list_inference(struct program *p, equation_list *list)
{
	struct graph *g = p->g;
	struct arena *arena = &g->ctx->arena;
	const struct known_when *when = find_passes(g, &g->part[PART_INFERENCE]);

	for (int i = 0; i < g->part[PART_INFERENCE].n; i++) {
		struct equation *eq = g->part[PART_INFERENCE].item[i];

		if (eq->kind == EQ_MAP && eq->tensor->total) {
			struct total total = {eq->tensor, part_of(p, eq->tensor), eq->red, when[eq->tensor->id].pass};

			list_add(arena, &p->totals, total);
			eq = graph_equation(g, total.part, eq->red, eq->nfree, eq->n, eq->index, eq->value, eq->at);
		}
		list_add(arena, list, eq);
	}
	for (int i = 0; i < g->metrics.n; i++)
		p->n_metric += tensor_size(g->metrics.item[i].value);
}

bool is_converted(const struct program *p, const struct total *total)
{
	return total->tensor->elem == ELEM_REAL && p->g->ctx->options->real == NNC_FLOAT;
}

static unsigned bit(enum call call) { return 1u << call; }
static enum call pass_call(int pass) { return pass == 1 ? CALL_METRICS : CALL_METRICS2; }

/* What an equation's tensor is needed for, so is what it reads. */
static void pass_need(struct graph *g, const struct equation *eq, unsigned also)
{
	struct layout *layout = layout_of(root_of(eq->tensor));
	expr_list reads = {0};

	layout->need |= also;
	if (eq->kind == EQ_VIEW || !layout->need)
		return;
	collect_reads(g, eq->value, &reads);
	for (int k = 0; eq->kind == EQ_SCATTER && k < eq->tensor->rank; k++)
		collect_reads(g, eq->target[k], &reads);
	for (int k = 0; k < reads.n; k++)
		layout_of(root_of(reads.item[k]->tensor))->need |= layout->need;
}

struct scan_need {
	struct graph *g;
	unsigned calls;
};

static void join_need(void *user, struct equation *eq)
{
	((struct scan_need *)user)->calls |= layout_of(root_of(eq->tensor))->need;
}

static void pass_scan_need(void *user, struct equation *eq)
{
	const struct scan_need *need = user;

	pass_need(need->g, eq, need->calls);
}

/* Which calls need which tensors of part inference, from its last equation to its first. */
static void find_needs(struct program *p, const equation_list *list)
{
	struct graph *g = p->g;

	for (int i = 0; i < g->outputs.n; i++)
		layout_of(root_of(g->outputs.item[i].value))->need |= bit(CALL_FORWARD);
	for (int i = 0; i < g->metrics.n; i++)
		layout_of(root_of(g->metrics.item[i].value))->need |= bit(CALL_METRICS_FINISH);
	for (int i = 0; i < p->totals.n; i++)
		layout_of(p->totals.item[i].part)->need |= bit(pass_call(p->totals.item[i].pass));
	if (g->inference_loss)
		layout_of(root_of(g->inference_loss))->need |= bit(CALL_LOSS);
	for (int i = list->n - 1; i >= 0; i--) {
		struct equation *eq = list->item[i];
		struct scan_need need = {g, 0};

		if (eq->kind != EQ_SCAN) {
			pass_need(g, eq, eq->tensor->role == ROLE_NEXT ? bit(CALL_FORWARD) : 0);
			continue;
		}
		/* all of a scan is needed as soon as some of it is */
		visit_equations(eq->scan->body, eq->scan->n, join_need, &need);
		visit_equations(eq->scan->body, eq->scan->n, pass_scan_need, &need);
	}
}

/* ---- calls ---- */

struct tensor *output_of(const struct program *p, enum call call, int k)
{
	return call == CALL_STREAM ? p->stream->outputs.item[k] : p->g->outputs.item[k].value;
}

struct tensor *input_of(const struct program *p, enum call call, int k)
{
	return call == CALL_STREAM ? p->stream->inputs.item[k] : p->inputs.item[k];
}

/* With --unroll=all the steps of a scan are written one after the other. */
static double written_steps(const struct program *p, const struct group *group)
{
	double n = 1;

	for (const struct step_loop *loop = group->steps; loop; loop = loop->outer)
		n *= (double)loop->scan->trips;
	return group->steps && p->g->ctx->options->unroll == NNC_UNROLL_ALL ? n : 0;
}

static void add_groups(struct program *p, enum call call, const group_list *list, unsigned readers)
{
	struct arena *arena = &p->g->ctx->arena;

	p->call[call].present = true;
	for (int i = 0; i < list->n; i++)
		if (!readers || list->item[i]->readers & readers) {
			list_add(arena, &p->call[call].groups, list->item[i]);
			p->statements += written_steps(p, list->item[i]);
		}
}

static void make_calls(struct program *p)
{
	struct graph *g = p->g;
	bool trains = !g->ctx->options->inference_only;

	add_groups(p, CALL_INIT, &p->init, 0);
	if (g->outputs.n) {
		add_groups(p, CALL_FORWARD, &p->inference, bit(CALL_FORWARD));
		add_groups(p, CALL_FORWARD1, &p->inference, bit(CALL_FORWARD));
	}
	if (p->stream->present)
		add_groups(p, CALL_STREAM, &p->streaming, 0);
	if (g->inference_loss)
		add_groups(p, CALL_LOSS, &p->inference, bit(CALL_LOSS));
	if (g->metrics.n) {
		add_groups(p, CALL_METRICS, &p->inference, bit(CALL_METRICS));
		add_groups(p, CALL_METRICS_FINISH, &p->inference, bit(CALL_METRICS_FINISH));
	}
	for (int i = 0; i < p->totals.n && !p->call[CALL_METRICS2].present; i++)
		if (p->totals.item[i].pass == 2)
			add_groups(p, CALL_METRICS2, &p->inference, bit(CALL_METRICS2));
	if (trains && g->loss && g->grads.n)
		add_groups(p, CALL_BACKWARD, &p->training, 0);
	if (trains && g->part[PART_UPDATE].n)
		add_groups(p, CALL_UPDATE, &p->update, 0);
	if (trains && g->part[PART_AVERAGE].n)
		add_groups(p, CALL_AVERAGE, &p->average, 0);
	p->call[CALL_STEP].present = graph_trains(g);
	if (graph_trains(g))
		order_step(p, &p->call[CALL_STEP].groups);
	for (int i = 0; i < p->call[CALL_STEP].groups.n; i++)
		p->statements += written_steps(p, p->call[CALL_STEP].groups.item[i]);
}

/* ---- the model's tensors by what they are for ---- */

static void add_rule_state(struct program *p, struct tensor *t)
{
	struct arena *arena = &p->g->ctx->arena;
	int i;

	for (i = 0; i < p->rules.n && strcmp(p->rules.item[i].name, t->rule) != 0; i++)
		;
	if (i == p->rules.n)
		list_add(arena, &p->rules, (struct rule_state){.name = t->rule});
	list_add(arena, &p->rules.item[i].states, t);
	p->rules.item[i].size += tensor_size(t);
}

/* States of rules in the order of their params, not of the train lines. */
static void sort_rule_states(struct program *p)
{
	struct graph *g = p->g;
	LIST(struct tensor *) *of =
		arena_array(&g->ctx->arena, (size_t)g->tensors.n + 1, sizeof *of); /* by the param's id */

	for (int i = 0; i < g->tensors.n; i++) {
		struct tensor *t = g->tensors.item[i];

		if (is_optimiser_state(t))
			list_add(&g->ctx->arena, &of[t->owner->id], t);
	}
	for (int i = 0; i < p->params.n; i++)
		for (int k = 0; k < of[p->params.item[i]->id].n; k++)
			add_rule_state(p, of[p->params.item[i]->id].item[k]);
}

/* A table, unless there is one like it, as inference and training have of a constant of the text. */
static void add_table(struct program *p, struct tensor *t)
{
	for (int i = 0; i < p->tables.n; i++)
		if (same_data(t, p->tables.item[i])) {
			layout_of(t)->root = p->tables.item[i];
			return;
		}
	list_add(&p->g->ctx->arena, &p->tables, t);
}

static void sort_tensors(struct program *p)
{
	struct graph *g = p->g;
	struct arena *arena = &g->ctx->arena;

	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < g->tensors.n; i++) {
			struct tensor *t = g->tensors.item[i];

			if (t->role == (pass ? ROLE_FROZEN : ROLE_PARAM)) {
				list_add(arena, &p->params, t);
				p->n_param += tensor_size(t);
				p->n_trained += pass ? 0 : tensor_size(t);
			}
		}
	for (int i = 0; i < g->tensors.n; i++) {
		struct tensor *t = g->tensors.item[i];

		switch (t->role) {
		case ROLE_SETTING: list_add(arena, &p->settings, t); break;
		case ROLE_INPUT: list_add(arena, &p->inputs, t); break;
		case ROLE_TARGET: list_add(arena, &p->targets, t); break;
		case ROLE_DATA: add_table(p, t); break;
		case ROLE_STATE:
			if (!is_optimiser_state(t))
				list_add(arena, &p->states, t);
			break;
		default: break;
		}
	}
	for (int i = 0; i < g->tensors.n; i++) /* views of tables */
		layout_of(g->tensors.item[i])->root = root_of(root_of(g->tensors.item[i]));
	if (!g->ctx->options->inference_only)
		sort_rule_states(p);
}

/* What init computes: the optimiser's states are not there where nothing trains. */
static equation_list list_init(struct program *p)
{
	const struct graph *g = p->g;
	equation_list wanted = {0};

	for (int i = 0; i < g->part[PART_INIT].n; i++) {
		struct equation *eq = g->part[PART_INIT].item[i];

		if (!g->ctx->options->inference_only || !is_optimiser_state(eq->tensor))
			list_add(&g->ctx->arena, &wanted, eq);
	}
	return wanted;
}

static void mark_kept(struct program *p)
{
	struct graph *g = p->g;

	for (int i = 0; i < g->tensors.n; i++)
		if (g->tensors.item[i]->role != ROLE_VALUE && g->tensors.item[i]->role != ROLE_VIEW)
			layout_of(g->tensors.item[i])->kept = true;
	for (int i = 0; i < g->outputs.n; i++)
		layout_of(root_of(g->outputs.item[i].value))->kept = true;
	for (int i = 0; i < g->metrics.n; i++)
		layout_of(root_of(g->metrics.item[i].value))->kept = true;
	if (g->loss)
		layout_of(root_of(g->loss))->kept = true;
	if (g->inference_loss)
		layout_of(root_of(g->inference_loss))->kept = true;
}

bool has_work1(const struct program *p) { return p->call[CALL_FORWARD1].present || p->call[CALL_STREAM].present; }

struct program *schedule(struct graph *g, const nnc_tiles *tiles)
{
	struct arena *arena = &g->ctx->arena;
	struct program *p = arena_alloc(arena, sizeof *p);
	equation_list init = {0}, inference = {0}, training = {0};

	p->g = g;
	find_machines(p, tiles);
	for (int i = 0; i < g->tensors.n; i++)
		new_layout(p, g->tensors.item[i]);
	sort_tensors(p);
	mark_kept(p);

	list_inference(p, &inference);
	inference = give_layouts(p, PART_INFERENCE, &inference);
	inference = give_operands(p, PART_INFERENCE, &inference);
	keep_one_step(p, &inference);
	find_needs(p, &inference);
	for (int part = PART_FORWARD; part <= PART_BACKWARD; part++)
		for (int i = 0; part != PART_INFERENCE && i < g->part[part].n; i++)
			list_add(arena, &training, g->part[part].item[i]);

	p->stream = make_stream(p);
	for (int i = 0; i < p->stream->outputs.n; i++)
		layout_of(root_of(p->stream->outputs.item[i]))->kept = true;

	training = give_layouts(p, PART_FORWARD, &training);
	training = give_operands(p, PART_FORWARD, &training);
	keep_one_step(p, &training);
	init = list_init(p);
	group_equations(p, PART_INIT, &init, &p->init);
	group_equations(p, PART_INFERENCE, &inference, &p->inference);
	group_equations(p, PART_FORWARD, &training, &p->training);
	group_equations(p, PART_UPDATE, &g->part[PART_UPDATE], &p->update);
	group_equations(p, PART_FORWARD, &p->stream->equations, &p->streaming);
	group_equations(p, PART_AVERAGE, &g->part[PART_AVERAGE], &p->average);
	add_epilogues(p, &p->inference);
	add_epilogues(p, &p->training);
	finish_groups(p, &p->init);
	finish_groups(p, &p->inference);
	finish_groups(p, &p->training);
	finish_groups(p, &p->update);
	finish_groups(p, &p->streaming);
	finish_groups(p, &p->average);
	make_calls(p);
	plan_strips(p);
	plan_team(p);
	place(p);
	return p;
}
