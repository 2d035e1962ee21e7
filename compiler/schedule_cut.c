/* schedule_cut.c - along what the elements that a group makes can be shared by threads.
 *
 * An equation sets each element by itself, so it does not matter which thread does, as long as a function can be told
 * what to make by other pointers and a count: of samples, of rows, of elements of a flat loop. */
#include "schedule.h"

enum {
	LEAST_ELEMENTS = 4096, /* of a value that is worth cutting */
	LEAST_UNITS = 2,       /* of rows, and multiply-adds that are worth cutting */
	LEAST_WORK = 1 << 18
};

double group_work(const struct group *group)
{
	double all = 0;

	for (int i = 0; i < group->stages.n; i++) {
		const struct stage *stage = group->stages.item[i];

		all += work_of(stage->adds ? stage->adds : stage->written, false);
	}
	return all;
}

static bool has_draws(const struct group *group)
{
	for (int i = 0; i < group->stages.n; i++)
		for (int k = 0; k < group->stages.item[i]->exprs.n; k++)
			if (group->stages.item[i]->exprs.item[k]->op == EX_DRAW)
				return true;
	return false;
}

/* ---- samples ---- */

/* How many rows there are is the same for all threads. */
static bool is_of_sample(const struct expr *e, int samples)
{
	return (e->op == EX_RUN && e->run == RUN_ROWS) || reads_own_sample(e, samples);
}

/* The same of what stands in an expression too. */
static bool holds_own_sample(const struct expr *e, int samples)
{
	if (!is_of_sample(e, samples))
		return false;
	for (int a = 0; a < e->n; a++)
		if (e->arg[a]->op != EX_INDEX && !holds_own_sample(e->arg[a], samples))
			return false;
	return true;
}

/* A sum that goes where subscripts say, but within the sample. */
static bool adds_to_own_sample(const struct stage *stage, int samples)
{
	const struct equation *eq = stage->eq;

	if (samples < 0 || !eq->tensor->rank || eq->target[0]->op != EX_INDEX || eq->target[0]->slot != samples)
		return false;
	for (int a = 1; a < eq->tensor->rank; a++)
		if ((eq->target[a]->op == EX_INDEX && eq->target[a]->slot == samples) ||
		    !holds_own_sample(eq->target[a], samples))
			return false;
	for (int i = 0; i < stage->conditions.n; i++)
		if (stage->conditions.item[i].coef[samples])
			return false;
	return true;
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
		int samples = samples_of(eq);

		if (stage->adds || root->role != ROLE_VALUE || !root->rank || !root->axis[0].rows ||
		    (eq->value->op == EX_INDEX && eq->value->slot == samples) ||
		    (eq->kind == EQ_MAP ? samples != 0 || eq->nfree < 1
					: eq->kind != EQ_SCATTER || !adds_to_own_sample(stage, samples)))
			return false;
		for (int k = 0; k < stage->exprs.n; k++)
			if (!is_of_sample(stage->exprs.item[k], samples))
				return false;
	}
	return true;
}

/* ---- rows ---- */

/* Whether rows can be made apart; *unit is set. In process only tiles are told how many. */
static bool cuts_rows(const struct program *p, struct group *group)
{
	const struct stage *stage = group->stages.item[0];
	const struct equation *eq = stage->eq;

	if (group->stages.n > 1 || group->flat || group->written_out || eq->kind != EQ_MAP || eq->nfree < 1 ||
	    eq->index[0].rows || stage->to || stage->local || (eq->red != RED_SUM && eq->red != RED_NONE) ||
	    (stage->tile && stage->tile->adds) || (p->in_process && !stage->tile) ||
	    (group_work(group) < LEAST_WORK && !makes_blocks(group)) || !moves_by_pointers(stage, group))
		return false;
	for (int t = 0; t < (p->n_machine ? p->n_machine : 1); t++) {
		group->unit[t] = rows_at_once(stage, t);
		if (group->unit[t] < 1 || LEAST_UNITS * group->unit[t] > eq->index[0].extent)
			return false;
	}
	return true;
}

/* ---- elements ---- */

static bool is_update(const struct group *group)
{
	for (int i = 0; i < group->stages.n; i++)
		if (group->stages.item[i]->eq->tensor->role != ROLE_NEXT && !group->stages.item[i]->local)
			return false;
	return true;
}

/* A loop over elements, which must not know where it is. Updates of few may be part of a larger one, since params lie
 * side by side. */
static bool cuts_elements(const struct group *group)
{
	const struct equation *eq = group->stages.item[0]->eq;

	return group->flat && !has_draws(group) && (samples_of(eq) < 0 || !has_run_time_rows(group)) &&
	       (has_many_elements(group) || is_update(group));
}

bool has_many_elements(const struct group *group)
{
	const struct equation *eq = group->stages.item[0]->eq;
	double elements = 1;

	for (int s = 0; s < eq->nfree; s++)
		elements *= (double)eq->index[s].extent;
	return elements >= LEAST_ELEMENTS;
}

enum cut_along cut_of(const struct program *p, struct group *group)
{
	return cuts_samples(group)    ? CUT_SAMPLES
	       : cuts_rows(p, group)  ? CUT_ROWS
	       : cuts_elements(group) ? CUT_ELEMENTS
				      : CUT_NOTHING;
}
