/* weigh.c - what keep.c chooses from: the values of a training step, when each is made and read, what it takes, and
 * what it would cost to compute it again. */
#include "keep.h"

static int64_t bytes_of(const struct graph *g, const struct tensor *t)
{
	return tensor_size(t) * elem_size(t->elem, real_size(g));
}

static bool is_in_work(const struct tensor *t, enum call call)
{
	enum memory memory = layout_of(t)->storage[call].memory;

	return memory == MEM_WORK || memory == MEM_WORK_INT;
}

/* The number of a tensor's value; -1: it takes nothing of work. */
static int value_of(struct keeping *k, struct tensor *t)
{
	struct tensor *root = root_of(t);
	struct layout *layout = layout_of(root);
	struct value v = {.tensor = root};

	if (layout->number || (root->role != ROLE_VALUE && !is_in_work(root, k->call)))
		return layout->number - 1;
	v.whole = bytes_of(k->g, root);
	v.bytes = is_in_work(root, k->call) ? v.whole : 0;
	list_add(k->arena, &k->values, v);
	layout->number = k->values.n;
	return layout->number - 1;
}

static void add_group(struct keeping *k, struct moment *m, const struct group *group)
{
	for (int i = 0; i < group->stages.n; i++) {
		const struct stage *stage = group->stages.item[i];
		expr_list reads = stage->reads;
		int made = value_of(k, stage->eq->tensor);

		if (made >= 0)
			list_add(k->arena, &m->makes, made);
		for (int r = 0; r < reads.n; r++) {
			int read = value_of(k, reads.item[r]->tensor);

			if (read >= 0)
				list_add(k->arena, &m->reads, read);
			if (read >= 0 && m->backward)
				k->values.item[read].read_back = true;
			if (read >= 0 && group->part == PART_UPDATE)
				k->values.item[read].kept = true;
		}
	}
}

static const struct scan *scan_of(const struct group *group)
{
	const struct step_loop *loop = group->steps;

	while (loop && loop->outer)
		loop = loop->outer;
	return loop ? loop->scan : NULL;
}

static void clear_numbers(const struct group *group)
{
	for (int i = 0; i < group->stages.n; i++) {
		expr_list reads = group->stages.item[i]->reads;

		layout_of(root_of(group->stages.item[i]->eq->tensor))->number = 0;
		for (int r = 0; r < reads.n; r++)
			layout_of(root_of(reads.item[r]->tensor))->number = 0;
	}
}

static void add_moments(struct keeping *k, const group_list *groups, const bool *is_forward)
{
	bool backward = false;

	for (int at = 0; at < groups->n; at++)
		clear_numbers(groups->item[at]);
	for (int at = 0; at < groups->n; at++) {
		const struct group *group = groups->item[at];
		const struct scan *scan = scan_of(group);

		for (int i = 0; i < group->stages.n; i++) {
			const struct tensor *t = root_of(group->stages.item[i]->eq->tensor);

			backward |= group->part != PART_UPDATE && t->id != UINT32_MAX && !is_forward[t->id];
		}
		if (!(scan && at > 0 && scan_of(groups->item[at - 1]) == scan))
			list_add(k->arena, &k->moments, (struct moment){.backward = backward});
		add_group(k, &k->moments.item[k->moments.n - 1], group);
	}
}

/* What an equation of the forward pass means for its value. */
static void add_definition(struct keeping *k, struct equation *eq)
{
	int number = k->number[eq->tensor->id] - 1;
	struct value *v = number < 0 ? NULL : &k->values.item[number];
	expr_list reads = {0}, all = {0};
	double times = 1;

	if (!v || v->definition || v->cost || !may_compute_again(eq)) { /* made by several */
		if (v)
			v->definition = NULL, v->cost = 1;
		return;
	}
	collect_reads(k->g, eq->value, &reads);
	collect_exprs(k->g, eq->value, &all);
	for (int s = 0; s < eq->n; s++)
		times *= (double)eq->index[s].extent;
	v->definition = eq;
	v->cost = times * all.n;
	for (int i = 0; i < reads.n; i++) {
		int input = k->number[origin_of(reads.item[i]->tensor)->id] - 1;

		if (input < 0)
			continue;
		list_add(k->arena, &v->inputs, input);
		if (k->values.item[input].reader < v->whole)
			k->values.item[input].reader = v->whole;
	}
}

static void forbid(void *user, struct equation *eq)
{
	struct keeping *k = user;
	int number = k->number[eq->tensor->id] - 1;

	if (number >= 0)
		k->values.item[number].definition = NULL, k->values.item[number].cost = 1;
}

static void note_forward(void *user, struct equation *eq) { ((bool *)user)[eq->tensor->id] = true; }

struct keeping *weigh_values(struct program *p)
{
	struct graph *g = p->g;
	struct arena *arena = &g->ctx->arena;
	struct keeping *k = arena_alloc(arena, sizeof *k);
	const equation_list *forward = &g->part[PART_FORWARD];
	bool *is_forward = arena_array(arena, (size_t)g->tensors.n, sizeof *is_forward);

	k->g = g;
	k->arena = arena;
	k->call = p->call[CALL_STEP].present ? CALL_STEP : CALL_BACKWARD;
	visit_equations(forward->item, forward->n, note_forward, is_forward);
	add_moments(k, &p->call[k->call].groups, is_forward);
	k->number = arena_array(arena, (size_t)g->tensors.n, sizeof *k->number);
	for (int i = 0; i < k->values.n; i++)
		if (k->values.item[i].tensor->id != UINT32_MAX)
			k->number[k->values.item[i].tensor->id] = i + 1;
	for (int i = 0; i < forward->n; i++)
		if (forward->item[i]->kind == EQ_SCAN)
			visit_equations(&forward->item[i], 1, forbid, k);
		else
			add_definition(k, forward->item[i]);
	for (int i = 0; i < k->values.n; i++) {
		struct value *v = &k->values.item[i];

		v->along = v->definition && !v->read_back && v->whole * 8 > v->reader;
		if (v->kept || (g->loss && v->tensor == origin_of(g->loss)))
			v->definition = NULL;
	}
	k->dropped = arena_array(arena, (size_t)k->values.n, sizeof *k->dropped);
	k->life = arena_array(arena, (size_t)k->values.n, sizeof *k->life);
	k->copy = arena_array(arena, (size_t)k->values.n, sizeof *k->copy);
	k->extended = arena_array(arena, (size_t)k->values.n, sizeof *k->extended);
	k->room = k->moments.n + k->values.n + 2;
	k->alive = arena_array(arena, (size_t)k->room, sizeof *k->alive);
	return k;
}
