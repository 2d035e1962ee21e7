/* coupling.c - can a batch be split? Training's loss and gradients over all rows follow from those over parts of them
 * if every row goes its own way, and rows meet only in sums that are linear in what they add up.
 *
 * Let a part have n' of the n rows. Every value of training is one of
 *   WHOLE  depends on no row, as a param does           the same for every part
 *   ROW    of a single row, with the sample axis        the same in the part that has the row
 *   SUM    a sum over rows, and linear in it            over all rows the sum of that over the parts
 * times nrows to the power -degree. A mean, SUM of degree 1, is the average of the parts' means weighted with n' / n;
 * so is a WHOLE of degree 0. What is nonlinear in a sum, or makes rows meet in another way, as the maximum over a batch
 * or a normalisation with its mean, is COUPLED. */
#include "expr.h"

#include <string.h>

enum kind {
	UNKNOWN, /* not looked at yet: in a recurrence, values read what stands behind them */
	ZERO,	 /* of any kind and degree */
	WHOLE,
	ROW,
	SUM,
	SAMPLE, /* the index of the rows itself: allowed only to read a row's own values */
	COUPLED
};

struct share {
	enum kind kind;
	int degree;
};

static const struct share coupled = {COUPLED, 0};

struct walk {
	struct graph *g;
	struct share *tensor; /* by tensor id */
	struct share *expr;   /* by expr id: of the equation at hand */
	const struct equation *eq;
	const struct tensor *culprit; /* the first value that is coupled */
};

/* a + b, or one of them. */
static struct share join(struct share a, struct share b)
{
	if (a.kind == COUPLED || b.kind == COUPLED)
		return coupled;
	if (a.kind == ZERO || (a.kind == UNKNOWN && b.kind != ZERO))
		return b;
	if (b.kind == ZERO || b.kind == UNKNOWN)
		return a;
	if (a.kind == SUM && b.kind == WHOLE)
		b = (struct share){SUM, b.degree + 1}; /* the sum of n' / n over the parts is 1 */
	else if (b.kind == SUM && a.kind == WHOLE)
		a = (struct share){SUM, a.degree + 1};
	if (a.degree != b.degree || ((a.kind == SUM) != (b.kind == SUM)))
		return coupled;
	return a.kind == ROW ? a : b;
}

static struct share multiply(struct share a, struct share b, bool divide)
{
	if (divide && b.kind == ZERO)
		b.kind = WHOLE;
	if (a.kind == COUPLED || b.kind == COUPLED)
		return coupled;
	if (a.kind == ZERO || b.kind == ZERO)
		return (struct share){ZERO, 0};
	if (a.kind == UNKNOWN || b.kind == UNKNOWN)
		return (struct share){UNKNOWN, 0};
	int degree = divide ? a.degree - b.degree : a.degree + b.degree;
	if (a.kind == SUM || b.kind == SUM) {
		bool linear = divide ? b.kind == WHOLE : a.kind == WHOLE || b.kind == WHOLE;
		return linear ? (struct share){SUM, degree} : coupled;
	}
	return (struct share){a.kind == ROW || b.kind == ROW ? ROW : WHOLE, degree};
}

/* Any function of n values, linear or not. */
static struct share apply(const struct walk *w, struct expr *const *arg, int n)
{
	struct share all = {WHOLE, 0};
	for (int k = 0; k < n; k++) {
		struct share one = w->expr[arg[k]->id];
		bool plain = one.kind == ZERO || ((one.kind == WHOLE || one.kind == ROW) && one.degree == 0);
		if (one.kind != UNKNOWN && !plain)
			return coupled;
		if (one.kind == UNKNOWN || (one.kind == ROW && all.kind != UNKNOWN))
			all.kind = one.kind;
	}
	return all;
}

static bool is_multiple(const struct expr *e, const struct expr *of)
{
	if (e == of)
		return true;
	if (e->op == EX_MUL && is_multiple(e->arg[1], of))
		return true;
	return (e->op == EX_MUL || e->op == EX_DIV || e->op == EX_NEG) && is_multiple(e->arg[0], of);
}

/* In `if .. and x == 0 then 0 else e`, with e a multiple of x, that part of the condition keeps e linear: such are the
 * derivatives of powers. The kind of the rest. */
static struct share examine(const struct walk *w, struct expr *condition, const struct expr *otherwise)
{
	struct share a, b;
	if (condition->op == EX_EQ && ex_is_num(condition->arg[1], 0) && is_multiple(otherwise, condition->arg[0]))
		return (struct share){WHOLE, 0};
	if (condition->op != EX_AND)
		return apply(w, &condition, 1);
	a = examine(w, condition->arg[0], otherwise);
	b = examine(w, condition->arg[1], otherwise);
	return a.kind == COUPLED || b.kind == WHOLE || b.kind == ZERO ? a : b;
}

static struct share choose(const struct walk *w, const struct expr *e)
{
	struct share one = w->expr[e->arg[1]->id], chosen = join(one, w->expr[e->arg[2]->id]);
	struct share condition = one.kind == ZERO ? examine(w, e->arg[0], e->arg[2]) : apply(w, e->arg, 1);
	if (condition.kind == COUPLED || (condition.kind == ROW && chosen.kind == SUM))
		return coupled;
	if (condition.kind == ROW && chosen.kind == WHOLE)
		chosen.kind = ROW;
	return chosen;
}

/* A value of another tensor: a row's own, or what has no rows. */
static struct share look_up(const struct walk *w, const struct expr *e)
{
	const struct tensor *t = e->tensor;
	int own = t->rank && t->axis[0].rows;
	if (own && w->expr[e->arg[0]->id].kind != SAMPLE)
		return coupled;
	for (int a = own; a < t->rank; a++)
		if (t->axis[a].rows)
			return coupled;
	struct share where = apply(w, e->arg + own, t->rank - own), read = w->tensor[t->id];
	if (e->guarded)
		read = join(read, w->expr[e->arg[t->rank]->id]);
	if (where.kind == COUPLED || (where.kind == ROW && read.kind == SUM))
		return coupled;
	if (read.kind == WHOLE && where.kind == ROW)
		read.kind = ROW;
	return read;
}

static void look_at(void *user, struct expr *e)
{
	struct walk *w = user;
	struct share *share = &w->expr[e->id], first = e->n ? w->expr[e->arg[0]->id] : coupled;
	switch (e->op) {
	case EX_NUM:
	case EX_INT: *share = (struct share){ex_is_num(e, 0) ? ZERO : WHOLE, 0}; break;
	case EX_INDEX: *share = (struct share){w->eq->index[e->slot].rows ? SAMPLE : WHOLE, 0}; break;
	case EX_RUN:
		*share = e->run == RUN_DATA   ? coupled
			 : e->run == RUN_ROWS ? (struct share){WHOLE, -1}
					      : (struct share){WHOLE, 0};
		break;
	case EX_DRAW: *share = (struct share){w->eq->nfree && w->eq->index[0].rows ? ROW : WHOLE, 0}; break;
	case EX_READ: *share = look_up(w, e); break;
	case EX_ADD:
	case EX_SUB: *share = join(first, w->expr[e->arg[1]->id]); break;
	case EX_MUL:
	case EX_DIV: *share = multiply(first, w->expr[e->arg[1]->id], e->op == EX_DIV); break;
	case EX_NEG:
	case EX_STOP:
	case EX_TO_REAL: *share = first; break;
	case EX_SELECT: *share = choose(w, e); break;
	default: *share = apply(w, e->arg, e->n); break;
	}
	/* the number of a row means nothing by itself */
	if (e->op != EX_INDEX && e->op != EX_READ)
		for (int k = 0; k < e->n; k++)
			if (w->expr[e->arg[k]->id].kind == SAMPLE)
				*share = coupled;
}

/* What the reducer, and the indices on the left, make of the value. */
static struct share reduce(const struct equation *eq, struct share value)
{
	bool sum = eq->red == RED_NONE || eq->red == RED_SUM, bound = false, free = false;
	int rows = 0;
	for (int s = 0; s < eq->n; s++) {
		bound |= eq->index[s].rows && s >= eq->nfree;
		free |= eq->index[s].rows && s < eq->nfree;
		rows += eq->index[s].rows;
	}
	if (value.kind == COUPLED || value.kind == SAMPLE || rows > 1 || (bound && !sum))
		return coupled;
	if (value.kind == UNKNOWN || value.kind == ZERO)
		return value;
	if (!sum && (value.kind == SUM || value.degree != 0))
		return coupled;
	if (rows && value.kind == SUM)
		return coupled;
	if (bound)
		return (struct share){SUM, value.degree};
	return (struct share){free ? ROW : value.kind, value.degree};
}

/* A scatter adds to a row's own elements, or to what all rows share. */
static struct share scatter(const struct walk *w, const struct equation *eq, struct share value)
{
	const struct tensor *t = eq->tensor;
	int own = t->rank && t->axis[0].rows;
	struct share where = apply(w, eq->target + own, t->rank - own);
	if (own && w->expr[eq->target[0]->id].kind != SAMPLE)
		return coupled;
	for (int a = own; a < t->rank; a++)
		if (t->axis[a].rows)
			return coupled;
	if (where.kind == COUPLED || where.kind == UNKNOWN)
		return where;
	struct share sum = reduce(eq, value);
	if (sum.kind != SUM)
		return where.kind == ROW ? coupled : sum;
	return (struct share){own ? ROW : SUM, sum.degree};
}

static void follow(void *user, struct equation *eq)
{
	struct walk *w = user;
	struct tensor *t = eq->tensor;
	struct share *share = &w->tensor[t->id], found;
	w->eq = eq;
	if (eq->kind == EQ_VIEW) {
		bool alike = (t->rank && t->axis[0].rows) == (t->of->rank && t->of->axis[0].rows);
		found = alike ? w->tensor[t->of->id] : coupled;
	} else {
		ex_visit(w->g, eq->value, look_at, w);
		for (int a = 0; eq->kind == EQ_SCATTER && a < t->rank; a++)
			ex_visit(w->g, eq->target[a], look_at, w);
		found = w->expr[eq->value->id];
		found = eq->kind == EQ_SCATTER ? join(*share, scatter(w, eq, found)) : reduce(eq, found);
	}
	if (t->role == ROLE_NEXT)
		found = coupled; /* what a part keeps, the other does not know */
	if (found.kind == COUPLED && !w->culprit)
		w->culprit = t;
	*share = found;
}

/* Over all rows the average of the parts. */
static bool is_mean(const struct walk *w, const struct tensor *t)
{
	struct share share = w->tensor[t->id];
	return share.kind == ZERO || (share.kind == WHOLE && share.degree == 0) ||
	       (share.kind == SUM && share.degree == 1);
}

static struct share given(const struct tensor *t)
{
	if (t->role == ROLE_STATE)
		return coupled;
	if (t->role == ROLE_INPUT || t->role == ROLE_TARGET)
		return (struct share){ROW, 0};
	if (t->role == ROLE_PARAM || t->role == ROLE_FROZEN || t->role == ROLE_SETTING || t->role == ROLE_DATA)
		return (struct share){WHOLE, 0};
	return (struct share){UNKNOWN, 0};
}

const char *find_row_coupling(struct graph *g)
{
	enum { ROUNDS = 8 };
	size_t n = (size_t)g->tensors.n + 1;
	struct walk w = {.g = g,
			 .tensor = arena_array(&g->ctx->arena, n, sizeof *w.tensor),
			 .expr = arena_array(&g->ctx->arena, (size_t)g->next_id + 1, sizeof *w.expr)};
	struct share *before = arena_array(&g->ctx->arena, n, sizeof *before);
	bool settled = false;
	if (!g->loss)
		return NULL;
	for (int i = 0; i < g->tensors.n; i++)
		w.tensor[g->tensors.item[i]->id] = given(g->tensors.item[i]);
	for (int round = 0; round < ROUNDS && !settled; round++) {
		memcpy(before, w.tensor, n * sizeof *before);
		for (enum part part = PART_FORWARD; part <= PART_BACKWARD; part++)
			if (part != PART_INFERENCE)
				visit_equations(g->part[part].item, g->part[part].n, follow, &w);
		if (w.culprit)
			return w.culprit->name;
		settled = memcmp(before, w.tensor, n * sizeof *before) == 0;
	}
	for (int i = 0; i < g->grads.n; i++)
		if (!is_mean(&w, g->grads.item[i]))
			return g->grads.item[i]->name;
	return settled && is_mean(&w, g->loss) ? "" : g->loss->name;
}
