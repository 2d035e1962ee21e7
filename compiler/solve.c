/* solve.c - the subscript equations a(l) = j, solved for as many of the loop indices l as they allow.
 *
 * Subscripts of few indices come first, and of the indices with coefficient 1 or -1 the one is taken that few
 * subscripts use and that is longest. A subscript that offers none stays as an equality. gather.c says what this is
 * for. */
#include "solve.h"

/* a += scale * b */
static bool add_affine(struct affine *a, int64_t scale, const struct affine *b, int slots)
{
	int64_t term;

	if (__builtin_mul_overflow(scale, b->constant, &term) ||
	    __builtin_add_overflow(a->constant, term, &a->constant))
		return false;
	for (int s = 0; s < slots; s++)
		if (__builtin_mul_overflow(scale, b->coef[s], &term) ||
		    __builtin_add_overflow(a->coef[s], term, &a->coef[s]))
			return false;
	return true;
}

/* a without the eliminated loops. */
static bool eliminate(const struct system *s, struct affine *a)
{
	for (int p = 0; p < s->n; p++) {
		int64_t coef = a->coef[p];

		if (!coef || !is_gone(s, p))
			continue;
		a->coef[p] = 0;
		if (!add_affine(a, coef, &s->in[p], s->n + s->rank))
			return false;
	}
	return true;
}

/* The loop to solve a subscript for: -1 if none has coefficient 1 or -1. */
static int choose_loop(const struct system *s, const struct affine *a, const int *uses, const struct index *index)
{
	int best = -1;

	for (int p = 0; p < s->n; p++)
		if (!is_gone(s, p) && (a->coef[p] == 1 || a->coef[p] == -1) &&
		    (best < 0 || uses[p] < uses[best] ||
		     (uses[p] == uses[best] && index[p].extent > index[best].extent)))
			best = p;
	return best;
}

/* a(l) = j for one axis. */
static bool solve_axis(struct system *s, int axis, struct affine a, const int *uses, const struct index *index)
{
	int p, slots = s->n + s->rank;
	struct affine solution = {0};
	int64_t coef;

	if (!eliminate(s, &a))
		return false;
	p = choose_loop(s, &a, uses, index);
	if (p < 0) {
		s->equal[s->n_equal] = a;
		s->equal_axis[s->n_equal++] = axis;
		return true;
	}
	coef = a.coef[p];
	a.coef[p] = 0;
	solution.coef[s->n + axis] = coef;
	if (!add_affine(&solution, -coef, &a, slots))
		return false;
	for (int q = 0; q < s->n; q++) {
		int64_t scale = is_gone(s, q) ? s->in[q].coef[p] : 0;

		if (!scale)
			continue;
		s->in[q].coef[p] = 0;
		if (!add_affine(&s->in[q], scale, &solution, slots))
			return false;
	}
	s->in[p] = solution;
	s->gone |= (uint64_t)1 << p;
	return true;
}

static int count_loops(const struct expr *e) { return __builtin_popcountll(e->slots); }

bool solve_subscripts(struct system *s, const struct term *term)
{
	int order[MAX_SLOTS], uses[MAX_SLOTS] = {0};

	s->n = term->n;
	s->rank = term->to->rank;
	s->gone = s->compared = 0;
	s->n_equal = 0;
	if (s->n + s->rank > MAX_SLOTS)
		return false;
	for (int d = 0; d < s->rank; d++) {
		int at = d;

		for (int p = 0; p < s->n; p++)
			uses[p] += (int)(term->sub[d]->slots >> p & 1);
		for (; at > 0 && count_loops(term->sub[order[at - 1]]) > count_loops(term->sub[d]); at--)
			order[at] = order[at - 1];
		order[at] = d;
	}
	for (int i = 0; i < s->rank; i++) {
		struct affine a;

		if (!affine_of(term->sub[order[i]], &a))
			s->compared |= (uint64_t)1 << order[i];
		else if (!solve_axis(s, order[i], a, uses, term->index))
			return false;
	}
	for (int i = 0; i < s->n_equal; i++) /* those made early, again without what went later */
		if (!eliminate(s, &s->equal[i]))
			return false;
	return true;
}
