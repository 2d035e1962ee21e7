/* keep.c - which values of the forward pass are kept for the backward pass, and which it computes again.
 *
 * A training step is a sequence of groups of equations; a value lives from the group that makes it to the last one that
 * reads it. If the backward pass computes a value again, right before its first use there, the value of the forward
 * pass dies earlier, what its equation reads lives longer, and a copy lives from then on. All of that is counted here
 * without touching the graph, for any choice of values.
 *
 * To choose means to bring down what lives at any time beyond the bytes that may: the sum of it over all times is the
 * excess, and the value is taken next that takes most of the excess away for the multiply-adds it costs (Chen et al.
 * 2016 do this for chains, where it leaves every k-th value). What only such values are computed from, and the backward
 * pass does not read itself, is computed again with them, unless it is small.
 *
 * The count knows nothing of what the scheduler will make of the new equations, so fit.c measures. */
#include "recompute.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef LIST(int) int_list;

struct value {
	struct tensor *tensor;
	struct equation *definition; /* NULL: it cannot be computed again */
	int64_t bytes, whole; /* that it takes now (none in the loops of a group), and if it had memory of its own */
	double cost;	      /* of computing it again */
	int_list inputs;      /* values that it is computed from */
	int64_t reader;	      /* bytes of the largest value of the forward pass that is computed from it */
	bool read_back;	      /* by the backward pass */
	bool kept;	      /* by the update too */
	bool along;	      /* computed again wherever it is needed for that */
};

/* Groups that run together. */
struct moment {
	int_list reads, makes;
	bool backward;
};

/* When something lives. */
struct span_of_life {
	int born, dies; /* born -1: never */
};

struct keeping {
	struct graph *g;
	struct arena *arena;
	enum call call;
	LIST(struct value) values;
	LIST(struct moment) moments;
	int *number; /* of a tensor's value, by its id, from 1 */
	bool *dropped;
	/* counting */
	struct span_of_life *life, *copy;
	bool *extended; /* what is computed again reads it */
	int64_t *alive; /* by time */
	int now, room;
	double cost;
};

/* What a choice comes to. */
struct outcome {
	double excess, cost;
	int64_t most;
};

/* ---- the model ---- */

static int64_t bytes_of(const struct graph *g, const struct tensor *t)
{
	static const int64_t real_sizes[] = {[NNC_FLOAT] = 4, [NNC_DOUBLE] = 8, [NNC_QUAD] = 16};

	return tensor_size(t) * (t->elem == ELEM_REAL ? real_sizes[g->ctx->options->real] : 4);
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

/* ---- counting ---- */

static bool is_again(const struct keeping *k, int v) { return k->dropped[v] || k->values.item[v].along; }

/* Make the copy of a value, and before it of what it reads. */
static void make_copy(struct keeping *k, int number)
{
	const struct value *v = &k->values.item[number];

	if (k->copy[number].born >= 0)
		return;
	for (int i = 0; i < v->inputs.n; i++)
		if (is_again(k, v->inputs.item[i]))
			make_copy(k, v->inputs.item[i]);
	for (int i = 0; i < v->inputs.n; i++) {
		int input = v->inputs.item[i];

		if (is_again(k, input)) {
			k->copy[input].dies = k->now;
		} else {
			k->life[input].dies = k->now;
			k->extended[input] = true;
		}
	}
	k->copy[number] = (struct span_of_life){k->now, k->now};
	k->cost += v->cost;
	k->now++;
}

static void live_through(struct keeping *k, const struct span_of_life *life, int64_t bytes)
{
	if (life->born < 0)
		return;
	k->alive[life->born] += bytes;
	k->alive[life->dies + 1] -= bytes;
}

static void pass_moment(struct keeping *k, const struct moment *m)
{
	for (int i = 0; i < m->reads.n && m->backward; i++)
		if (k->dropped[m->reads.item[i]])
			make_copy(k, m->reads.item[i]);
	for (int i = 0; i < m->reads.n; i++) {
		int read = m->reads.item[i];

		if (m->backward && k->dropped[read])
			k->copy[read].dies = k->now;
		else
			k->life[read].dies = k->now;
	}
	for (int i = 0; i < m->makes.n; i++) {
		struct span_of_life *life = &k->life[m->makes.item[i]];

		if (life->born < 0)
			life->born = k->now;
		life->dies = k->now;
	}
	k->now++;
}

/* What comes of the values in k->dropped. */
static struct outcome count(struct keeping *k, int64_t most)
{
	struct outcome out = {0};
	int64_t alive = 0;

	k->now = 0;
	k->cost = 0;
	memset(k->extended, 0, (size_t)k->values.n * sizeof *k->extended);
	memset(k->alive, 0, (size_t)k->room * sizeof *k->alive);
	for (int i = 0; i < k->values.n; i++)
		k->life[i] = k->copy[i] = (struct span_of_life){-1, -1};
	for (int i = 0; i < k->moments.n; i++)
		pass_moment(k, &k->moments.item[i]);
	for (int i = 0; i < k->values.n; i++) {
		const struct value *v = &k->values.item[i];

		live_through(k, &k->life[i], k->extended[i] ? v->whole : v->bytes);
		live_through(k, &k->copy[i], v->whole);
	}
	for (int t = 0; t < k->now; t++) {
		alive += k->alive[t];
		if (alive > most)
			out.excess += (double)(alive - most);
		out.most = alive > out.most ? alive : out.most;
	}
	out.cost = k->cost;
	return out;
}

/* ---- choosing ---- */

/* A value that may be dropped, and what it was worth when it was last looked at. */
struct offer {
	int value;
	double worth; /* excess taken away for each multiply-add */
};

static bool may_drop(const struct keeping *k, int i)
{
	const struct value *v = &k->values.item[i];

	return v->definition && v->read_back && v->bytes;
}

static double worth(struct keeping *k, int value, int64_t most, const struct outcome *before)
{
	struct outcome after;

	k->dropped[value] = true;
	after = count(k, most);
	k->dropped[value] = false;
	return (before->excess - after.excess) / fmax(after.cost - before->cost, 1);
}

/* The best offer: the worth of one hardly grows when others are taken, so those that were worth less need no look. */
static int best_offer(struct keeping *k, struct offer *offer, int n, int64_t most, const struct outcome *now)
{
	for (;;) {
		int best = -1, second = -1;

		for (int i = 0; i < n; i++)
			if (best < 0 || offer[i].worth > offer[best].worth) {
				second = best;
				best = i;
			} else if (second < 0 || offer[i].worth > offer[second].worth) {
				second = i;
			}
		if (best < 0)
			return -1;
		offer[best].worth = worth(k, offer[best].value, most, now);
		if (second < 0 || offer[best].worth >= offer[second].worth)
			return offer[best].worth > 0 ? best : -1;
	}
}

static int by_cost(const void *a, const void *b)
{
	const struct offer *one = a, *other = b;

	if (one->worth != other->worth)
		return one->worth > other->worth ? -1 : 1;
	return one->value - other->value;
}

/* Keep again what need not be dropped to stay below, the costliest first. */
static void keep_needless(struct keeping *k, int64_t most, struct offer *offer)
{
	int n = 0;

	for (int i = 0; i < k->values.n; i++)
		if (k->dropped[i])
			offer[n++] = (struct offer){i, k->values.item[i].cost};
	qsort(offer, (size_t)n, sizeof *offer, by_cost);
	for (int i = 0; i < n; i++) {
		k->dropped[offer[i].value] = false;
		k->dropped[offer[i].value] = count(k, most).excess > 0;
	}
}

int64_t most_alive(struct keeping *k)
{
	memset(k->dropped, 0, (size_t)k->values.n * sizeof *k->dropped);
	return count(k, 0).most;
}

bool choose_values(struct keeping *k, int64_t most, bool *again)
{
	struct offer *offer = arena_array(k->arena, (size_t)k->values.n + 1, sizeof *offer);
	struct outcome now;
	int n = 0, best;

	memset(k->dropped, 0, (size_t)k->values.n * sizeof *k->dropped);
	now = count(k, most);
	for (int i = 0; i < k->values.n; i++)
		if (may_drop(k, i))
			offer[n++] = (struct offer){i, INFINITY};
	while (now.excess > 0) {
		best = best_offer(k, offer, n, most, &now);
		for (int i = 0; best < 0 && i < n; i++) { /* what was worth nothing may be worth something by now */
			offer[i].worth = INFINITY;
			if (i == n - 1)
				best = best_offer(k, offer, n, most, &now);
		}
		if (best < 0)
			break;
		k->dropped[offer[best].value] = true;
		offer[best] = offer[--n];
		now = count(k, most);
	}
	if (now.excess <= 0)
		keep_needless(k, most, offer);
	memset(again, 0, (size_t)k->g->tensors.n * sizeof *again);
	for (int i = 0; i < k->values.n; i++)
		if (k->values.item[i].tensor->id != UINT32_MAX)
			again[k->values.item[i].tensor->id] = is_again(k, i);
	return now.excess <= 0;
}
