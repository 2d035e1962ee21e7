/* pack.c - pieces of memory that live for a time get offsets in one block, which is to be as short as possible.
 *
 * No packing is shorter than the largest set of pieces that live at the same time. Taking the pieces as they are born,
 * each in the smallest gap that fits, often comes close and takes little time. Where it does not, lifetimes being known
 * in advance, the pieces are taken in other orders (the largest first, those that fill most room and time first), each
 * at the lowest place that is free all its life; and what then sticks out is taken earlier, as long as that helps. */
#include "place.h"

#include <stdlib.h>
#include <string.h>

enum {
	SEARCH_LIMIT = 20000000, /* comparisons of two pieces, in all orders together */
	MOST_ORDERS = 48,
	ALIGNED_FROM = 512, /* elements of a piece that begins where a vector may */
	ALIGNMENT = 16
};

struct packing {
	struct arena *arena;
	struct piece *piece;
	int n;
	int64_t alive; /* of the largest set that lives at once */
	int when;
};

static int64_t rounded(int64_t offset) { return (offset + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

static int64_t room_of(const struct piece *b) { return b->size < ALIGNED_FROM ? b->size : rounded(b->size); }

/* ---- as they are born ---- */

struct gap {
	int64_t offset, size;
};

struct pool {
	struct arena *arena;
	LIST(struct gap) gaps; /* by offset, never touching */
	int64_t end;	       /* everything from here on is free */
};

static int64_t take(struct pool *pool, int64_t size)
{
	int best = -1;
	int64_t offset;

	for (int i = 0; i < pool->gaps.n; i++)
		if (pool->gaps.item[i].size >= size &&
		    (best < 0 || pool->gaps.item[i].size < pool->gaps.item[best].size))
			best = i;
	if (best < 0) {
		struct gap *last = pool->gaps.n ? &pool->gaps.item[pool->gaps.n - 1] : NULL;

		offset = pool->end;
		if (last && last->offset + last->size == pool->end) { /* grow the gap at the end */
			offset = last->offset;
			pool->gaps.n--;
		}
		pool->end = offset + size;
		return offset;
	}
	offset = pool->gaps.item[best].offset;
	pool->gaps.item[best].offset += size;
	pool->gaps.item[best].size -= size;
	if (pool->gaps.item[best].size == 0) {
		pool->gaps.n--;
		memmove(pool->gaps.item + best, pool->gaps.item + best + 1,
			(size_t)(pool->gaps.n - best) * sizeof *pool->gaps.item);
	}
	return offset;
}

static void give_back(struct pool *pool, int64_t offset, int64_t size)
{
	struct gap *gaps;
	int i;

	list_add(pool->arena, &pool->gaps, (struct gap){0, 0});
	gaps = pool->gaps.item;
	for (i = pool->gaps.n - 1; i > 0 && gaps[i - 1].offset > offset; i--)
		gaps[i] = gaps[i - 1];
	gaps[i] = (struct gap){offset, size};
	if (i + 1 < pool->gaps.n && gaps[i].offset + gaps[i].size == gaps[i + 1].offset) {
		gaps[i].size += gaps[i + 1].size;
		pool->gaps.n--;
		memmove(gaps + i + 1, gaps + i + 2, (size_t)(pool->gaps.n - i - 1) * sizeof *gaps);
	}
	if (i > 0 && gaps[i - 1].offset + gaps[i - 1].size == gaps[i].offset) {
		gaps[i - 1].size += gaps[i].size;
		pool->gaps.n--;
		memmove(gaps + i, gaps + i + 1, (size_t)(pool->gaps.n - i) * sizeof *gaps);
	}
}

/* Offsets in order of birth, and the largest set alive; returns the elements used. */
static int64_t pack_by_birth(struct packing *w)
{
	struct pool pool = {.arena = w->arena};
	int end = 0;
	int64_t alive = 0;
	int *first, *last, *next, *after;

	for (int i = 0; i < w->n; i++)
		end = w->piece[i].dies > end ? w->piece[i].dies : end;
	first = arena_array(w->arena, 2 * ((size_t)end + 1), sizeof *first);
	last = first + end + 1;
	next = arena_array(w->arena, 2 * ((size_t)w->n + 1), sizeof *next);
	after = next + w->n + 1;
	for (int at = 0; at <= end; at++)
		first[at] = last[at] = -1;
	for (int i = w->n - 1; i >= 0; i--) { /* lists of those that are born and that die at each position */
		next[i] = first[w->piece[i].born];
		first[w->piece[i].born] = i;
		after[i] = last[w->piece[i].dies];
		last[w->piece[i].dies] = i;
	}
	for (int at = 0; at <= end; at++) {
		for (int i = first[at]; i >= 0; i = next[i]) {
			w->piece[i].offset = take(&pool, room_of(&w->piece[i]));
			alive += w->piece[i].size;
		}
		if (alive > w->alive) {
			w->alive = alive;
			w->when = at;
		}
		for (int i = last[at]; i >= 0; i = after[i]) {
			give_back(&pool, w->piece[i].offset, room_of(&w->piece[i]));
			alive -= w->piece[i].size;
		}
	}
	return pool.end;
}

/* ---- in other orders ---- */

struct candidate {
	double rank;
	int piece;
	int64_t offset;
};

static int by_rank(const void *a, const void *b)
{
	const struct candidate *one = a, *other = b;

	if (one->rank != other->rank)
		return one->rank > other->rank ? -1 : 1;
	return one->piece - other->piece;
}

/* Offsets for the pieces in this order; sorted: scratch. Returns the elements used. */
static int64_t pack_in_order(const struct packing *w, struct candidate *order, const struct candidate **sorted)
{
	int64_t used = 0;

	for (int i = 0; i < w->n; i++) {
		const struct piece *b = &w->piece[order[i].piece];
		int64_t at = 0, end;
		int k;

		for (k = 0; k < i; k++) { /* what stands already, by offset */
			const struct piece *other = &w->piece[sorted[k]->piece];

			if (other->born > b->dies || other->dies < b->born)
				continue;
			if (sorted[k]->offset >= at + b->size)
				break;
			end = sorted[k]->offset + other->size;
			if (end > at)
				at = b->size < ALIGNED_FROM ? end : rounded(end);
		}
		order[i].offset = at;
		used = at + b->size > used ? at + b->size : used;
		for (k = i; k > 0 && sorted[k - 1]->offset > at; k--)
			sorted[k] = sorted[k - 1];
		sorted[k] = &order[i];
	}
	return used;
}

static void keep(struct packing *w, const struct candidate *order)
{
	for (int i = 0; i < w->n; i++)
		w->piece[order[i].piece].offset = order[i].offset;
}

/* What ends beyond the largest live set is taken before the others next time. */
static void raise(const struct packing *w, struct candidate *order, double by)
{
	for (int i = 0; i < w->n; i++)
		if (order[i].offset + w->piece[order[i].piece].size > w->alive)
			order[i].rank += by;
}

static int64_t search(struct packing *w, int64_t least)
{
	double each = (double)w->n * w->n;
	struct candidate *order = arena_array(w->arena, (size_t)w->n, sizeof *order);
	const struct candidate **sorted = arena_array(w->arena, (size_t)w->n, sizeof *sorted);
	int64_t good = w->alive + w->alive / 100;

	for (int k = 0; k < MOST_ORDERS && k * each < SEARCH_LIMIT && least > good; k++) {
		int64_t used;
		double most = 0;

		for (int i = 0; i < w->n && k % (MOST_ORDERS / 2) == 0; i++) {
			const struct piece *b = &w->piece[i];

			order[i] = (struct candidate){.rank = (double)b->size, .piece = i};
			order[i].rank *= k ? b->dies - b->born + 1 : 1;
		}
		qsort(order, (size_t)w->n, sizeof *order, by_rank);
		used = pack_in_order(w, order, sorted);
		if (used < least) {
			least = used;
			keep(w, order);
		}
		for (int i = 0; i < w->n; i++)
			most = order[i].rank > most ? order[i].rank : most;
		raise(w, order, most / 4);
	}
	return least;
}

int64_t pack_pieces(struct arena *arena, struct piece *piece, int n, int64_t *alive, int *when)
{
	struct packing w = {.arena = arena, .piece = piece, .n = n};
	int64_t used = pack_by_birth(&w);

	used = search(&w, used);
	*alive = w.alive;
	*when = w.when;
	return used;
}
