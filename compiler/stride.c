/* stride.c - subscripts s*i + u of a window that moves by steps: the axis is taken as digits, j = s*q + r.
 *
 * From  R[s*i + u + c] += f(i, u)  each element of R is to ask which i and u it got something from. With u = s*t + r,
 * too, and r < s, the subscript is s*(i + t) + r, so that i = q - t and r is known: what is left to sum over is t, of
 * which there are as many as windows cover an element, and none where windows do not overlap. So
 *
 *     y[i] = max[u < 2] x[2*i + u]      gives   x.grad[j] = if j % 2 == y.argmax[j // 2] then y.grad[j // 2] else 0
 *     y[i] = sum[u < 3] w[u]*x[2*i + u]         x.grad[j] = sum[t < 2] w[j % 2 + 2*t else 0]*y.grad[j // 2 - t else 0]
 *
 * gather.c solves the term for a tensor that has these digits as axes, where all subscripts are affine; then the digits
 * become what they are of the real axes' indices. */
#include "chain.h"
#include "expr.h"

#include <string.h>

/* A subscript stride*i + u + c of two loops that no other subscript uses. */
static bool find_stride(const struct term *term, int d, const int *uses, int *window, int *offset, struct affine *a)
{
	*window = *offset = -1;
	if (term->to->axis[d].rows || !affine_of(term->sub[d], a))
		return false;
	for (int p = 0; p < term->n; p++) {
		if (!a->coef[p])
			continue;
		if (uses[p] > 1 || term->index[p].rows)
			return false;
		if (a->coef[p] == 1 && *offset < 0)
			*offset = p;
		else if (a->coef[p] > 1 && a->coef[p] < (int64_t)1 << 31 && *window < 0)
			*window = p;
		else
			return false;
	}
	return *window >= 0 && *offset >= 0;
}

/* Replace subscript d by that of two axes, which are given to split->to; u becomes s*t + r. */
static void split_subscript(struct graph *g, struct term *split, struct strides *strides, int d, const struct affine *a,
			    int window, int u)
{
	struct tensor *to = split->to;
	struct expr *map[MAX_SLOTS] = {0}, *quotient = ex_index(g, window), *rest = ex_index(g, u);
	int64_t by = a->coef[window], extent = split->index[u].extent, first;
	struct affine offset = {0};

	first = -floor_modulo(-a->constant, by); /* the subscript is by*(i + t + turns) + r + first */
	if (extent > by) {
		split->index[u].extent = by;
		split->index[split->n] = (struct index){split->index[u].name, (extent + by - 1) / by, false};
		offset.coef[split->n] = by;
		offset.coef[u] = 1;
		map[u] = affine_expr(g, &offset);
		split->value = ex_substitute(g, split->value, map, split->n);
		if (extent % by)
			split->value =
				ex_select(g, ex2(g, EX_LT, map[u], ex_int(g, extent)), split->value, ex_num(g, 0));
		quotient = ex2(g, EX_ADD, quotient, ex_index(g, split->n++));
	}
	strides->by[d] = by;
	strides->first[d] = first;
	to->axis[strides->n].extent = floor_divide(to->axis[strides->n].extent - 1 - first, by) + 1;
	split->sub[strides->n++] = ex2(g, EX_ADD, quotient, ex_int(g, (a->constant - first) / by));
	to->axis[strides->n].extent = by;
	split->sub[strides->n++] = rest;
}

bool split_strides(struct graph *g, const struct term *term, struct term *split, struct strides *strides)
{
	struct arena *arena = &g->ctx->arena;
	struct tensor *to;
	int uses[MAX_SLOTS] = {0}, rank = term->to->rank, window, offset;
	struct affine a;
	bool any = false;

	for (int d = 0; d < rank; d++)
		for (int p = 0; p < term->n; p++)
			uses[p] += (int)(term->sub[d]->slots >> p & 1);
	for (int d = 0; d < rank && !any; d++)
		any = find_stride(term, d, uses, &window, &offset, &a);
	if (!any) /* as in most terms, which get no memory */
		return false;
	any = false;
	to = arena_alloc(arena, sizeof *to);
	*strides = (struct strides){0};
	*split = *term;
	*to = *term->to;
	to->axis = arena_array(arena, 2 * (size_t)rank + 1, sizeof *to->axis);
	split->to = to;
	split->sub = arena_array(arena, 2 * (size_t)rank + 1, sizeof(struct expr *));
	split->index = arena_array(arena, MAX_SLOTS, sizeof *split->index);
	memcpy(split->index, term->index, (size_t)term->n * sizeof *split->index);
	for (int d = 0; d < rank; d++) {
		to->axis[strides->n] = term->to->axis[d];
		if (find_stride(term, d, uses, &window, &offset, &a) && split->n + 2 * rank < MAX_SLOTS) {
			split_subscript(g, split, strides, d, &a, window, offset);
			any = true;
		} else {
			split->sub[strides->n++] = term->sub[d];
		}
	}
	to->rank = strides->n;
	return any;
}

/* The digits of an axis as they come in a sum, by*q + r, are its index. */
struct whole_axes {
	struct graph *g;
	const struct strides *strides;
	int rank, first; /* first: the slot of axis 0's index, those of the others follow */
};

static struct expr *join_digits(void *user, const struct expr *e)
{
	const struct whole_axes *w = user;
	struct affine a;
	int at = 0;

	if (!affine_of(e, &a))
		return NULL;
	for (int d = 0; d < w->rank; d++) {
		int64_t by = w->strides->by[d], coef = a.coef[at + 1];

		if (by && coef && a.coef[at] == by * coef) {
			a.coef[at] = a.coef[at + 1] = 0;
			a.coef[w->first + d] = coef;
			a.constant -= coef * w->strides->first[d];
		}
		at += by ? 2 : 1;
	}
	return affine_expr(w->g, &a);
}

struct read_tidier {
	struct graph *g;
	const struct index *index;
};

static struct expr *tidy(void *user, struct expr *read)
{
	const struct read_tidier *w = user;

	return tidy_read(w->g, read, w->index);
}

void join_strides(struct graph *g, const struct tensor *to, const struct strides *strides, struct term *term)
{
	int rank = to->rank, n_bound = term->n - term->nfree, at = 0;
	struct index *index = arena_array(&g->ctx->arena, (size_t)(rank + n_bound), sizeof *index);
	struct expr *map[MAX_SLOTS];

	for (int d = 0; d < rank; d++) {
		struct expr *j = ex_index(g, d), *by = ex_int(g, strides->by[d]);

		index[d] = (struct index){NULL, to->axis[d].extent, to->axis[d].rows};
		if (!strides->by[d]) {
			index[d] = term->index[at];
			map[at++] = j;
			continue;
		}
		j = ex2(g, EX_SUB, j, ex_int(g, strides->first[d]));
		map[at++] = ex2(g, EX_FLOORDIV, j, by);
		map[at++] = ex2(g, EX_MOD, j, by);
	}
	for (int k = 0; k < n_bound; k++) {
		index[rank + k] = term->index[term->nfree + k];
		map[term->nfree + k] = ex_index(g, rank + k);
	}
	if (term->n + rank <= MAX_SLOTS) {
		struct whole_axes whole = {g, strides, rank, term->n};

		for (int d = 0; d < rank; d++)
			map[term->n + d] = ex_index(g, d);
		term->value = ex_rewrite(g, term->value, join_digits, NULL, &whole);
		term->n += rank;
	}
	term->value = ex_substitute(g, term->value, map, term->n);
	term->value = ex_map_reads(g, term->value, tidy, &(struct read_tidier){g, index});
	if (term->where)
		term->where = ex_substitute(g, term->where, map, term->n);
	term->to = (struct tensor *)to;
	term->index = index;
	term->nfree = rank;
	term->n = rank + n_bound;
}
