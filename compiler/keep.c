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
#include "keep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double NEARLY = 0.9; /* of the best offer's worth is enough */

/* What a choice comes to. */
struct outcome {
	double excess, cost;
	int64_t most;
};

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

/* The best offer, or one nearly as good: the worth of one hardly grows when others are taken, so those that were worth
 * less need no look. In a chain of alike layers there are always many as good. */
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
		if (offer[best].worth > 0 && (second < 0 || offer[best].worth >= NEARLY * offer[second].worth))
			return best;
		if (second < 0 || offer[best].worth >= offer[second].worth)
			return -1;
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
	for (int i = 0; i < k->values.n; i++)
		if (k->values.item[i].tensor->id != UINT32_MAX)
			again[k->values.item[i].tensor->id] = is_again(k, i);
	return now.excess <= 0;
}
