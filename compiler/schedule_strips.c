/* schedule_strips.c - some samples at a time through several functions, so that what these hand on stays in the cache.
 *
 * A function goes through all samples before the next one starts. What a convolution makes of a batch is then far
 * larger than the caches, written to memory and read from there again. Where functions that follow each other read of a
 * sample only what belongs to it, a loop around all of them takes a strip of samples through one after the other:
 *
 *     for (int row = 0; row < n; row += 2) {
 *             compute_y(rows, x + 256 * row, weight, y);
 *             compute_relu(rows, y, relu + 512 * row);
 *             ..
 *
 * It is the same functions with other pointers. What only they read needs memory for one strip. A sum over the samples,
 * the gradient of a weight, goes on from strip to strip; it is set to 0 before. What stands between them and belongs to
 * no sample moves before the loop, or behind it if it needs such a sum.
 *
 * requires  the groups of calls, in order; not yet placed
 * keeps     what they compute; sums over samples are added in another order, not with --fp=strict
 * gives     call_plan.strips, and the groups in an order in which those of a strip are neighbours */
#include "schedule.h"

enum {
	STRIP_BYTES = 512 * 1024, /* of what one function reads and writes for the samples: half of a second cache */
	SHARED_BYTES = 256 * 1024 /* the most that it reads for every strip anew */
};

struct stripping {
	struct program *p;
	enum call call;
	struct call_plan *plan;
	group_list since, before, inside, behind, out; /* since: of the strip that is being collected, as they came */
	int64_t most;				       /* bytes of a sample that a group inside moves */
};

/* Where a tensor was made: marks of roots, in layout.number. */
enum { MADE_INSIDE = 1, MADE_BEHIND = 2 };

static int64_t sample_bytes(const struct program *p, const struct tensor *root)
{
	return memory_sample_size(root) * elem_size(root->elem, real_size(p->g));
}

int samples_of(const struct equation *eq)
{
	int slot = -1;

	for (int s = 0; s < eq->n; s++)
		if (eq->index[s].rows && slot >= 0)
			return -1;
		else if (eq->index[s].rows)
			slot = s;
	return slot;
}

bool reads_own_sample(const struct expr *e, int samples)
{
	const struct tensor *root;

	if (e->op == EX_RUN && e->run == RUN_ROWS)
		return false;
	if (e->op != EX_READ) {
		for (int a = 0; a < e->n; a++)
			if (e->arg[a]->op == EX_INDEX && e->arg[a]->slot == samples)
				return false;
		return true;
	}
	root = root_of(e->tensor);
	for (int a = 0; a < e->tensor->rank; a++) {
		bool own = a == 0 && e->tensor->axis[0].rows;

		if (own ? e->arg[0]->op != EX_INDEX || e->arg[0]->slot != samples
			: e->arg[a]->op == EX_INDEX && e->arg[a]->slot == samples)
			return false;
	}
	if (!root->rank || !root->axis[0].rows)
		return true;
	return e->tensor->rank && e->tensor->axis[0].rows &&
	       (root->role == ROLE_VALUE || root->role == ROLE_INPUT || root->role == ROLE_TARGET);
}

/* Tiles go through samples one by one, and copy no operand that all share. */
static bool tile_takes_samples(const struct stage *stage, bool sums)
{
	const struct tile *tile = stage->tile;

	if (!tile)
		return true;
	if (tile->scale || tile->across || tile->row[0].rows || tile->row[1].rows || tile->col[0].rows ||
	    tile->col[1].rows ||
	    (tile->memory && !root_of((tile->panel == PANEL_A ? tile->a : tile->b)->tensor)->batched))
		return false;
	return !sums || tile->adds;
}

/* Whether a group makes elements of a sample of what belongs to it; or, *sums, adds up what belongs to samples. */
static bool takes_samples(const struct stripping *w, const struct group *group, bool *sums)
{
	const struct equation *first = group->stages.item[0]->eq;

	*sums = samples_of(first) >= first->nfree;
	if (group->steps || group->sweep || group->alone || group->backwards ||
	    (*sums &&
	     (group->stages.n > 1 || w->p->g->ctx->options->fp == NNC_FP_STRICT || group->written_out || group->flat)))
		return false;
	for (int i = 0; i < group->stages.n; i++) {
		const struct stage *stage = group->stages.item[i];
		const struct equation *eq = stage->eq;
		int samples = samples_of(eq);

		if (eq->kind != EQ_MAP || stage->adds || samples < 0 || (*sums ? samples < eq->nfree : samples != 0) ||
		    !tile_takes_samples(stage, *sums))
			return false;
		if (*sums && (eq->red != RED_SUM || stage->to || eq->tensor->elem != ELEM_REAL ||
			      (stage->form != FORM_ROW && stage->form != FORM_DOT)))
			return false;
		if (eq->tensor->role != ROLE_VALUE && !(*sums && eq->tensor->role == ROLE_GRAD))
			return false;
		for (int k = 0; k < stage->exprs.n; k++)
			if (stage->exprs.item[k]->op == EX_DRAW || !reads_own_sample(stage->exprs.item[k], samples))
				return false;
	}
	return true;
}

/* Bytes of the samples that a group moves, of one of them; and of what they share. */
static void count_bytes(const struct program *p, const struct group *group, int64_t *own, int64_t *shared)
{
	*own = *shared = 0;
	for (int i = 0; i < group->stages.n; i++) {
		const struct stage *stage = group->stages.item[i];

		for (int k = -1; k < stage->reads.n; k++) {
			const struct tensor *root = root_of(k < 0 ? stage->eq->tensor : stage->reads.item[k]->tensor);

			if (!stage->local || k >= 0)
				*(root->batched ? own : shared) += sample_bytes(p, root);
		}
	}
}

/* ---- what depends on what ---- */

static void mark_made(void *user, enum use use, struct layout *layout)
{
	if (use == MAKES)
		layout->number = *(const int *)user;
}

static void mark(const struct group *group, int with) { visit_uses(group, mark_made, &with); }

static void clear_mark(void *user, enum use use, struct layout *layout)
{
	(void)user;
	if (use != REPLACES)
		layout->number = 0;
}

static void clear_marks(const group_list *list)
{
	for (int at = 0; at < list->n; at++)
		visit_uses(list->item[at], clear_mark, NULL);
}

struct need {
	int with;
	bool found;
};

static void find_need(void *user, enum use use, struct layout *layout)
{
	struct need *need = user;

	need->found |= use != REPLACES && layout->number == need->with;
}

/* Whether a group reads, or adds to, what groups with such a mark made. */
static bool needs(const struct group *group, int with)
{
	struct need need = {.with = with};

	visit_uses(group, find_need, &need);
	return need.found;
}

/* Whether a group leaves everything that there was. */
static bool makes_values(const struct group *group)
{
	for (int i = 0; i < group->stages.n; i++) {
		const struct tensor *t = group->stages.item[i]->eq->tensor;

		if (t->role != ROLE_VALUE && t->role != ROLE_GRAD)
			return false;
	}
	return !group->steps && !group->sweep && !group->alone;
}

/* ---- strips ---- */

const struct strip *strip_at(const struct call_plan *plan, int at)
{
	for (int k = 0; k < plan->strips.n; k++)
		if (at >= plan->strips.item[k].first && at <= plan->strips.item[k].last)
			return &plan->strips.item[k];
	return NULL;
}

static void append(struct stripping *w, group_list *list)
{
	for (int at = 0; at < list->n; at++)
		list_add(&w->p->g->ctx->arena, &w->out, list->item[at]);
}

/* End the strip that is being collected. */
static void close_strip(struct stripping *w)
{
	int64_t batch = w->p->g->batch, rows = w->most ? STRIP_BYTES / w->most : batch;
	struct strip strip;

	rows = rows < 1 ? 1 : rows;
	clear_marks(&w->since);
	if (w->inside.n > 1 && 2 * rows <= batch) {
		int64_t strips = (batch + rows - 1) / rows;

		append(w, &w->before);
		strip.first = w->out.n;
		append(w, &w->inside);
		strip.last = w->out.n - 1;
		strip.rows = (batch + strips - 1) / strips;
		list_add(&w->p->g->ctx->arena, &w->plan->strips, strip);
		append(w, &w->behind);
	} else {
		append(w, &w->since);
	}
	w->since.n = w->before.n = w->inside.n = w->behind.n = 0;
	w->most = 0;
}

static void add_group(struct stripping *w, struct group *group)
{
	struct arena *arena = &w->p->g->ctx->arena;
	int64_t own, shared;
	bool sums = false, fits;

	count_bytes(w->p, group, &own, &shared);
	fits = shared <= SHARED_BYTES && takes_samples(w, group, &sums);
	if (needs(group, fits ? MADE_BEHIND : MADE_INSIDE))
		close_strip(w);
	if ((!fits || sums) && !w->inside.n) { /* a sum that finds nothing near begins no strip */
		list_add(arena, &w->out, group);
		return;
	}
	list_add(arena, &w->since, group);
	if (fits) {
		list_add(arena, &w->inside, group);
		w->most = own > w->most ? own : w->most;
		mark(group, sums ? MADE_BEHIND : MADE_INSIDE);
	} else if (makes_values(group) && !needs(group, MADE_BEHIND)) {
		list_add(arena, &w->before, group);
	} else {
		list_add(arena, &w->behind, group);
		mark(group, MADE_BEHIND);
	}
}

/* What is made in a strip and read nowhere else has memory for the samples of one strip. */
static void find_short(const struct stripping *w)
{
	const group_list *groups = &w->plan->groups;

	for (int at = 0; at < groups->n; at++) {
		const struct strip *strip = strip_at(w->plan, at);

		for (int i = 0; strip && i < groups->item[at]->stages.n; i++) {
			struct layout *made = layout_of(root_of(groups->item[at]->stages.item[i]->eq->tensor));

			if (made->root->batched && !made->kept) {
				made->number = (int)(strip - w->plan->strips.item) + 1;
				made->strip_rows[w->call] = strip->rows;
			}
		}
	}
	for (int at = 0; at < groups->n; at++) {
		const struct strip *strip = strip_at(w->plan, at);

		for (int i = 0; i < groups->item[at]->stages.n; i++) {
			const struct stage *stage = groups->item[at]->stages.item[i];

			for (int k = -1; k < stage->reads.n; k++) {
				struct layout *used =
					layout_of(root_of(k < 0 ? stage->eq->tensor : stage->reads.item[k]->tensor));

				if (used->number && (!strip || strip != &w->plan->strips.item[used->number - 1]))
					used->strip_rows[w->call] = 0;
			}
		}
	}
	clear_marks(groups);
}

static void plan_call(struct program *p, enum call call)
{
	struct stripping w = {.p = p, .call = call, .plan = &p->call[call]};

	clear_marks(&w.plan->groups);
	for (int at = 0; at < w.plan->groups.n; at++)
		add_group(&w, w.plan->groups.item[at]);
	close_strip(&w);
	w.plan->groups = w.out;
	find_short(&w);
}

void plan_strips(struct program *p)
{
	static const enum call calls[] = {CALL_FORWARD, CALL_LOSS, CALL_BACKWARD, CALL_STEP};

	if (p->g->no_operands || p->g->early_updates)
		return;
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (p->call[calls[i]].present && !(calls[i] == CALL_STEP && is_for_team(p)))
			plan_call(p, calls[i]);
}
