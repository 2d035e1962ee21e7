/* differentiate_scan.c - the adjoint of a recurrence.
 *
 * The equations of a scan are ordinary ones over all steps, and so are their adjoints: h[t] = f(h[t-1]) gives
 * h.grad[t] += h.grad[t+1] * df/dh, a read of a later step. So nothing is differentiated in another way than elsewhere;
 * only the adjoints of its tensors read each other, which makes them a scan in reverse. They are made before the
 * equations that define them, and these are put in order in the end: what is on no cycle, such as the sums over a
 * window or the gradients of params, h.grad[t] * x[t] over all t, does not come into the scan. */
#include "chain.h"

/* The adjoints of a scan that are not 0: those that something behind the scan reads, and what these depend on. */
struct open_adjoints {
	LIST(struct adjoint *) waiting;
};

static void open_adjoint(struct chain *c, struct open_adjoints *open, struct tensor *t)
{
	struct adjoint *a = t->pass;

	if (!a || !a->active || !a->level || a->open || a->closed)
		return;
	a->open = true;
	set_scatters_apart(c, a);
	if (!a->grad)
		a->grad = adjoint_tensor(c->g, t, adjoint_name(c, t), t->rank, t->axis);
	adjoint_of(c->g, a->grad)->level = a->level;
	list_add(&c->g->ctx->arena, &open->waiting, a);
}

static bool is_open_to(const struct tensor *t)
{
	const struct adjoint *a = t->pass;

	return a && a->active && a->level && !a->closed;
}

static void open_all(struct chain *c, const equation_list *body)
{
	struct open_adjoints open = {0};

	for (int i = body->n - 1; i >= 0; i--) {
		const struct adjoint *a = body->item[i]->tensor->pass;

		if (a->terms.n || a->views.n)
			open_adjoint(c, &open, body->item[i]->tensor);
	}
	while (open.waiting.n) {
		const struct equation *eq = open.waiting.item[--open.waiting.n]->defined;
		expr_list reads = {0};

		if (eq->kind == EQ_VIEW) {
			open_adjoint(c, &open, eq->tensor->of);
			continue;
		}
		find_wanted_reads(c->g, eq->value, is_open_to, &reads);
		for (int k = 0; k < reads.n; k++)
			open_adjoint(c, &open, reads.item[k]->tensor);
	}
}

void differentiate_scan(struct chain *c, const equation_list *body, int depth, struct span at)
{
	equation_list made = {0}, *out = c->out;

	open_all(c, body);
	for (int i = body->n - 1; i >= 0; i--) {
		const struct adjoint *a = body->item[i]->tensor->pass;

		if (a->open && !a->closed)
			hand_back(c, body->item[i], a->grad);
	}
	c->out = &made;
	for (int i = body->n - 1; i >= 0; i--) {
		struct adjoint *a = body->item[i]->tensor->pass;

		if (a->open)
			close_adjoint(c, a);
		a->open = false;
		a->closed = true;
	}
	c->out = out;
	append_ordered(c, &made, depth, at);
}
