/* place.c - where every tensor is in every call: lifetimes become offsets in the caller's memory.
 *
 * Params, gradients, states, inputs and outputs have their places. What is left are values between equations; each
 * gets a buffer in `work` (init and update have none: small ones are local arrays, larger ones stand at the end of
 * the state). A buffer is given back when its last reader has run. A value that is computed element by element
 * from another one whose last reader this is takes over its buffer. The next value of a param or state overwrites
 * the old one where nothing after it needs the old one; else it is copied at the end of the call. */
#include "place.h"

enum { LOCAL_LIMIT = 64 /* elements */ };

/* Memory that one or several tensors have one after the other. */
struct buffer {
	int64_t size;
	int born, dies;	     /* positions in the call's groups */
	bool integer, fixed; /* fixed: storage is given */
	struct storage storage;
	struct buffer *joined; /* is part of that one now */
};

struct placing {
	struct program *p;
	struct arena *arena;
	enum call call;
	struct call_plan *plan;
	LIST(struct tensor *) values; /* roots that have a buffer, in order of birth */
	LIST(struct buffer *) buffers;
	struct buffer *grads; /* STEP: all gradients */
};

static struct buffer *find(struct buffer *b)
{
	while (b->joined)
		b = b->joined;
	return b;
}

static int64_t elements(const struct placing *w, const struct tensor *t)
{
	const struct sweep *sweep = w->call == CALL_STEP ? sweep_of(t) : NULL;
	int64_t size = sweep ? sweep->room * sweep->row : memory_size(t), rows = layout_of(t)->strip_rows[w->call];

	if (rows)
		return rows * memory_sample_size(t);
	for (int a = 0; a < t->rank && is_one_row(w->call); a++)
		if (t->axis[a].rows)
			size /= t->axis[a].extent;
	return size;
}

static struct storage *storage_of(const struct placing *w, const struct tensor *t)
{
	return &layout_of(root_of(t))->storage[w->call];
}

static int end_of(const struct placing *w) { return w->plan->groups.n; }

/* ---- in place ---- */

/* Whether other threads may be using what group `at` is about to overwrite. */
static bool is_shared(const struct placing *w, int at, const struct tensor *old)
{
	return w->call == CALL_TEAM_STEP && !is_touched_apart(w->plan, at, old);
}

/* Two groups make different elements of one tensor. */
static bool is_cut_of(const struct group *other, const struct group *group)
{
	return group->stages.item[0]->to && other->stages.item[0]->eq == group->stages.item[0]->eq;
}

static bool is_listed(const struct call_plan *plan, const struct tensor *next)
{
	for (int i = 0; i < plan->next.n; i++)
		if (plan->next.item[i] == next)
			return true;
	return false;
}

static void place_next(struct placing *w, const struct group *group, int at, int position)
{
	struct tensor *t = group->stages.item[at]->eq->tensor, *old = t->of;
	bool applies = w->call < CALL_LOSS || w->call > CALL_METRICS_FINISH; /* evaluation moves nothing on */

	if (w->call == CALL_AVERAGE) {
		*storage_of(w, t) = *storage_of(w, old);
		storage_of(w, t)->memory = MEM_AVERAGE;
		return;
	}
	if (!applies || storage_of(w, t)->memory || is_listed(w->plan, t)) /* decided with its first part */
		return;
	while (position + 1 < w->plan->groups.n && is_cut_of(w->plan->groups.item[position + 1], group))
		position++;
	if (group->stages.item[at]->adds ||
	    (layout_of(old)->dies <= position && may_overwrite(group, at, old) && !is_shared(w, position, old))) {
		*storage_of(w, t) = *storage_of(w, old);
		return;
	}
	list_add(w->arena, &w->plan->next, t);
	layout_of(t)->dies = end_of(w);
}

/* ---- buffers ---- */

/* Of what stage `read_at` reads: the buffer of a value that dies here, and that stage `at` may overwrite; or NULL. One
 * that an earlier stage of the nest has taken over holds that one's value now. */
static struct buffer *dying_buffer(const struct placing *w, const struct group *group, int read_at, int at,
				   const struct buffer *target)
{
	expr_list reads = group->stages.item[read_at]->reads;

	for (int k = 0; k < reads.n; k++) {
		struct tensor *root = root_of(reads.item[k]->tensor);
		struct layout *layout = layout_of(root);
		struct buffer *b = layout->buffer && !layout->buffer->joined ? layout->buffer : NULL;

		if (b && b != target && !b->fixed && layout->dies == target->born && b->dies == target->born &&
		    b->size == target->size && b->integer == target->integer && may_overwrite(group, at, root) &&
		    !is_shared(w, target->born, root))
			return b;
	}
	return NULL;
}

/* Of what the stage reads, or one before it in its nest. */
static struct buffer *buffer_to_reuse(const struct placing *w, const struct group *group, int at,
				      const struct buffer *target)
{
	for (int read_at = at;; read_at--) {
		struct buffer *b = dying_buffer(w, group, read_at, at, target);

		if (b || read_at == 0 || !group->stages.item[read_at]->joins)
			return b;
	}
}

/* Gradients are buffers like any others, not one block that lives all the time. */
static bool apart(const struct placing *w)
{
	return is_step_call(w->call) && (w->p->g->early_updates || w->plan->sweeps);
}

static void add_value(struct placing *w, const struct group *group, int at, int position)
{
	const struct stage *stage = group->stages.item[at];
	struct tensor *t = root_of(stage->eq->tensor);
	struct layout *layout = layout_of(t);
	struct storage given = layout->storage[w->call];
	struct buffer *b, *reused;

	if (!layout->strip_rows[w->call])
		position = first_round(w->plan, position);
	if (stage->local || layout->buffer ||
	    (given.memory != MEM_NONE && given.memory != MEM_OUTPUT && given.memory != MEM_METRIC &&
	     given.memory != MEM_GRADS))
		return;
	b = arena_alloc(w->arena, sizeof *b);
	*b = (struct buffer){.size = elements(w, t), .born = position, .dies = layout->dies, .storage = given};
	b->integer = t->elem != ELEM_REAL;
	b->fixed = given.memory != MEM_NONE && !(given.memory == MEM_GRADS && apart(w));
	layout->buffer = b;
	list_add(w->arena, &w->values, t);
	if (given.memory == MEM_GRADS && is_step_call(w->call) &&
	    !apart(w)) { /* all gradients are one block, as in the struct */
		struct buffer *grads = w->grads;

		grads->born = grads->born < position ? grads->born : position;
		grads->dies = grads->dies > b->dies ? grads->dies : b->dies;
		b->joined = grads;
		return;
	}
	list_add(w->arena, &w->buffers, b);
	reused = buffer_to_reuse(w, group, at, b);
	if (reused) {
		reused->joined = b;
		b->born = reused->born;
	}
}

/* Memory that a tile fills and reads while it runs. */
static void add_panel(struct placing *w, const struct stage *stage, int position)
{
	const struct tile *tile = tile_of(stage, is_one_row(w->call));
	struct buffer *b;

	if (!tile || !tile->memory || w->call == CALL_TEAM_STEP)
		return;
	b = arena_alloc(w->arena, sizeof *b);
	*b = (struct buffer){.size = tensor_size(tile->memory),
			     .born = first_round(w->plan, position),
			     .dies = last_round(w->plan, position)};
	layout_of(tile->memory)->buffer = b;
	list_add(w->arena, &w->values, tile->memory);
	list_add(w->arena, &w->buffers, b);
}

/* ---- offsets ---- */

/* What leads where most is alive; of values that share a buffer the first. */
static void note_largest(struct placing *w, int when)
{
	enum { SHOWN = sizeof w->plan->largest / sizeof *w->plan->largest };
	const struct buffer *buffer[SHOWN] = {0};

	for (int i = 0; i < w->values.n; i++) {
		struct buffer *b = find(layout_of(w->values.item[i])->buffer);
		int at = SHOWN;

		if (b->fixed || b->integer || b->born > when || b->dies < when)
			continue;
		for (int k = 0; k < SHOWN; k++)
			if (buffer[k] == b)
				b = NULL;
		while (b && at > 0 && (!buffer[at - 1] || buffer[at - 1]->size < b->size))
			at--;
		if (!b || at == SHOWN)
			continue;
		for (int k = SHOWN - 1; k > at; k--) {
			buffer[k] = buffer[k - 1];
			w->plan->largest[k] = w->plan->largest[k - 1];
		}
		buffer[at] = b;
		w->plan->largest[at] = w->values.item[i];
	}
}

/* Offsets of all buffers of one kind; returns the elements used. *alive: the largest set that lives at once. */
static int64_t place_buffers(struct placing *w, bool integer, int64_t *alive)
{
	struct piece *piece = arena_array(w->arena, (size_t)w->buffers.n + 1, sizeof *piece);
	struct buffer **own = arena_array(w->arena, (size_t)w->buffers.n + 1, sizeof *own);
	int64_t used;
	int n = 0, when;

	for (int i = 0; i < w->buffers.n; i++) {
		struct buffer *b = w->buffers.item[i];

		if (b->joined || b->fixed || b->integer != integer)
			continue;
		piece[n] = (struct piece){.size = b->size, .born = b->born, .dies = b->dies};
		own[n++] = b;
	}
	used = pack_pieces(w->arena, piece, n, alive, &when);
	for (int i = 0; i < n; i++)
		own[i]->storage =
			(struct storage){.memory = integer ? MEM_WORK_INT : MEM_WORK, .offset = piece[i].offset};
	if (!integer)
		note_largest(w, when);
	return used;
}

/* init and update have no work: small values are local arrays, the others stand one after the other in the state. */
static void place_scratch(struct placing *w)
{
	for (int i = 0; i < w->buffers.n; i++) {
		struct buffer *b = w->buffers.item[i];
		int64_t *used = b->integer ? &w->plan->scratch_int : &w->plan->scratch;

		if (b->joined || b->fixed)
			continue;
		if (b->size <= LOCAL_LIMIT) {
			b->storage = (struct storage){.memory = MEM_LOCAL, .offset = i};
			continue;
		}
		b->storage = (struct storage){.memory = b->integer ? MEM_SCRATCH_INT : MEM_SCRATCH, .offset = *used};
		*used += b->size;
	}
}

/* ---- calls ---- */

/* A value that goes to the host's memory: made there, or copied at the end. */
static void prepare_result(struct placing *w, struct tensor *value, enum memory memory, int64_t offset)
{
	struct tensor *root = root_of(value);
	struct storage *storage = &layout_of(root)->storage[w->call];

	layout_of(root)->dies = end_of(w);
	if (root->role == ROLE_VALUE && !root->total && storage->memory == MEM_NONE)
		*storage = (struct storage){.memory = memory, .offset = offset};
	else
		list_add(w->arena, &w->plan->copies, (struct result){value, offset});
}

static void prepare_results(struct placing *w)
{
	struct graph *g = w->p->g;
	int64_t metric = 0;

	if (w->call == CALL_LOSS)
		layout_of(root_of(g->inference_loss))->dies = end_of(w);
	if (w->call == CALL_BACKWARD || is_step_call(w->call))
		layout_of(root_of(g->loss))->dies = end_of(w);
	if (w->call == CALL_FORWARD || is_one_row(w->call))
		for (int i = 0; i < g->outputs.n; i++)
			prepare_result(w, output_of(w->p, w->call, i), MEM_OUTPUT, i);
	for (int i = 0; w->call == CALL_METRICS_FINISH && i < g->metrics.n; i++) {
		prepare_result(w, g->metrics.item[i].value, MEM_METRIC, metric);
		metric += tensor_size(g->metrics.item[i].value);
	}
	for (int i = 0; i < w->p->totals.n; i++)
		if (w->call == (w->p->totals.item[i].pass == 1 ? CALL_METRICS : CALL_METRICS2))
			layout_of(w->p->totals.item[i].part)->dies = end_of(w);
}

/* Totals that this call reads as the program's reals: copies from before the first group on. */
static void add_totals(struct placing *w)
{
	if (w->call != CALL_METRICS2 && w->call != CALL_METRICS_FINISH)
		return;
	for (int i = 0; i < w->p->totals.n; i++) {
		struct tensor *t = w->p->totals.item[i].tensor;
		struct layout *layout = layout_of(t);

		if (!is_converted(w->p, &w->p->totals.item[i]) || !(layout->need >> w->call & 1))
			continue;
		layout->buffer = arena_alloc(w->arena, sizeof *layout->buffer);
		*layout->buffer = (struct buffer){.size = tensor_size(t), .dies = layout->dies};
		list_add(w->arena, &w->values, t);
		list_add(w->arena, &w->buffers, layout->buffer);
	}
}

static void note_state(struct placing *w)
{
	for (int at = 0; at < w->plan->groups.n; at++)
		for (int i = 0; i < w->plan->groups.item[at]->stages.n; i++) {
			const struct stage *stage = w->plan->groups.item[at]->stages.item[i];
			expr_list all = stage->exprs;

			w->plan->writes_state |= stage->eq->tensor->role == ROLE_NEXT && w->call != CALL_STREAM;
			for (int k = 0; k < all.n; k++) {
				const struct expr *e = all.item[k];

				if (e->op == EX_READ)
					w->plan->reads_state |= storage_of(w, e->tensor)->memory == MEM_STATE;
				w->plan->reads_state |= e->op == EX_DRAW || (e->op == EX_RUN && e->run != RUN_ROWS);
			}
		}
	w->plan->reads_state |= w->plan->writes_state;
}

static void live_whole_phases(struct placing *w)
{
	for (int i = 0; i < w->buffers.n; i++) {
		struct buffer *b = w->buffers.item[i];

		b->born = first_of_phase(w->plan, b->born);
		b->dies = b->dies < end_of(w) ? last_of_phase(w->plan, b->dies) : b->dies;
	}
}

static void place_call(struct program *p, enum call call)
{
	struct placing w = {.p = p, .arena = &p->g->ctx->arena, .call = call, .plan = &p->call[call]};
	struct call_plan *plan = w.plan;
	struct buffer grads = {.size = p->n_trained, .born = end_of(&w), .dies = -1};

	w.grads = &grads;
	for (int at = 0; at < plan->groups.n; at++)
		for (int i = 0; i < plan->groups.item[at]->stages.n; i++) {
			expr_list reads = plan->groups.item[at]->stages.item[i]->reads;

			layout_of(root_of(plan->groups.item[at]->stages.item[i]->eq->tensor))->buffer = NULL;
			for (int k = 0; k < reads.n; k++)
				layout_of(root_of(reads.item[k]->tensor))->buffer = NULL;
		}
	for (int i = 0; i < p->totals.n; i++)
		layout_of(p->totals.item[i].tensor)->dies = 0;
	find_lifetimes(plan, call);
	prepare_results(&w);
	add_totals(&w);
	if (call == CALL_TEAM_STEP)
		find_touching(plan);
	for (int at = 0; at < plan->groups.n; at++)
		for (int i = 0; i < plan->groups.item[at]->stages.n; i++) {
			struct group *group = plan->groups.item[at];

			if (group->stages.item[i]->eq->tensor->role == ROLE_NEXT)
				place_next(&w, group, i, at);
			add_value(&w, group, i, at);
			add_panel(&w, group->stages.item[i], at);
		}
	for (int i = 0; call == CALL_STEP && i < p->g->grads.n; i++) { /* those that no equation gives: cleared */
		struct layout *layout = layout_of(p->g->grads.item[i]);

		if (layout->group)
			continue;
		layout->buffer = arena_alloc(w.arena, sizeof *layout->buffer);
		list_add(w.arena, &w.values, p->g->grads.item[i]);
		if (apart(&w)) {
			*layout->buffer = (struct buffer){.size = tensor_size(p->g->grads.item[i])};
			layout->buffer->dies = layout->dies > 0 ? layout->dies : 0;
			list_add(w.arena, &w.buffers, layout->buffer);
			continue;
		}
		layout->buffer->joined = &grads;
		grads.born = 0;
		grads.dies = end_of(&w);
	}
	if (grads.dies >= 0)
		list_add(w.arena, &w.buffers, &grads);
	if (call == CALL_TEAM_STEP)
		live_whole_phases(&w);
	if (call == CALL_INIT || call == CALL_UPDATE) {
		place_scratch(&w);
	} else {
		plan->work = place_buffers(&w, false, &plan->alive);
		plan->work_int = place_buffers(&w, true, &plan->alive_int);
	}
	for (int i = 0; i < w.values.n; i++) {
		struct tensor *t = w.values.item[i];
		struct storage *storage = storage_of(&w, t);
		struct buffer *b = find(layout_of(t)->buffer);
		int64_t within = b == &grads ? storage->offset : 0;

		*storage = b->storage;
		storage->offset += within;
	}
	note_state(&w);
}

/* The space of all calls with one row, or of all others. */
static struct space share_space(struct program *p, bool one_row)
{
	enum { LINE = 16 }; /* integers in a line of the cache */
	const int64_t in_real = real_size(p->g) / INTEGER_SIZE;
	struct space space = {0};
	int64_t end = 0; /* of the reals and integers of one call, in integers */

	for (enum call c = 0; c < CALL_COUNT; c++) {
		struct call_plan *plan = &p->call[c];

		if (!plan->present || is_one_row(c) != one_row)
			continue;
		space.reals = plan->work > space.reals ? plan->work : space.reals;
		space.integers = plan->work_int > space.integers ? plan->work_int : space.integers;
		plan->integers_at = plan->work_int ? (plan->work * in_real + LINE - 1) / LINE * LINE : 0;
		end = plan->integers_at + plan->work_int > end ? plan->integers_at + plan->work_int : end;
	}
	space.overlaid = space.reals && space.integers && end < space.reals * in_real + space.integers;
	if (space.overlaid)
		space.integers = end;
	for (enum call c = 0; c < CALL_COUNT && !space.overlaid; c++)
		if (is_one_row(c) == one_row)
			p->call[c].integers_at = 0;
	return space;
}

void place(struct program *p)
{
	place_fixed(p);
	place_own(p);
	for (enum call c = 0; c < CALL_COUNT; c++) {
		struct call_plan *plan = &p->call[c];

		if (!plan->present)
			continue;
		place_call(p, c);
		p->scratch = plan->scratch > p->scratch ? plan->scratch : p->scratch;
		p->scratch_int = plan->scratch_int > p->scratch_int ? plan->scratch_int : p->scratch_int;
	}
	p->work = share_space(p, false);
	p->work1 = share_space(p, true);
}
