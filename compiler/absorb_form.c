/* absorb_form.c - a value as a scale and a shift of one of its parts.
 *
 * scale * (read + before) + shift + rest: sums and multiples are gone through from the part outwards. What is added
 * before anything is multiplied stays apart from what is added behind, so that a difference that is scaled remains one.
 */
#include "absorb.h"
#include "expr.h"

bool is_of_params(const struct absorbing *w, const struct expr *e, const struct index *index)
{
	if (e->op == EX_DRAW || (e->op == EX_INDEX && index[e->slot].rows) ||
	    (e->op == EX_READ && !usage_of(e->tensor)->of_params))
		return false;
	if (e->op == EX_RUN && (w->known || e->run == RUN_ROWS || e->run == RUN_DATA))
		return false;
	for (int k = 0; k < e->n; k++)
		if (!is_of_params(w, e->arg[k], index))
			return false;
	return true;
}

bool contains_part(const struct expr *e, const struct expr *part)
{
	bool found = e == part;

	for (int k = 0; k < e->n && !found; k++)
		found = contains_part(e->arg[k], part);
	return found;
}

struct expr *add_terms(struct graph *g, enum ex op, struct expr *a, struct expr *b)
{
	if (!b)
		return a;
	if (!a)
		return op == EX_SUB ? ex1(g, EX_NEG, b) : b;
	return ex2(g, op, a, b);
}

static void negate(struct graph *g, struct form *form)
{
	form->scale = ex1(g, EX_NEG, form->scale);
	form->shift = form->shift ? ex1(g, EX_NEG, form->shift) : NULL;
	form->rest = form->rest ? ex1(g, EX_NEG, form->rest) : NULL;
}

struct expr *whole_shift(struct graph *g, const struct form *form, struct expr *scale)
{
	return add_terms(g, EX_ADD, form->before ? ex2(g, EX_MUL, form->before, scale) : NULL, form->shift);
}

static bool find_sum(const struct absorbing *w, const struct expr *e, struct form *form)
{
	struct graph *g = w->g;
	enum ex op = e->op;
	struct form a, b;

	if (!find_form(w, e->arg[0], &a) || !find_form(w, e->arg[1], &b))
		return false;
	if (!a.scale && op == EX_ADD) { /* the read to the left */
		*form = a, a = b, b = *form;
	} else if (!a.scale) { /* -b + a */
		*form = a, a = b, b = *form;
		negate(g, &a);
		op = EX_ADD;
	}
	*form = a;
	form->rest = add_terms(g, op, a.rest, b.rest);
	if (b.scale) {
		form->scale = add_terms(g, op, a.scale, b.scale);
		form->before = NULL;
		form->shift = add_terms(g, op, whole_shift(g, &a, a.scale), whole_shift(g, &b, b.scale));
	} else if (ex_is_num(a.scale, 1) && !a.shift) {
		form->before = add_terms(g, op, a.before, b.shift);
	} else {
		form->shift = add_terms(g, op, a.shift, b.shift);
	}
	return true;
}

/* A product with, or quotient by, what no row changes. */
static bool find_multiple(const struct absorbing *w, const struct expr *e, struct form *form)
{
	int by = e->op == EX_MUL && contains_part(e->arg[1], w->read) ? 0 : 1;

	if (w->no_literals && e->arg[by]->op == EX_NUM)
		return false;
	if (!is_of_params(w, e->arg[by], w->eq->index) || !find_form(w, e->arg[1 - by], form) || form->rest)
		return false;
	form->scale = ex2(w->g, e->op, form->scale, e->arg[by]);
	if (form->shift)
		form->shift = ex2(w->g, e->op, form->shift, e->arg[by]);
	return true;
}

bool find_form(const struct absorbing *w, struct expr *e, struct form *form)
{
	*form = (struct form){0};
	if (e == w->read) {
		form->scale = ex_num(w->g, 1);
		return true;
	}
	if (!contains_part(e, w->read)) {
		*(is_of_params(w, e, w->eq->index) ? &form->shift : &form->rest) = e;
		return true;
	}
	switch (e->op) {
	case EX_ADD:
	case EX_SUB: return find_sum(w, e, form);
	case EX_MUL:
	case EX_DIV: return find_multiple(w, e, form);
	case EX_NEG:
		if (w->no_literals || !find_form(w, e->arg[0], form))
			return false;
		negate(w->g, form);
		return true;
	default: return false;
	}
}

bool is_work(const struct expr *e, int *reads)
{
	bool plain = e->op <= EX_RUN || e->op == EX_ADD || e->op == EX_SUB || e->op == EX_MUL || e->op == EX_NEG ||
		     e->op == EX_TO_REAL;

	if (e->op == EX_READ)
		return ++*reads > 1;
	if (!plain && !(e->op == EX_POW && ex_is_num(e->arg[1], 2)))
		return true;
	for (int k = 0; k < e->n; k++)
		if (is_work(e->arg[k], reads))
			return true;
	return false;
}

bool find_scale(struct absorbing *w, struct expr *e, bool *work)
{
	int reads[3] = {0};
	struct form form;

	if (!contains_part(e, w->read))
		return true;
	if (find_form(w, e, &form)) {
		*work |= is_work(form.scale, &reads[0]) || (form.before && is_work(form.before, &reads[1])) ||
			 (form.shift && is_work(form.shift, &reads[2]));
		if (!w->scale)
			w->scale = form.scale;
		return w->scale == form.scale;
	}
	for (int k = 0; k < e->n; k++)
		if (!find_scale(w, e->arg[k], work))
			return false;
	return true;
}
