/* restrict.c - a term while its indices are in given ranges: what these decide is decided.
 *
 * Tests that come out the same for all values take their side, reads that stay inside lose their guard and those that
 * stay outside are the value for there, and a quotient that is one number makes the remainder affine. */
#include "expr.h"
#include "schedule.h"

struct done {
	struct expr *from, *to;
};
struct restriction {
	struct graph *g;
	const struct equation *eq;
	const struct piece_ranges *ranges;
	LIST(struct done) done;
};

bool affine_gap(const struct expr *a, const struct expr *b, struct affine *out)
{
	struct affine right;

	if (a->elem != ELEM_INT || b->elem != ELEM_INT || !affine_of(a, out) || !affine_of(b, &right))
		return false;
	out->constant -= right.constant;
	for (int s = 0; s < MAX_SLOTS; s++)
		out->coef[s] -= right.coef[s];
	return true;
}

static struct range affine_range(const struct restriction *w, const struct affine *a)
{
	struct range r = {a->constant, a->constant};

	for (int s = 0; s < w->eq->n; s++) {
		struct range of = {0, w->eq->index[s].extent - 1};

		if (w->ranges->known >> s & 1)
			of = w->ranges->of[s];
		r.low += a->coef[s] * (a->coef[s] > 0 ? of.low : of.high);
		r.high += a->coef[s] * (a->coef[s] > 0 ? of.high : of.low);
	}
	return r;
}

/* What b - a may be; false: that is not known. */
static bool gap_range(const struct restriction *w, const struct expr *a, const struct expr *b, struct range *r)
{
	struct affine gap;
	struct range of_a;

	if (affine_gap(b, a, &gap)) {
		*r = affine_range(w, &gap);
		return true;
	}
	if (a->elem != ELEM_INT || b->elem != ELEM_INT || !range_within(b, w->eq->index, w->ranges, r) ||
	    !range_within(a, w->eq->index, w->ranges, &of_a))
		return false;
	*r = (struct range){r->low - of_a.high, r->high - of_a.low};
	return true;
}

/* 1: true, 0: false, -1: it depends. */
static int decide(const struct restriction *w, const struct expr *e)
{
	struct range r;
	int left, right;

	switch (e->op) {
	case EX_INT: return e->integer != 0;
	case EX_NOT: left = decide(w, e->arg[0]); return left < 0 ? -1 : !left;
	case EX_AND:
	case EX_OR:
		left = decide(w, e->arg[0]);
		right = decide(w, e->arg[1]);
		if (left == (e->op == EX_OR) || right == (e->op == EX_OR))
			return e->op == EX_OR;
		return left < 0 || right < 0 ? -1 : e->op == EX_AND;
	case EX_LT:
	case EX_LE:
	case EX_EQ:
	case EX_NE: break;
	default: return -1;
	}
	if (!gap_range(w, e->arg[0], e->arg[1], &r))
		return -1;
	if (e->op == EX_EQ || e->op == EX_NE) {
		if (r.low == 0 && r.high == 0)
			return e->op == EX_EQ;
		return r.low > 0 || r.high < 0 ? e->op == EX_NE : -1;
	}
	r.low -= e->op == EX_LT;
	r.high -= e->op == EX_LT;
	return r.low >= 0 ? 1 : r.high < 0 ? 0 : -1;
}

/* 1: a read at these subscripts is inside, 0: outside, -1: it depends. */
static int is_inside(const struct restriction *w, const struct tensor *t, struct expr *const *sub)
{
	int inside = 1;

	for (int k = 0; k < t->rank; k++) {
		struct range r;

		if (t->axis[k].rows && sub[k]->op == EX_INDEX)
			continue;
		if (!range_within(sub[k], w->eq->index, w->ranges, &r)) {
			inside = -1;
			continue;
		}
		if (r.high < 0 || r.low >= t->axis[k].extent)
			return 0;
		if (r.low < 0 || r.high >= t->axis[k].extent)
			inside = -1;
	}
	return inside;
}

/* a // d and a % d where the quotient is one number. */
static struct expr *divide(struct restriction *w, enum ex op, struct expr *const *arg)
{
	struct affine a;
	struct range r;
	int64_t d, quotient;

	if (arg[1]->op != EX_INT || arg[1]->integer <= 0 || !affine_of(arg[0], &a))
		return ex_make(w->g, op, 2, arg);
	d = arg[1]->integer;
	r = affine_range(w, &a);
	quotient = floor_divide(r.low, d);
	if (floor_divide(r.high, d) != quotient)
		return ex_make(w->g, op, 2, arg);
	return op == EX_FLOORDIV ? ex_int(w->g, quotient) : ex2(w->g, EX_SUB, arg[0], ex_int(w->g, d * quotient));
}

static struct expr *restrict_expr(struct restriction *w, struct expr *e);

static struct expr *restrict_read(struct restriction *w, const struct expr *e, struct expr *const *arg)
{
	int inside = e->guarded ? is_inside(w, e->tensor, arg) : 1;

	if (inside == 0)
		return arg[e->tensor->rank];
	return ex_read(w->g, e->tensor, arg, inside < 0 ? arg[e->tensor->rank] : NULL);
}

static struct expr *restrict_expr(struct restriction *w, struct expr *e)
{
	struct expr *arg[MAX_SLOTS + 1], *made;
	int which;

	if (!(e->slots & w->ranges->known) || !e->n || e->n > MAX_SLOTS)
		return e;
	for (int i = 0; i < w->done.n; i++)
		if (w->done.item[i].from == e)
			return w->done.item[i].to;
	for (int i = 0; i < e->n && e->op != EX_SELECT; i++)
		arg[i] = restrict_expr(w, e->arg[i]);
	if (e->op == EX_SELECT) {
		arg[0] = restrict_expr(w, e->arg[0]);
		which = decide(w, arg[0]);
		made = which >= 0 ? restrict_expr(w, e->arg[which ? 1 : 2])
				  : ex_select(w->g, arg[0], restrict_expr(w, e->arg[1]), restrict_expr(w, e->arg[2]));
	} else if (e->op == EX_READ) {
		made = restrict_read(w, e, arg);
	} else if (e->op == EX_FLOORDIV || e->op == EX_MOD) {
		made = divide(w, e->op, arg);
	} else {
		made = ex_make(w->g, e->op, e->n, arg);
		which = e->elem == ELEM_BOOL ? decide(w, made) : -1;
		made = which >= 0 ? ex_bool(w->g, which) : made;
	}
	list_add(&w->g->ctx->arena, &w->done, (struct done){e, made});
	return made;
}

struct expr *restrict_term(struct graph *g, const struct equation *eq, struct expr *term,
			   const struct piece_ranges *ranges)
{
	struct restriction w = {.g = g, .eq = eq, .ranges = ranges};

	return restrict_expr(&w, term);
}
