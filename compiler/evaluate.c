/* evaluate.c - equations computed while compiling, in double.
 *
 * The expressions of a value are listed once, each behind its arguments; an element is one run along that list. Both
 * sides of a choice are computed, so a read outside of its tensor is 0 where no `else` gives it another value. */
#include "evaluate.h"

#include "expr.h"

#include <math.h>

struct step {
	const struct expr *e;
	double value;
	int *arg; /* steps */
};

struct evaluation {
	struct graph *g;
	double *const *values; /* of tensors, by id */
	LIST(struct step) steps;
	bool unknown;
};

static double *values_of(const struct evaluation *v, const struct tensor *t)
{
	while (t->role == ROLE_VIEW)
		t = t->of;
	return t->role == ROLE_DATA ? t->data : v->values[t->id];
}

static void add_step(void *user, struct expr *e)
{
	struct evaluation *v = user;
	struct step step = {.e = e, .arg = arena_array(&v->g->ctx->arena, (size_t)e->n + 1, sizeof *step.arg)};

	for (int k = 0; k < e->n; k++)
		step.arg[k] = e->arg[k]->place;
	v->unknown |= e->op == EX_RUN || e->op == EX_DRAW || e->op == EX_ERFINV ||
		      (e->op == EX_READ && !values_of(v, e->tensor));
	list_add(&v->g->ctx->arena, &v->steps, step);
}

static double evaluate_read(const struct evaluation *v, const struct step *step)
{
	const struct tensor *t = step->e->tensor;
	int64_t element = 0;

	for (int d = 0; d < t->rank; d++) {
		double sub = v->steps.item[step->arg[d]].value;

		if (!(sub >= 0 && sub < (double)t->axis[d].extent))
			return step->e->guarded ? v->steps.item[step->arg[t->rank]].value : 0;
		element = element * t->axis[d].extent + (int64_t)sub;
	}
	return values_of(v, t)[element];
}

static double evaluate1(enum ex op, double a)
{
	double value = a;

	switch (op) {
	case EX_NEG: return -a;
	case EX_NOT: return a == 0;
	case EX_ABS: return fabs(a);
	case EX_ISNAN: return isnan(a);
	case EX_TO_INT: return trunc(a);
	default: compute1(op, a, &value); return value; /* as they are: TO_REAL, STOP */
	}
}

static double evaluate2(enum ex op, double a, double b)
{
	double value;

	if (compute2(op, a, b, &value))
		return value;
	switch (op) {
	case EX_FLOORDIV: return floor(a / b);
	case EX_MOD: return a - b * floor(a / b);
	case EX_LT: return a < b;
	case EX_LE: return a <= b;
	case EX_EQ: return a == b;
	case EX_NE: return a != b;
	case EX_AND: return a != 0 && b != 0;
	default: return a != 0 || b != 0; /* OR */
	}
}

static double evaluate_step(const struct evaluation *v, const struct step *step, const int64_t *at)
{
	const struct expr *e = step->e;
	double a;

	switch (e->op) {
	case EX_NUM: return e->num;
	case EX_INT: return (double)e->integer;
	case EX_INDEX: return (double)at[e->slot];
	case EX_READ: return evaluate_read(v, step);
	default: break;
	}
	a = v->steps.item[step->arg[0]].value;
	if (e->op == EX_SELECT)
		return v->steps.item[step->arg[a != 0 ? 1 : 2]].value;
	return e->n == 1 ? evaluate1(e->op, a) : evaluate2(e->op, a, v->steps.item[step->arg[1]].value);
}

static double evaluate_at(const struct evaluation *v, const int64_t *at)
{
	for (int i = 0; i < v->steps.n; i++)
		v->steps.item[i].value = evaluate_step(v, &v->steps.item[i], at);
	return v->steps.item[v->steps.n - 1].value;
}

/* The next point of loops [first, n); false behind the last. */
static bool next_point(const struct equation *eq, int first, int n, int64_t *at)
{
	for (int p = n - 1; p >= first; p--) {
		if (++at[p] < eq->index[p].extent)
			return true;
		at[p] = 0;
	}
	return false;
}

static double evaluate_element(const struct evaluation *v, const struct equation *eq, int64_t *at)
{
	double value = evaluate_at(v, at);

	while (next_point(eq, eq->nfree, eq->n, at)) {
		double term = evaluate_at(v, at);

		switch (eq->red) {
		case RED_SUM: value += term; break;
		case RED_PROD: value *= term; break;
		case RED_MAX: value = term > value ? term : value; break;
		default: value = term < value ? term : value; /* MIN */
		}
	}
	return value;
}

double *evaluate_equation(struct graph *g, const struct equation *eq, double *const *values)
{
	struct evaluation v = {.g = g, .values = values};
	int64_t at[MAX_SLOTS] = {0}, size = tensor_size(eq->tensor);
	double *made;

	if (eq->kind != EQ_MAP || eq->red == RED_ARGMAX || eq->red == RED_ARGMIN)
		return NULL;
	for (int p = 0; p < eq->n; p++)
		if (eq->index[p].rows || eq->index[p].extent == 0)
			return NULL;
	ex_visit(g, eq->value, add_step, &v);
	if (v.unknown)
		return NULL;
	made = arena_array(&g->ctx->arena, (size_t)size, sizeof *made);
	for (int64_t i = 0; i < size; i++) {
		made[i] = evaluate_element(&v, eq, at);
		next_point(eq, 0, eq->nfree, at);
	}
	return made;
}
