/* schedule.c - equations into groups, groups into calls.
 *
 * Equations that follow one another join a group where that is legal and saves memory traffic: element by element in
 * the same loops (a sum, the bias, the activation), or row by row within shared outer loops (the parts of a softmax).
 * A group becomes one function. Small groups are written out with no loops, element-wise ones run flat over all
 * elements. The chain rule's equations and an optimiser's are treated like any others. */
#include "schedule.h"

#include <string.h>

enum {
	WRITE_OUT_LIMIT = 256, /* multiply-adds per row of a group that is written out */
	FLAT_MINIMUM = 16,     /* elements per row from which an element-wise group is a loop */
	REUSE_LIMIT = 1024,    /* elements of what all rows share, for row by row to be worth it */
	LOCAL_SUMS = 16	       /* accumulators over the rows that may be local variables */
};

static bool is_rows(const struct stage *stage, int slot) { return stage->eq->index[slot].rows; }

/* ---- what is read and needed ---- */

static struct layout *new_layout(struct program *p, struct tensor *t)
{
	struct layout *layout = arena_alloc(&p->g->ctx->arena, sizeof *layout);
	struct tensor *root = t;

	while (root->role == ROLE_VIEW)
		root = root->of;
	layout->root = root;
	t->pass = layout;
	return layout;
}

/* A rank-0 real tensor that is not the graph's: the mean of a metric, or its sum. */
static struct tensor *extra_tensor(struct program *p, const struct tensor *value, const char *name)
{
	struct tensor *t = arena_alloc(&p->g->ctx->arena, sizeof *t);

	*t = (struct tensor){.name = name, .role = ROLE_VALUE, .elem = ELEM_REAL, .at = value->at, .layer = ""};
	t->id = UINT32_MAX;
	new_layout(p, t);
	return t;
}

/* The equations for the mean of a metric over its rows and other axes. */
static void add_metric(struct program *p, const struct metric *metric, equation_list *list)
{
	struct graph *g = p->g;
	struct arena *arena = &g->ctx->arena;
	struct tensor *value = metric->value, *mean = extra_tensor(p, value, metric->name), *total;
	struct expr *subs[64], *e;
	struct index index[64];
	double count = 1;

	list_add(arena, &p->metrics, mean);
	layout_of(mean)->kept = true;
	for (int a = 0; a < value->rank; a++) {
		index[a] = (struct index){a == 0 && value->batched ? "batch" : arena_printf(arena, "i%d", a),
					  value->axis[a].extent, value->axis[a].rows};
		subs[a] = ex_index(g, a);
		if (!value->axis[a].rows)
			count *= (double)value->axis[a].extent;
	}
	e = ex_real(g, ex_read(g, value, subs, NULL));
	if (value->rank) {
		total = extra_tensor(p, value, arena_printf(arena, "%s.sum", metric->name));
		list_add(arena, list, graph_equation(g, total, RED_SUM, 0, value->rank, index, e, value->at));
		e = ex_num(g, count);
		if (value->batched)
			e = ex2(g, EX_MUL, e, ex_real(g, ex_run(g, RUN_ROWS)));
		e = ex2(g, EX_DIV, ex_read(g, total, NULL, NULL), e);
	}
	list_add(arena, list, graph_equation(g, mean, RED_NONE, 0, 0, NULL, e, value->at));
}

static unsigned bit(enum call call) { return 1u << call; }

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

/* Which calls need which tensors of part inference, from its last equation to its first. */
static void find_needs(struct program *p, const equation_list *list)
{
	struct graph *g = p->g;

	for (int i = 0; i < g->outputs.n; i++)
		layout_of(root_of(g->outputs.item[i].value))->need |= bit(CALL_FORWARD);
	for (int i = 0; i < p->metrics.n; i++)
		layout_of(p->metrics.item[i])->need |= bit(CALL_METRICS);
	if (g->inference_loss)
		layout_of(root_of(g->inference_loss))->need |= bit(CALL_LOSS);
	for (int i = list->n - 1; i >= 0; i--) {
		struct equation *eq = list->item[i];
		unsigned need = 0;

		if (eq->kind != EQ_SCAN) {
			pass_need(g, eq, eq->tensor->role == ROLE_NEXT ? bit(CALL_FORWARD) : 0);
			continue;
		}
		for (int k = 0; k < eq->scan->n; k++) /* all of a scan is needed as soon as some of it is */
			need |= layout_of(root_of(eq->scan->body[k]->tensor))->need;
		for (int k = 0; k < eq->scan->n; k++)
			pass_need(g, eq->scan->body[k], need);
	}
}

/* ---- groups ---- */

struct grouping {
	struct program *p;
	struct graph *g;
	struct group *group; /* open for more, or NULL */
	enum part part;
};

static const struct stage *last_stage(const struct group *group) { return group->stages.item[group->stages.n - 1]; }

/* Free indices that two stages have in common, from the left. */
static int common_free(const struct stage *one, const struct stage *other)
{
	const struct equation *a = one->eq, *b = other->eq;
	int n = 0;

	while (n < a->nfree && n < b->nfree && a->index[n].extent == b->index[n].extent &&
	       a->index[n].rows == b->index[n].rows)
		n++;
	return n;
}

/* The first n subscripts of a read are slots 0..n-1. */
static bool reads_identity(const struct expr *read, int n)
{
	if (read->tensor->rank < n)
		return false;
	for (int a = 0; a < n; a++)
		if (read->arg[a]->op != EX_INDEX || read->arg[a]->slot != a)
			return false;
	return true;
}

static bool reads_element(const struct expr *read, const struct equation *eq)
{
	if (read->guarded || read->tensor->rank != eq->nfree || !reads_identity(read, eq->nfree))
		return false;
	for (int a = 0; a < eq->nfree; a++)
		if (read->tensor->axis[a].extent != eq->index[a].extent)
			return false;
	return true;
}

/* The stage of the group that defines t's memory, or -1. */
static int defining_stage(const struct group *group, const struct tensor *t)
{
	for (int i = 0; i < group->stages.n; i++)
		if (root_of(group->stages.item[i]->eq->tensor) == root_of(t))
			return i;
	return -1;
}

/* The first stage of the nest of loops that the last stage stands in. */
static int nest_start(const struct group *group)
{
	int i = group->stages.n - 1;

	while (i > 0 && group->stages.item[i]->joins)
		i--;
	return i;
}

/* Whether all that stage reads of the group is ready when its loops run inside the first `depth` ones. *linked: it
 * reads something of the group, or both read the same elements. */
static bool reads_fit(struct grouping *w, const struct stage *stage, int depth, bool joins, bool *linked)
{
	struct group *group = w->group;
	expr_list reads = {0};

	*linked = false;
	collect_reads(w->g, stage->eq->value, &reads);
	for (int i = 0; i < reads.n; i++) {
		const struct expr *read = reads.item[i];
		int from = defining_stage(group, read->tensor);

		if (from < 0) {
			expr_list theirs = {0};

			if (!joins || read->tensor->rank == 0 || !reads_element(read, stage->eq))
				continue;
			collect_reads(w->g, last_stage(group)->eq->value, &theirs);
			for (int k = 0; k < theirs.n; k++)
				*linked |= theirs.item[k] == read;
			continue;
		}
		if (read->tensor->role == ROLE_VIEW || group->stages.item[from]->eq->tensor->role == ROLE_VIEW)
			return false;
		if (joins && from >= nest_start(group) ? !reads_element(read, stage->eq) : !reads_identity(read, depth))
			return false;
		*linked = true;
	}
	return true;
}

/* Nothing large that does not depend on the shared loops is gone through again for each of their rounds. */
static bool works_by_row(struct grouping *w, const struct stage *stage, int depth)
{
	expr_list reads = {0};

	if (stage->form == FORM_SCATTER)
		return false;
	collect_reads(w->g, stage->eq->value, &reads);
	for (int i = 0; i < reads.n; i++) {
		uint64_t shared = ((uint64_t)1 << depth) - 1;

		if (!(reads.item[i]->slots & shared) && tensor_size(reads.item[i]->tensor) > REUSE_LIMIT)
			return false;
	}
	return true;
}

static double group_cost(const struct group *group)
{
	double cost = 0;

	for (int i = 0; i < group->stages.n; i++)
		cost += stage_cost(group->stages.item[i]);
	return cost;
}

/* The depth of the shared loops once stage is in the group; -1: it does not fit. */
static int joint_depth(struct grouping *w, struct stage *stage, unsigned readers)
{
	struct group *group = w->group;
	const struct stage *last;
	int common, depth;
	bool linked;

	if (!group || group->readers != readers || stage->form == FORM_SCATTER)
		return -1;
	last = last_stage(group);
	if (last->form == FORM_SCATTER || defining_stage(group, stage->eq->tensor) >= 0)
		return -1;
	common = common_free(group->stages.item[0], stage);
	if (last->form != FORM_ROW && stage->form != FORM_ROW && stage->eq->nfree == last->eq->nfree &&
	    common_free(last, stage) == stage->eq->nfree && reads_fit(w, stage, group->depth, true, &linked) &&
	    linked) {
		stage->joins = true;
		return group->depth;
	}
	depth = common < group->depth ? common : group->depth;
	if (stage->n_free < depth)
		depth = stage->n_free;
	if (depth < 1 || !reads_fit(w, stage, depth, false, &linked) || !linked)
		return -1;
	if (depth == group->depth && last->form == FORM_ROW && stage->form == FORM_MAP)
		return depth; /* what follows a row stands right behind it */
	if (group_cost(group) <= WRITE_OUT_LIMIT && group_cost(group) + stage_cost(stage) > WRITE_OUT_LIMIT)
		return -1;
	for (int i = 0; i < group->stages.n; i++)
		if (!works_by_row(w, group->stages.item[i], depth))
			return -1;
	return works_by_row(w, stage, depth) ? depth : -1;
}

static void add_equation(struct grouping *w, struct equation *eq, group_list *out)
{
	struct arena *arena = &w->g->ctx->arena;
	struct layout *layout = layout_of(root_of(eq->tensor));
	unsigned readers = w->part == PART_INFERENCE ? layout->need : 0;
	struct stage *stage;
	int depth;

	if (eq->kind == EQ_VIEW || (w->part == PART_INFERENCE && !readers))
		return;
	stage = make_stage(w->g, eq, 0);
	stage->clears = !layout->group;
	depth = joint_depth(w, stage, readers);
	if (depth < 0) {
		w->group = arena_alloc(arena, sizeof *w->group);
		w->group->part = w->part;
		w->group->readers = readers;
		list_add(arena, out, w->group);
		depth = stage->form == FORM_SCATTER ? 0 : stage->n_free;
	}
	list_add(arena, &w->group->stages, stage);
	w->group->depth = depth;
	layout->group = w->group;
}

/* Whether a stage of a scan may stand in the free loops of the stages before: what it reads of them at this step is the
 * element they have just made. What it reads of other steps is stored. */
static bool joins_step(struct graph *g, const struct group *group, const struct stage *stage)
{
	const struct stage *last = group->stages.n ? last_stage(group) : NULL;
	int time = group->depth - 1;
	expr_list reads = {0};

	if (!last || last->form == FORM_ROW || stage->form == FORM_ROW || stage->eq->nfree != last->eq->nfree ||
	    common_free(last, stage) != stage->eq->nfree)
		return false;
	collect_reads(g, stage->eq->value, &reads);
	for (int i = 0; i < reads.n; i++) {
		const struct expr *read = reads.item[i];
		int from = defining_stage(group, read->tensor);
		bool now = read->tensor->rank > time && read->arg[time] == ex_index(g, time);

		if (from >= nest_start(group) && now && !reads_element(read, stage->eq))
			return false;
	}
	return true;
}

/* A scan is a group: loops over rows and steps around all its equations. */
static void add_scan(struct grouping *w, const struct equation *eq, group_list *out)
{
	const struct scan *scan = eq->scan;
	unsigned readers = 0;
	struct group *group = arena_alloc(&w->g->ctx->arena, sizeof *group);

	w->group = NULL;
	group->part = w->part;
	group->scan = scan;
	for (int i = 0; i < scan->n; i++) {
		struct equation *body = scan->body[i];
		struct stage *stage;

		if (body->kind != EQ_MAP)
			continue;
		group->depth = body->tensor->batched + scan->depth + 1;
		stage = make_stage(w->g, body, group->depth);
		stage->joins = joins_step(w->g, group, stage);
		list_add(&w->g->ctx->arena, &group->stages, stage);
		layout_of(root_of(body->tensor))->group = group;
		readers |= w->part == PART_INFERENCE ? layout_of(root_of(body->tensor))->need : 0;
	}
	group->readers = readers;
	if (group->stages.n && (w->part != PART_INFERENCE || readers))
		list_add(&w->g->ctx->arena, out, group);
}

static void group_equations(struct program *p, enum part part, const equation_list *list, group_list *out)
{
	struct grouping w = {.p = p, .g = p->g, .part = part};

	for (int i = 0; i < list->n; i++)
		if (list->item[i]->kind == EQ_SCAN)
			add_scan(&w, list->item[i], out);
		else
			add_equation(&w, list->item[i], out);
}

/* Loops that the group shares are no longer the stage's own. */
static void split_loops(struct group *group)
{
	for (int i = 0; i < group->stages.n; i++) {
		struct stage *stage = group->stages.item[i];
		int depth = stage->form == FORM_SCATTER ? 0 : group->depth;

		memmove(stage->loop, stage->loop + depth, (size_t)(stage->n_loop - depth) * sizeof *stage->loop);
		stage->n_loop -= depth;
		stage->n_free -= depth;
	}
}

/* ---- written out, flat, or loops ---- */

static bool has_draw(struct graph *g, struct expr *e)
{
	expr_list all = {0};

	collect_exprs(g, e, &all);
	for (int i = 0; i < all.n; i++)
		if (all.item[i]->op == EX_DRAW)
			return true;
	return false;
}

/* An element's own part of a rank-0 equation that belongs to a parameter: flat like the other parameters'. */
static bool is_element_of_param(const struct tensor *t)
{
	switch (t->role) {
	case ROLE_PARAM:
	case ROLE_GRAD: return true;
	case ROLE_NEXT: return t->of->role == ROLE_PARAM || t->of->owner;
	case ROLE_STATE: return t->owner != NULL;
	default: return false;
	}
}

bool is_elementwise(const struct expr *read, const struct equation *eq)
{
	return reads_element(read, eq) && (eq->nfree > 0 || is_element_of_param(read->tensor));
}

/* Uses indices only as whole subscripts of reads element by element. */
static bool is_flat_equation(struct graph *g, const struct equation *eq)
{
	expr_list all = {0};

	collect_exprs(g, eq->value, &all);
	for (int i = 0; i < all.n; i++) {
		const struct expr *e = all.item[i];

		if (e->op == EX_READ) {
			if (e->guarded || (e->slots && !reads_element(e, eq)))
				return false;
			continue;
		}
		if (e->op == EX_DRAW && eq->nfree && eq->index[0].rows)
			return false;
		for (int k = 0; k < e->n; k++)
			if (e->arg[k]->op == EX_INDEX)
				return false;
	}
	return eq->value->op != EX_INDEX;
}

static bool is_flat_group(struct graph *g, const struct group *group)
{
	const struct equation *first = group->stages.item[0]->eq;

	if (first->nfree == 0 && !is_element_of_param(first->tensor))
		return false;
	for (int i = 0; i < group->stages.n; i++) {
		const struct stage *stage = group->stages.item[i];

		if (stage->form != FORM_MAP || (i > 0 && !stage->joins) || !is_flat_equation(g, stage->eq))
			return false;
	}
	return true;
}

static bool can_be_written_out(struct graph *g, const struct stage *stage)
{
	const struct equation *eq = stage->eq;

	for (int s = eq->nfree; s < eq->n; s++)
		if (eq->index[s].rows && eq->red != RED_SUM && eq->red != RED_PROD)
			return false;
	return stage->form != FORM_SCATTER && !has_draw(g, eq->value);
}

static void choose_shape(struct program *p, struct group *group)
{
	enum nnc_unroll unroll = p->g->ctx->options->unroll;
	double cost = group_cost(group);
	bool small = unroll == NNC_UNROLL_ALL || (unroll == NNC_UNROLL_AUTO && cost <= WRITE_OUT_LIMIT);

	if (group->part == PART_INIT || group->scan)
		small = false;
	for (int i = 0; small && i < group->stages.n; i++)
		small = can_be_written_out(p->g, group->stages.item[i]);
	group->flat = !group->scan && is_flat_group(p->g, group);
	if (group->flat && small && group->part != PART_UPDATE && cost <= FLAT_MINIMUM)
		group->flat = false;
	if (group->flat && unroll == NNC_UNROLL_ALL)
		group->flat = false;
	group->written_out = small && !group->flat;
}

/* ---- locals ---- */

static void note_reads(struct program *p, struct group *group)
{
	for (int i = 0; i < group->stages.n; i++) {
		struct equation *eq = group->stages.item[i]->eq;
		expr_list reads = {0};

		collect_reads(p->g, eq->value, &reads);
		for (int k = 0; eq->kind == EQ_SCATTER && k < eq->tensor->rank; k++)
			collect_reads(p->g, eq->target[k], &reads);
		for (int k = 0; k < reads.n; k++) {
			struct layout *layout = layout_of(root_of(reads.item[k]->tensor));

			if (reads.item[k]->tensor->role == ROLE_VIEW)
				layout->kept = true;
			if (layout->readers == 0 || layout->reader != group)
				layout->readers++;
			layout->reader = group;
		}
	}
}

/* All reads of t within the group are of the element that its stage has just made. */
static bool read_in_place(struct program *p, const struct group *group, int at)
{
	const struct stage *stage = group->stages.item[at];
	bool same_nest = true;

	for (int i = 0; i <= at && group->scan; i++) { /* read at a later step */
		expr_list reads = {0};

		collect_reads(p->g, group->stages.item[i]->eq->value, &reads);
		for (int k = 0; k < reads.n; k++)
			if (reads.item[k]->tensor == stage->eq->tensor)
				return false;
	}
	for (int i = at + 1; i < group->stages.n; i++) {
		const struct stage *other = group->stages.item[i];
		expr_list reads = {0};

		same_nest &= other->joins;
		collect_reads(p->g, other->eq->value, &reads);
		for (int k = 0; k < reads.n; k++) {
			if (reads.item[k]->tensor != stage->eq->tensor)
				continue;
			if (reads.item[k]->guarded || !reads_identity(reads.item[k], stage->eq->nfree))
				return false;
			if (!same_nest && stage->n_free > 0)
				return false;
		}
	}
	return true;
}

/* All reads of t within the group are of elements that are known while the code is written out. */
static bool read_at_constants(struct program *p, const struct group *group, int at)
{
	const struct tensor *t = group->stages.item[at]->eq->tensor;

	for (int i = at + 1; i < group->stages.n; i++) {
		const struct equation *eq = group->stages.item[i]->eq;
		expr_list reads = {0};

		collect_reads(p->g, eq->value, &reads);
		for (int k = 0; k < reads.n; k++)
			for (int a = 0; reads.item[k]->tensor == t && a < t->rank; a++) {
				struct expr *sub = reads.item[k]->arg[a];
				bool own_row = a == 0 && t->batched && sub == ex_index(p->g, 0);

				if (own_row)
					continue;
				for (int s = 0; s < eq->n; s++)
					if (!sub->affine || (eq->index[s].rows && sub->slots >> s & 1))
						return false;
			}
	}
	return true;
}

static void find_locals(struct program *p, struct group *group)
{
	for (int i = 0; i < group->stages.n; i++) {
		struct stage *stage = group->stages.item[i];
		struct tensor *t = stage->eq->tensor;
		struct layout *layout = layout_of(t);
		bool sums_rows = false;

		if (t->role != ROLE_VALUE || layout->kept || layout->readers != 1 || layout->reader != group)
			continue;
		for (int s = stage->eq->nfree; s < stage->eq->n; s++)
			sums_rows |= is_rows(stage, s);
		if (stage->form == FORM_SCATTER)
			continue;
		if (group->written_out)
			stage->local =
				(!sums_rows || stage_cost(stage) <= LOCAL_SUMS) && read_at_constants(p, group, i);
		else
			stage->local = stage->form != FORM_ROW && read_in_place(p, group, i);
	}
}

static void finish_groups(struct program *p, group_list *list)
{
	for (int i = 0; i < list->n; i++) {
		split_loops(list->item[i]);
		choose_shape(p, list->item[i]);
	}
	for (int i = 0; i < list->n; i++)
		note_reads(p, list->item[i]);
	for (int i = 0; i < list->n; i++)
		find_locals(p, list->item[i]);
}

/* ---- calls ---- */

static void add_groups(struct program *p, enum call call, const group_list *list, unsigned readers)
{
	struct arena *arena = &p->g->ctx->arena;

	p->call[call].present = true;
	for (int i = 0; i < list->n; i++)
		if (!readers || list->item[i]->readers & readers)
			list_add(arena, &p->call[call].groups, list->item[i]);
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
	if (g->inference_loss)
		add_groups(p, CALL_LOSS, &p->inference, bit(CALL_LOSS));
	if (g->metrics.n)
		add_groups(p, CALL_METRICS, &p->inference, bit(CALL_METRICS));
	if (trains && g->loss && g->grads.n)
		add_groups(p, CALL_BACKWARD, &p->training, 0);
	if (trains && g->part[PART_UPDATE].n)
		add_groups(p, CALL_UPDATE, &p->update, 0);
	if (p->call[CALL_BACKWARD].present && p->call[CALL_UPDATE].present) {
		add_groups(p, CALL_STEP, &p->training, 0);
		add_groups(p, CALL_STEP, &p->update, 0);
	}
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
		case ROLE_DATA: list_add(arena, &p->tables, t); break;
		case ROLE_STATE:
			if (!t->owner || !t->rule)
				list_add(arena, &p->states, t);
			break;
		default: break;
		}
	}
	/* states of rules in the order of their params, not of the train lines */
	for (int i = 0; i < p->params.n; i++)
		for (int k = 0; k < g->tensors.n; k++) {
			struct tensor *t = g->tensors.item[k];

			if (t->role == ROLE_STATE && t->rule && t->owner == p->params.item[i])
				add_rule_state(p, t);
		}
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
		layout_of(root_of(g->metrics.item[i].value))->kept |= g->metrics.item[i].value->role == ROLE_VIEW;
	if (g->loss)
		layout_of(root_of(g->loss))->kept = true;
	if (g->inference_loss)
		layout_of(root_of(g->inference_loss))->kept = true;
}

struct program *schedule(struct graph *g)
{
	struct arena *arena = &g->ctx->arena;
	struct program *p = arena_alloc(arena, sizeof *p);
	equation_list inference = {0}, training = {0};

	p->g = g;
	for (int i = 0; i < g->tensors.n; i++)
		new_layout(p, g->tensors.item[i]);
	sort_tensors(p);
	mark_kept(p);

	for (int i = 0; i < g->part[PART_INFERENCE].n; i++)
		list_add(arena, &inference, g->part[PART_INFERENCE].item[i]);
	for (int i = 0; i < g->metrics.n; i++)
		add_metric(p, &g->metrics.item[i], &inference);
	find_needs(p, &inference);
	for (int part = PART_FORWARD; part <= PART_BACKWARD; part++)
		for (int i = 0; part != PART_INFERENCE && i < g->part[part].n; i++)
			list_add(arena, &training, g->part[part].item[i]);

	group_equations(p, PART_INIT, &g->part[PART_INIT], &p->init);
	group_equations(p, PART_INFERENCE, &inference, &p->inference);
	group_equations(p, PART_FORWARD, &training, &p->training);
	group_equations(p, PART_UPDATE, &g->part[PART_UPDATE], &p->update);
	finish_groups(p, &p->init);
	finish_groups(p, &p->inference);
	finish_groups(p, &p->training);
	finish_groups(p, &p->update);
	make_calls(p);
	place(p);
	return p;
}
