/* schedule_factors.c - the factors of a sum's term, and what tiles can read instead of one.
 *
 * A factor that is an element of a tensor at linear subscripts is read as it is. A window over the border of a tensor
 * becomes a copy with 0 around it, anything else a tensor with an axis for every index that it depends on; but for
 * those that move no other factor, over which it is summed (not with --fp=strict). */
#include "schedule_operands.h"

#include <string.h>

enum { LEAST_PLACES = 8 /* of a window, for a vector along them */ };

/* ---- the term as a product ---- */

static struct expr *multiply(struct graph *g, struct expr *a, struct expr *b) { return a ? ex2(g, EX_MUL, a, b) : b; }

static void take_factor(struct operands *w, struct product *product, struct expr *e);

/* A product or 0: one of the factors that have the indices of the test is the one that is 0. */
static bool take_choice(struct operands *w, struct product *product, struct expr *e)
{
	struct product before = *product;

	take_factor(w, product, e->arg[1]);
	for (int i = before.factors.n; i < product->factors.n; i++) {
		struct expr **factor = &product->factors.item[i];

		if (e->arg[0]->slots & ~(*factor)->slots)
			continue;
		*factor = ex_select(w->g, e->arg[0], *factor, e->arg[2]);
		return true;
	}
	*product = before;
	return false;
}

static void take_factor(struct operands *w, struct product *product, struct expr *e)
{
	if (!(e->slots & w->bound)) {
		product->outside = multiply(w->g, product->outside, e);
		return;
	}
	switch (e->op) {
	case EX_MUL:
		take_factor(w, product, e->arg[0]);
		take_factor(w, product, e->arg[1]);
		return;
	case EX_NEG:
		product->outside = multiply(w->g, product->outside, ex_num(w->g, -1));
		take_factor(w, product, e->arg[0]);
		return;
	case EX_DIV:
		if (!(e->arg[1]->slots & w->bound)) {
			product->outside =
				ex2(w->g, EX_DIV, product->outside ? product->outside : ex_num(w->g, 1), e->arg[1]);
			take_factor(w, product, e->arg[0]);
			return;
		}
		list_add(&w->g->ctx->arena, &product->factors, e);
		return;
	case EX_SELECT:
		if (ex_is_num(e->arg[2], 0) && take_choice(w, product, e))
			return;
		/* fall through */
	default: list_add(&w->g->ctx->arena, &product->factors, e);
	}
}

/* Factors whose indices another one has as well are one with it, until there are two. */
static void join_factors(struct operands *w, struct product *product)
{
	expr_list *list = &product->factors;

	for (int i = 0; list->n > 2 && i < list->n; i++)
		for (int k = 0; list->n > 2 && k < list->n; k++)
			if (k != i && !(list->item[i]->slots & ~list->item[k]->slots)) {
				list->item[k] = ex2(w->g, EX_MUL, list->item[k], list->item[i]);
				list->item[i--] = list->item[--list->n];
				break;
			}
}

void find_product(struct operands *w, struct product *product)
{
	const struct equation *eq = w->eq;

	w->bound = 0;
	for (int s = eq->nfree; s < eq->n; s++)
		w->bound |= (uint64_t)1 << s;
	take_factor(w, product, peel_conditions(w->g, &product->conditions, eq->index, eq->value));
	join_factors(w, product);
}

/* ---- a factor as a tensor ---- */

static struct tensor *new_operand(struct operands *w, const struct tensor *like, bool batched, int rank,
				  const struct axis *axis)
{
	struct tensor *t = make_tensor(w->p, w->eq->tensor, ROLE_VALUE,
				       arena_printf(&w->g->ctx->arena, "%s.operand", like->name), rank, axis);

	t->batched = batched;
	t->of = NULL;
	return t;
}

/* t = value, or the sum of it over n - rank indices behind those of t. */
static struct equation *define(struct operands *w, struct tensor *t, struct index index[64], int n, struct expr *value)
{
	for (int a = 0; a < n; a++)
		index[a].name = index[a].rows ? "batch" : arena_printf(&w->g->ctx->arena, "i%d", a);
	return graph_equation(w->g, t, n > t->rank ? RED_SUM : RED_NONE, t->rank, n, index, value, w->eq->at);
}

/* The same in every step of the scans around: it may be computed before them. */
static bool is_constant(struct operands *w, struct expr *e)
{
	expr_list reads = {0};

	for (int s = 0; s < w->eq->n; s++)
		if (is_step(w->eq, w->steps, s) && e->slots >> s & 1)
			return false;
	collect_reads(w->g, e, &reads);
	for (int i = 0; i < reads.n; i++)
		for (int k = 0; k < w->made.n; k++)
			if (root_of(reads.item[i]->tensor) == w->made.item[k])
				return false;
	return true;
}

int64_t reach(struct operands *w, struct expr *e, int s)
{
	expr_list reads = {0};

	collect_reads(w->g, e, &reads);
	for (int i = 0; i < reads.n; i++) {
		const struct expr *read = reads.item[i];

		for (int a = read->tensor->rank - 1; a >= 0; a--) /* a remainder before its quotient */
			if (read->arg[a]->slots >> s & 1)
				return axis_stride(read->tensor, a);
	}
	return 0;
}

/* Bound indices that move no other factor: the copy of a factor is summed over them. Where bits count, there are none:
 * they must not depend on whether there is a copy. */
static uint64_t own_slots(const struct operands *w, const struct expr *e, const struct expr *other)
{
	bool strict = w->g->ctx->options->fp == NNC_FP_STRICT;
	uint64_t own = strict ? 0 : e->slots & w->bound & ~other->slots;

	for (int s = 0; s < w->eq->n; s++)
		if (w->eq->index[s].rows)
			own &= ~((uint64_t)1 << s);
	return own;
}

/* The slots that e depends on in the order of the axes: the sample's, those of steps, the others as e reads them; or,
 * to end with `inner`, bound ones, as the other factor reads them so that they move like one, before those that the
 * result has, in its order, but for `inner`. Then those that are summed over. */
static int order_slots(struct operands *w, struct expr *e, struct expr *other, uint64_t summed, int inner, int slot[64])
{
	int64_t rank[64];
	int n = 0;

	for (int s = 0; s < w->eq->n; s++) {
		int at = n;
		int64_t mine = summed >> s & 1		     ? INT64_MIN
			       : w->eq->index[s].rows	     ? INT64_MAX
			       : is_step(w->eq, w->steps, s) ? INT64_MAX - 1
			       : s == inner		     ? INT64_MIN + 1
			       : inner >= 0 && s < w->eq->nfree
				       ? -s
				       : reach(w, inner >= 0 && other->slots >> s & 1 ? other : e, s);

		if (!(e->slots >> s & 1))
			continue;
		for (n++; at > 0 && rank[at - 1] < mine; at--) {
			rank[at] = rank[at - 1];
			slot[at] = slot[at - 1];
		}
		rank[at] = mine;
		slot[at] = s;
	}
	return n;
}

struct operand copy_by_indices(struct operands *w, struct expr *e, struct expr *other, int inner, double work)
{
	const struct equation *eq = w->eq;
	struct operand operand = {.first = w->steps && is_constant(w, e)};
	struct expr *map[64] = {0}, *subs[64];
	struct index index[64];
	struct axis axis[64];
	struct tensor *t;
	uint64_t summed = own_slots(w, e, other);
	double size = 1;
	int slot[64], n = order_slots(w, e, other, summed, inner, slot), rank = 0;

	for (int a = 0; a < n; a++) {
		map[slot[a]] = ex_index(w->g, a);
		index[a] = eq->index[slot[a]];
		if (summed >> slot[a] & 1)
			continue;
		subs[rank] = ex_index(w->g, slot[a]);
		axis[rank++] = (struct axis){index[a].extent, index[a].rows};
		size *= (double)index[a].extent;
	}
	for (int s = 0; s < eq->n; s++)
		if (is_step(eq, w->steps, s) && !(e->slots >> s & 1) && !operand.first)
			return operand;
	if (rank == 0 || size * 8 > work || size > INT32_MAX)
		return operand;
	t = new_operand(w, e->op == EX_READ ? e->tensor : eq->tensor, axis[0].rows, rank, axis);
	operand.copy = define(w, t, index, n, ex_substitute(w->g, e, map, eq->n));
	operand.read = ex_read(w->g, t, subs, NULL);
	operand.moved = size;
	return operand;
}

/* The part of a tensor that the subscripts reach, with 0 around it. NULL: they are not affine. */
static struct operand with_border(struct operands *w, const struct expr *read)
{
	const struct tensor *of = read->tensor;
	struct operand operand = {0};
	struct expr *subs[64], *from[64];
	struct index index[64];
	struct axis axis[64];
	struct tensor *t;
	double size = 1;

	for (int a = 0; a < of->rank; a++) {
		struct range r = {0, of->axis[a].extent - 1};

		if (!read->arg[a]->affine || (!of->axis[a].rows && !range_of(read->arg[a], w->eq->index, &r)))
			return operand;
		axis[a] = (struct axis){r.high - r.low + 1, of->axis[a].rows};
		index[a] = (struct index){.extent = axis[a].extent, .rows = axis[a].rows};
		subs[a] = ex2(w->g, EX_SUB, read->arg[a], ex_int(w->g, r.low));
		from[a] = ex2(w->g, EX_ADD, ex_index(w->g, a), ex_int(w->g, r.low));
		size *= (double)axis[a].extent;
	}
	if (size > 4 * (double)tensor_size(of) || size > INT32_MAX)
		return operand;
	t = new_operand(w, of, of->batched, of->rank, axis);
	operand.copy = define(w, t, index, of->rank, ex_read(w->g, read->tensor, from, ex_num(w->g, 0)));
	operand.read = ex_read(w->g, t, subs, NULL);
	operand.moved = size;
	return operand;
}

static bool is_linear(const struct expr *e)
{
	struct affine flat;

	return e->op == EX_READ && !e->guarded && flat_subscript(e->tensor, e->arg, &flat);
}

/* A window whose places lie several elements apart in memory. */
struct strided {
	int axis, place, offset; /* the slots that move the subscript: of the window, and in it */
	struct affine sub;
};

/* Such a window of which the sum could be in vectors along its places: the results lie along them, or the other factor.
 */
static bool find_strided(const struct operands *w, const struct expr *read, const struct expr *other,
			 struct strided *found)
{
	const struct equation *eq = w->eq;
	const struct tensor *t = read->tensor;
	struct affine flat;

	*found = (struct strided){t->rank - 1, -1, -1, {0}};
	while (found->axis >= 0 && t->axis[found->axis].extent == 1)
		found->axis--;
	if (found->axis < 0 || w->steps || !affine_of(read->arg[found->axis], &found->sub))
		return false;
	for (int s = 0; s < eq->n; s++) {
		int64_t coef = found->sub.coef[s];
		int *slot = coef > 1 && found->place < 0 ? &found->place : &found->offset;

		if (!coef)
			continue;
		if (*slot >= 0 || eq->index[s].rows)
			return false;
		*slot = s;
	}
	if (found->place < 0 || found->offset < 0 || eq->index[found->place].extent < LEAST_PLACES)
		return false;
	if (!(other->slots >> found->place & 1))
		return found->place < eq->nfree && axis_stride(eq->tensor, found->place) == 1;
	return other->op == EX_READ && flat_subscript(other->tensor, other->arg, &flat) && flat.coef[found->place] == 1;
}

/* A copy of it with an axis for each of the two, the places last: x[.., 2*j + v - 1 else 0] as [.., v, j]. */
static struct operand spread_window(struct operands *w, const struct expr *read, const struct strided *strided)
{
	const struct tensor *of = read->tensor;
	const int slot[] = {strided->offset, strided->place};
	struct operand operand = {0};
	struct expr *subs[MAX_SLOTS], *from[MAX_SLOTS];
	struct index index[MAX_SLOTS];
	struct axis axis[MAX_SLOTS];
	struct affine moved = {.constant = strided->sub.constant};
	struct tensor *t;
	int n = 0;

	operand.moved = 1;
	for (int a = 0; a < of->rank; a++) {
		struct range r = {0, of->axis[a].extent - 1};

		for (int k = 0; a == strided->axis && k < 2; k++) {
			moved.coef[n] = strided->sub.coef[slot[k]];
			subs[n] = ex_index(w->g, slot[k]);
			axis[n++] = (struct axis){w->eq->index[slot[k]].extent, false};
		}
		if (a == strided->axis) {
			from[a] = affine_expr(w->g, &moved);
			continue;
		}
		if (!of->axis[a].rows && !range_of(read->arg[a], w->eq->index, &r))
			return (struct operand){0};
		subs[n] = ex2(w->g, EX_SUB, read->arg[a], ex_int(w->g, r.low));
		from[a] = ex2(w->g, EX_ADD, ex_index(w->g, n), ex_int(w->g, r.low));
		axis[n++] = (struct axis){r.high - r.low + 1, of->axis[a].rows};
	}
	for (int a = 0; a < n; a++) {
		index[a] = (struct index){.extent = axis[a].extent, .rows = axis[a].rows};
		operand.moved *= (double)axis[a].extent;
	}
	if (operand.moved > 4 * (double)tensor_size(of) || operand.moved > INT32_MAX)
		return (struct operand){0};
	t = new_operand(w, of, of->batched, n, axis);
	operand.copy =
		define(w, t, index, n, ex_read(w->g, read->tensor, from, read->guarded ? ex_num(w->g, 0) : NULL));
	operand.read = ex_read(w->g, t, subs, NULL);
	return operand;
}

/* Several indices move one subscript. */
static bool is_window(const struct expr *read)
{
	for (int a = 0; a < read->tensor->rank; a++)
		if (read->arg[a]->slots & (read->arg[a]->slots - 1))
			return true;
	return false;
}

static bool is_affine_read(const struct expr *e)
{
	struct affine flat;

	return flat_subscript(e->tensor, e->arg, &flat);
}

struct operand find_operand(struct operands *w, struct expr *e, struct expr *other, double work, condition_list *covers)
{
	bool zero = e->op == EX_READ && e->guarded && ex_is_num(e->arg[e->tensor->rank], 0);
	bool summed = own_slots(w, e, other) != 0;
	struct strided strided;

	if (zero)
		guard_conditions(w->g, covers, w->eq->index, e);
	if ((is_linear(e) || (zero && is_affine_read(e))) && !summed && !w->g->no_operands &&
	    find_strided(w, e, other, &strided)) {
		struct operand spread = spread_window(w, e, &strided);

		if (spread.read)
			return spread;
	}
	if (is_linear(e) && !summed)
		return (struct operand){.read = e};
	if (zero && is_window(e) && !summed && !w->steps)
		return with_border(w, e);
	return copy_by_indices(w, e, other, -1, work);
}
