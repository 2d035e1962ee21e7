/* schedule_phases.c - a sum whose results lie along an index that its factors divide.
 *
 * The gradient of a convolution that moves by steps of 2 has reads at (j + 1) // 2 and (j + 1) % 2. With a phase r and
 * a place q in it instead, j = 2*q + r - 1, all subscripts are linear, and it is a sum of products like any other:
 *
 *     x.grad.phases[batch, c, r, q] = sum[o, u] y.grad.operand[batch, o, q - u + 1] * w.operand[o, c, r + 2*u]
 *     x.grad[batch, c, j] = x.grad.phases[batch, c, (j + 1) % 2, (j + 1) // 2]
 *
 * A phase has a few places that no j has, before the first and behind the last; nothing reads them.
 *
 * A sum of few terms that is no sum of products, as the gradient of a pool whose windows overlap, is written out
 * instead: as one expression it stands in the loops over quotients and remainders that schedule_pieces.c makes.
 *
 * requires  an equation that is not in a scan
 * gives     the sum over phases, and the equation that puts them together; NULL where no index is divided, or not
 * always in the same way */
#include "schedule_operands.h"

#include "expr.h"

enum { MOST_TERMS = 8 };

/* How the sum divides its free indices: 0, or j = by*q + r - before wherever it does. */
struct phases {
	int64_t by[MAX_SLOTS], before[MAX_SLOTS];
	int n; /* that are divided */
};

static bool find_phases(struct operands *w, struct phases *phases)
{
	const struct equation *eq = w->eq;
	expr_list all = {0};

	*phases = (struct phases){0};
	collect_exprs(w->g, eq->value, &all);
	for (int i = 0; i < all.n; i++) {
		const struct expr *e = all.item[i];
		int slot = e->slots ? __builtin_ctzll(e->slots) : 0;
		struct affine a;
		int64_t by, before;

		if (e->op != EX_FLOORDIV && e->op != EX_MOD)
			continue;
		if (e->arg[1]->op != EX_INT || e->arg[1]->integer < 2 || !affine_of(e->arg[0], &a) ||
		    e->slots != (uint64_t)1 << slot || a.coef[slot] != 1 || slot >= eq->nfree || eq->index[slot].rows)
			return false;
		by = e->arg[1]->integer;
		before = floor_modulo(a.constant, by);
		if (phases->by[slot] && (phases->by[slot] != by || phases->before[slot] != before))
			return false;
		phases->n += !phases->by[slot];
		phases->by[slot] = by;
		phases->before[slot] = before;
	}
	return phases->n > 0 && eq->n + phases->n <= MAX_SLOTS / 2;
}

/* Whether no read leaves its tensor but where it has a value for that. */
static bool reads_inside(struct operands *w, const struct equation *eq)
{
	expr_list reads = {0};

	collect_reads(w->g, eq->value, &reads);
	for (int i = 0; i < reads.n; i++)
		for (int a = 0; a < reads.item[i]->tensor->rank && !reads.item[i]->guarded; a++) {
			const struct axis *axis = &reads.item[i]->tensor->axis[a];
			struct range r;

			if (!axis->rows &&
			    (!range_of(reads.item[i]->arg[a], eq->index, &r) || r.low < 0 || r.high >= axis->extent))
				return false;
		}
	return true;
}

/* The sum over phases; sub: what to read of its tensor for the element of w->eq. */
static struct equation *make_phases(struct operands *w, const struct phases *phases, struct expr **sub)
{
	const struct equation *eq = w->eq;
	struct piece_ranges ranges = {0};
	struct expr *map[MAX_SLOTS], *value;
	struct index index[MAX_SLOTS];
	struct axis axis[MAX_SLOTS];
	struct equation sum = *eq;
	struct tensor *t;
	int n = 0;

	for (int s = 0; s < eq->n; s++) {
		int64_t by = phases->by[s], before = phases->before[s];
		struct affine j = {.constant = -before};
		struct expr *shifted;

		index[n] = eq->index[s];
		if (!by) {
			sub[n] = map[s] = ex_index(w->g, s);
			map[s] = ex_index(w->g, n++);
			continue;
		}
		j.coef[n] = 1;
		j.coef[n + 1] = by;
		map[s] = affine_expr(w->g, &j);
		shifted = ex2(w->g, EX_ADD, ex_index(w->g, s), ex_int(w->g, before));
		sub[n] = ex2(w->g, EX_MOD, shifted, ex_int(w->g, by));
		index[n++].extent = by;
		sub[n] = ex2(w->g, EX_FLOORDIV, shifted, ex_int(w->g, by));
		index[n] = eq->index[s];
		index[n++].extent = (eq->index[s].extent - 1 + before) / by + 1;
	}
	sum.nfree = eq->nfree + phases->n;
	sum.n = n;
	sum.index = index;
	for (int s = 0; s < n; s++) {
		ranges.known |= (uint64_t)1 << s;
		ranges.of[s] = (struct range){0, index[s].extent - 1};
	}
	for (int s = 0; s < sum.nfree; s++)
		axis[s] = (struct axis){index[s].extent, index[s].rows};
	value = restrict_term(w->g, &sum, ex_substitute(w->g, eq->value, map, eq->n), &ranges);
	t = make_tensor(w->p, eq->tensor, ROLE_VALUE, arena_printf(&w->g->ctx->arena, "%s.phases", eq->tensor->name),
			sum.nfree, axis);
	t->batched = eq->tensor->batched;
	t->of = NULL;
	return graph_equation(w->g, t, RED_SUM, sum.nfree, n, index, value, eq->at);
}

struct equation *write_out_sum(struct operands *w)
{
	const struct equation *eq = w->eq;
	struct phases phases;
	int64_t terms = 1;

	if (eq->kind != EQ_MAP || eq->red != RED_SUM || w->steps || !find_phases(w, &phases))
		return NULL;
	for (int s = eq->nfree; s < eq->n; s++)
		if (eq->index[s].rows || (terms *= eq->index[s].extent) > MOST_TERMS)
			return NULL;
	return with_terms(w->g, eq, terms);
}

struct equation *in_phases(struct operands *w, struct equation **back)
{
	const struct equation *eq = w->eq;
	struct expr *sub[MAX_SLOTS];
	struct equation *sum;
	struct phases phases;

	if (eq->kind != EQ_MAP || eq->red != RED_SUM || eq->tensor->elem != ELEM_REAL || w->steps ||
	    w->g->no_operands || !find_phases(w, &phases))
		return NULL;
	sum = make_phases(w, &phases, sub);
	if (!reads_inside(w, sum) || tensor_size(sum->tensor) > INT32_MAX)
		return NULL;
	*back = graph_equation(w->g, eq->tensor, RED_NONE, eq->nfree, eq->nfree, eq->index,
			       ex_read(w->g, sum->tensor, sub, NULL), eq->at);
	return sum;
}
