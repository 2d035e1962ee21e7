/* schedule_team.c - a training step that several threads do together.
 *
 * An equation sets elements, each by itself. So what a group makes may be cut along an index on the left of its
 * equations: each thread makes some of the elements, just as one thread would, and the numbers are the same for any
 * number of threads. It is the same functions with other pointers (schedule_cut.c):
 *
 *   SAMPLES   what belongs to a sample is made of what belongs to it: each thread takes its samples through one
 *             function after the other
 *   ROWS      of a sum over all samples, as the gradient of a weight is: each thread makes some rows, and the update
 *             that follows (schedule_sweep.c) goes through these, so that there is no gradient to be handed over
 *   ELEMENTS  of an update
 *   NOTHING   one thread does it all; others do other such groups
 *
 * Where one thread reads or overwrites what another one has made, all wait for each other first (emit_team.c), which
 * takes as long as the slowest of them. So groups stand in as few phases as there can be, between two meetings each:
 * a group comes into the phase behind those of what it needs, or into the same one where each thread has made itself
 * what it needs. In a network of dense layers, samples go forward and backward in the first phase; in the second one
 * are all gradients of weights, and updates. Values live to the end of a phase (place_team.c), so that nothing else
 * keeps groups apart.
 *
 * It does not matter whether rows meet, as in batch normalisation: the mean of a batch is one more thing that needs all
 * samples.
 *
 * Threads may also take a part of the batch each through backward and average their gradients (../runtime/shards.c).
 * That costs to write and read every gradient once more for each thread, but no waiting, and what a thread makes it
 * finds in its own cache. It is the better way where params are used many times, as those of a convolution.
 *
 * requires  groups of CALL_STEP
 * keeps     these
 * gives     CALL_TEAM_STEP: the same groups, by phases; their cut, unit, phase and thread */
#include "schedule.h"

#include <stdlib.h>

enum {
	MOST_USES = 2048,  /* multiply-adds of a step for each param: with more of them parts of a batch are better */
	SERIAL_SHARE = 16, /* one in so many multiply-adds may be left to one thread */
	MOST_THREADS = 16  /* that have groups of their own */
};

/* ---- what it costs ---- */

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

/* ---- phases ---- */

/* Who makes or reads something: one thread, by its number, or each thread its samples, or some of the elements. */
enum { BY_NOBODY = -3, BY_ALL = -2, BY_SAMPLES = -1 };

/* In which phase something is done at last, and by whom. */
struct mark {
	int phase, by;
};
struct tensor_marks {
	struct mark made, used;
};
struct teaming {
	struct arena *arena;
	LIST(struct tensor_marks) marks; /* of roots: layout.number */
	struct mark needs, is;		 /* of the groups at hand: what they come behind, and where they stand */
	double *load;			 /* of each thread, phase by phase: multiply-adds */
	int threads;
};

static struct mark later(struct mark a, struct mark b)
{
	if (a.phase == b.phase && a.by != b.by && b.by != BY_NOBODY)
		a.by = a.by == BY_NOBODY ? b.by : BY_ALL;
	return b.phase > a.phase ? b : a;
}

static void number_root(void *user, enum use use, struct layout *layout)
{
	(void)user;
	(void)use;
	layout->number = -1;
}

static struct tensor_marks *marks_of(struct teaming *w, struct layout *layout)
{
	if (layout->number < 0) {
		layout->number = w->marks.n;
		list_add(w->arena, &w->marks, (struct tensor_marks){{0, BY_NOBODY}, {0, BY_NOBODY}});
	}
	return &w->marks.item[layout->number];
}

static void find_needs(void *user, enum use use, struct layout *layout)
{
	struct teaming *w = user;
	const struct tensor_marks *marks = marks_of(w, layout);

	w->needs = later(w->needs, use == READS ? marks->made : marks->used);
}

static void leave_mark(void *user, enum use use, struct layout *layout)
{
	struct teaming *w = user;
	struct tensor_marks *marks = marks_of(w, layout);

	if (use == MAKES)
		marks->made = later(marks->made, w->is);
	marks->used = later(marks->used, w->is);
}

/* The thread that has least to do for itself in a phase. */
static int idle_thread(const struct teaming *w, int phase)
{
	const double *load = w->load + (size_t)phase * (size_t)w->threads;
	int best = 0;

	for (int k = 1; k < w->threads; k++)
		if (load[k] < load[best])
			best = k;
	return best;
}

/* Where n groups stand, one or those of a sweep, of which w->needs says what they need. */
static struct mark place_of(struct teaming *w, struct group *group, bool few)
{
	struct mark is = {w->needs.phase, BY_ALL};

	if (w->needs.by >= 0 && (few || group->cut == CUT_NOTHING)) {
		group->cut = CUT_NOTHING;
		group->thread = w->needs.by;
		return w->needs;
	}
	if (group->cut == CUT_SAMPLES)
		is.by = BY_SAMPLES;
	if (w->needs.by != BY_NOBODY && (w->needs.by != is.by || is.by == BY_ALL))
		is.phase++;
	group->thread = idle_thread(w, is.phase);
	if (group->cut == CUT_NOTHING)
		is.by = group->thread;
	return is;
}

static void place_in_phase(struct teaming *w, struct group *const *group, int n)
{
	bool few = group[0]->cut == CUT_ELEMENTS && !has_many_elements(group[0]);

	w->needs = (struct mark){0, BY_NOBODY};
	for (int i = 0; i < n; i++)
		visit_uses(group[i], find_needs, w);
	w->is = place_of(w, group[0], few);
	for (int i = 0; i < n; i++) {
		if (i > 0)
			group[i]->cut = group[0]->cut == CUT_ROWS ? CUT_ELEMENTS : group[0]->cut;
		group[i]->phase = w->is.phase;
		group[i]->thread = group[0]->thread;
		if (w->is.by >= 0 || few)
			w->load[w->is.phase * w->threads + group[i]->thread] += group_work(group[i]);
		visit_uses(group[i], leave_mark, w);
	}
}

/* Within a phase: samples, then what threads do alone, so that they are even when they share the rest. */
static int place_within(const struct group *group)
{
	switch (group->cut) {
	case CUT_SAMPLES: return 0;
	case CUT_NOTHING: return 1 + group->thread;
	default: return 1 + MOST_THREADS;
	}
}

struct ordered {
	struct group *group;
	int phase, within, at;
};

static int by_phase(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;

	return x->phase != y->phase	? x->phase - y->phase
	       : x->within != y->within ? x->within - y->within
					: x->at - y->at;
}

static void sort_by_phase(struct arena *arena, group_list *groups)
{
	struct ordered *order = arena_array(arena, (size_t)groups->n + 1, sizeof *order);

	for (int at = 0; at < groups->n; at++) {
		struct group *group = groups->item[at];

		order[at] = (struct ordered){group, group->phase, place_within(group), at};
		if (at && is_swept(group)) /* behind its gradient */
			order[at].within = order[at - 1].within;
	}
	qsort(order, (size_t)groups->n, sizeof *order, by_phase);
	for (int at = 0; at < groups->n; at++)
		groups->item[at] = order[at].group;
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

	if (!g->ctx->options->threads || !p->call[CALL_STEP].present || g->batch < 2 || !has_all_gradients(g))
		return false;
	for (enum part part = PART_FORWARD; part <= PART_UPDATE; part++)
		for (int i = 0; i < g->part[part].n; i++)
			if (g->part[part].item[i]->kind == EQ_SCAN && part != PART_INFERENCE)
				return false;
	return find_row_coupling(p->g) && training_cost(g) < (double)MOST_USES * (double)p->n_trained;
}

/* Along what all groups are cut; false: too much is left to one thread. */
static bool cut_groups(const struct program *p)
{
	const group_list *groups = &p->call[CALL_STEP].groups;
	double all = 0, serial = 0;

	for (int at = 0; at < groups->n; at++) {
		struct group *group = groups->item[at];

		group->cut = cut_of(p, group);
		all += group_work(group);
		serial += group->cut == CUT_NOTHING ? group_work(group) : 0;
	}
	return SERIAL_SHARE * serial <= all || p->g->ctx->options->fp == NNC_FP_STRICT;
}

void plan_team(struct program *p)
{
	const group_list *step = &p->call[CALL_STEP].groups;
	struct call_plan *team = &p->call[CALL_TEAM_STEP];
	struct teaming w = {.arena = &p->g->ctx->arena, .threads = p->g->ctx->options->threads};

	if (!is_for_team(p))
		return;
	if (!cut_groups(p)) {
		for (int at = 0; at < step->n; at++)
			step->item[at]->cut = CUT_NOTHING;
		return;
	}
	w.threads = w.threads > MOST_THREADS ? MOST_THREADS : w.threads;
	w.load = arena_array(w.arena, ((size_t)step->n + 1) * (size_t)w.threads, sizeof *w.load);
	for (int at = 0; at < step->n; at++)
		visit_uses(step->item[at], number_root, NULL);
	for (int at = 0; at < step->n;) {
		int n = at + 1 < step->n && is_swept(step->item[at + 1]) ? 2 : 1;

		place_in_phase(&w, &step->item[at], n);
		at += n;
	}
	team->present = true;
	team->sweeps = p->call[CALL_STEP].sweeps;
	for (int at = 0; at < step->n; at++)
		list_add(w.arena, &team->groups, step->item[at]);
	sort_by_phase(w.arena, &team->groups);
}
