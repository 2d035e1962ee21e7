/* schedule_team.c - a training step that several threads do together.
 *
 * An equation sets elements, each by itself. So what a group makes may be cut along an index on the left of its
 * equations: each thread makes some of the elements, just as one thread would, and the numbers are the same for any
 * number of threads. It is the same functions with other pointers:
 *
 *   SAMPLES   what belongs to a sample is made of what belongs to it: each thread takes its samples through one
 *             function after the other
 *   ROWS      of a sum over all samples, as the gradient of a weight is: each thread makes some rows, and the update
 *             that follows (schedule_sweep.c) goes through these, so that there is no gradient to be handed over
 *   ELEMENTS  of an update
 *   NOTHING   one thread does it all
 *
 * Where one thread reads or overwrites what another one has made, all wait for each other first (emit_team.c).
 *
 * Threads may also take a part of the batch each through backward and average their gradients (../runtime/shards.c).
 * That costs to write and read every gradient once more for each thread, but no waiting, and what a thread makes it
 * finds in its own cache. It is the better way where params are used many times, as those of a convolution.
 *
 * requires  groups of CALL_STEP, placed
 * keeps     these; the tensors of CALL_TEAM_STEP stand where they do in a step
 * gives     CALL_TEAM_STEP, group.cut and group.unit of its groups, program.own */
#include "schedule.h"

enum {
	MOST_USES = 2048, /* multiply-adds of a step for each param: with more of them parts of a batch are better */
	LEAST_ELEMENTS = 4096, /* of an update that is worth cutting */
	LEAST_UNITS = 2,       /* of rows, and multiply-adds that are worth cutting */
	LEAST_WORK = 1 << 18,
	SERIAL_SHARE = 16, /* one in so many multiply-adds may be left to one thread */
	OWN_ALIGN = 16	   /* reals */
};

/* ---- what it costs ---- */

/* Multiply-adds of a group for a whole batch. */
static double group_work(const struct group *group)
{
	double all = 0;

	for (int i = 0; i < group->stages.n; i++) {
		const struct stage *stage = group->stages.item[i];

		all += work_of(stage->adds ? stage->adds : stage->written, false);
	}
	return all;
}

static void add_cost(void *user, struct equation *eq)
{
	double *cost = user;

	*cost += eq->kind == EQ_VIEW ? 0 : work_of(eq, false);
}

double training_cost(const struct graph *g)
{
	double cost = 0;

	visit_equations(g->part[PART_FORWARD].item, g->part[PART_FORWARD].n, add_cost, &cost);
	visit_equations(g->part[PART_BACKWARD].item, g->part[PART_BACKWARD].n, add_cost, &cost);
	return cost;
}

/* ---- along what a group is cut ---- */

static bool has_draws(const struct group *group)
{
	for (int i = 0; i < group->stages.n; i++)
		for (int k = 0; k < group->stages.item[i]->exprs.n; k++)
			if (group->stages.item[i]->exprs.item[k]->op == EX_DRAW)
				return true;
	return false;
}

/* Whether each element belongs to a sample, and so does all that it is made of. */
static bool cuts_samples(const struct group *group)
{
	if (!has_run_time_rows(group))
		return false;
	for (int i = 0; i < group->stages.n; i++) {
		const struct stage *stage = group->stages.item[i];
		const struct equation *eq = stage->eq;
		const struct tensor *root = root_of(eq->tensor);

		if (eq->kind != EQ_MAP || stage->adds || samples_of(eq) != 0 || eq->nfree < 1 ||
		    (eq->value->op == EX_INDEX && eq->value->slot == 0) || root->role != ROLE_VALUE || !root->rank ||
		    !root->axis[0].rows)
			return false;
		for (int k = 0; k < stage->exprs.n; k++)
			if (!reads_own_sample(stage->exprs.item[k], 0))
				return false;
	}
	return true;
}

/* Whether rows can be made apart; *unit is set. In process only tiles are told how many. */
static bool cuts_rows(const struct program *p, struct group *group)
{
	const struct stage *stage = group->stages.item[0];
	const struct equation *eq = stage->eq;

	if (group->stages.n > 1 || group->flat || group->written_out || eq->kind != EQ_MAP || eq->nfree < 1 ||
	    eq->index[0].rows || stage->to || stage->local || (eq->red != RED_SUM && eq->red != RED_NONE) ||
	    group_work(group) < LEAST_WORK || (stage->tile && stage->tile->adds) || (p->in_process && !stage->tile) ||
	    !moves_by_pointers(stage, group))
		return false;
	for (int t = 0; t < (p->n_machine ? p->n_machine : 1); t++) {
		group->unit[t] = rows_at_once(stage, t);
		if (group->unit[t] < 1 || LEAST_UNITS * group->unit[t] > eq->index[0].extent)
			return false;
	}
	return true;
}

/* A loop over elements, which must not know where it is. */
static bool cuts_elements(const struct group *group)
{
	const struct equation *eq = group->stages.item[0]->eq;
	double elements = 1;

	if (!group->flat || has_draws(group) || (samples_of(eq) >= 0 && has_run_time_rows(group)))
		return false;
	for (int s = 0; s < eq->nfree; s++)
		elements *= (double)eq->index[s].extent;
	return elements >= LEAST_ELEMENTS;
}

static enum cut_along cut_of(const struct program *p, struct group *group)
{
	return cuts_samples(group)    ? CUT_SAMPLES
	       : cuts_rows(p, group)  ? CUT_ROWS
	       : cuts_elements(group) ? CUT_ELEMENTS
				      : CUT_NOTHING;
}

/* ---- memory ---- */

static void place_as_in_step(void *user, enum use use, struct layout *layout)
{
	(void)user;
	(void)use;
	layout = layout_of(layout->root);
	layout->storage[CALL_TEAM_STEP] = layout->storage[CALL_STEP];
}

static int64_t whole(int64_t size) { return (size + OWN_ALIGN - 1) / OWN_ALIGN * OWN_ALIGN; }

/* What a thread fills and reads for itself: panels, and the rows of a gradient before they are applied. */
static void place_own(struct program *p, const struct group *group)
{
	int64_t size = 0;

	for (int i = 0; i < group->stages.n; i++) {
		const struct tile *tile = group->stages.item[i]->tile;

		if (!tile || !tile->memory)
			continue;
		layout_of(tile->memory)->storage[CALL_TEAM_STEP] = (struct storage){.memory = MEM_OWN, .offset = size};
		size += whole(tensor_size(tile->memory));
	}
	if (group->cut == CUT_ROWS && makes_blocks(group)) {
		const struct sweep *sweep = group->sweep;

		layout_of(root_of(group->stages.item[0]->eq->tensor))->storage[CALL_TEAM_STEP] =
			(struct storage){.memory = MEM_OWN, .offset = size};
		size += whole(sweep->room * sweep->row);
	}
	p->own = p->own > size ? p->own : size;
}

/* ---- the call ---- */

/* Gradients that no equation gives would have to be cleared. */
static bool has_all_gradients(const struct graph *g)
{
	for (int i = 0; i < g->grads.n; i++)
		if (!layout_of(g->grads.item[i])->group)
			return false;
	return true;
}

/* This asks the graph alone: in strict mode all ways to run a model take the same one. */
bool is_for_team(const struct program *p)
{
	const struct graph *g = p->g;
	const char *coupling;

	if (!g->ctx->options->threads || !p->call[CALL_STEP].present || g->batch < 2 || !has_all_gradients(g))
		return false;
	for (enum part part = PART_FORWARD; part <= PART_UPDATE; part++)
		for (int i = 0; i < g->part[part].n; i++)
			if (g->part[part].item[i]->kind == EQ_SCAN && part != PART_INFERENCE)
				return false;
	coupling = find_row_coupling(p->g);
	return coupling && !*coupling && training_cost(g) < (double)MOST_USES * (double)p->n_trained;
}

void plan_team(struct program *p)
{
	const struct call_plan *step = &p->call[CALL_STEP];
	bool strict = p->g->ctx->options->fp == NNC_FP_STRICT;
	double all = 0, serial = 0;

	if (!is_for_team(p))
		return;
	for (int at = 0; at < step->groups.n; at++) {
		struct group *group = step->groups.item[at];

		group->cut = cut_of(p, group);
		all += group_work(group);
		serial += group->cut == CUT_NOTHING ? group_work(group) : 0;
	}
	if (SERIAL_SHARE * serial > all && !strict)
		return;
	p->call[CALL_TEAM_STEP] = *step;
	for (int at = 0; at < step->groups.n; at++)
		visit_uses(step->groups.item[at], place_as_in_step, NULL);
	for (int at = 0; at < step->groups.n; at++)
		place_own(p, step->groups.item[at]);
}
