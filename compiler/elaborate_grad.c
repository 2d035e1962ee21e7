/* elaborate_grad.c - grad(e, x): the chain rule inside a formula.
 *
 * The equations so far are differentiated, and what comes out are equations like any others. In a scan, the derivative
 * is that of the step at hand: what other steps have made is held, as it was there before. For that, reads of other
 * steps are reads of stand-ins while the chain rule runs. */
#include "elaborate.h"

#include "expr.h"

#include <string.h>

bool is_differentiated_by(const struct node *text, const char *name)
{
	if (text->kind == NODE_CALL && text->n > 1 && !strcmp(text->name, "grad")) {
		const struct node *by = text->kid[1]->kid[0];

		if (by->kind == NODE_NAME && !strcmp(by->name, name))
			return true;
	}
	for (int i = 0; text->has_grad && i < text->n; i++)
		if (text->kid[i] && is_differentiated_by(text->kid[i], name))
			return true;
	return false;
}

struct value make_variable(struct elaborator *E, struct value v, const char *name, struct span at)
{
	v = as_tensor(E, &v);
	at = user_place(E, at);
	struct tensor *t = graph_tensor(E->g, ROLE_VALUE, name, ELEM_REAL, is_batched(&v), v.rank, v.axis, at);
	t->layer = E->scope->path;
	define_whole(E, t, &v, ex_real(E->g, v.expr), at);
	struct value out = tensor_value(E, t);
	out.lead = v.lead;
	return out;
}

/* ---- other steps are held ---- */

struct stand_ins {
	struct elaborator *E;
	LIST(struct tensor *) of, stand_in;
};

/* A read of what an earlier step of a scan that is being run has left. */
static bool is_earlier_step(const struct elaborator *E, const struct expr *read)
{
	const struct tensor *t = read->tensor;

	for (int d = 0; d < E->scans; d++)
		for (int i = 0; i < E->scan[d]->states.n; i++)
			if (E->scan[d]->states.item[i] == t)
				return read->arg[t->batched + d]->op != EX_INDEX;
	return false;
}

static struct tensor *find_stand_in(struct stand_ins *s, struct tensor *t)
{
	struct arena *arena = &s->E->ctx->arena;
	struct tensor *copy;

	for (int i = 0; i < s->of.n; i++)
		if (s->of.item[i] == t)
			return s->stand_in.item[i];
	copy = arena_alloc(arena, sizeof *copy);
	*copy = *t;
	copy->pass = NULL;
	list_add(arena, &s->of, t);
	list_add(arena, &s->stand_in, copy);
	return copy;
}

static struct expr *with_tensor(struct stand_ins *s, struct expr *read, struct tensor *t)
{
	return ex_read(s->E->g, t, read->arg, read->guarded ? read->arg[t->rank] : NULL);
}

static struct expr *put_stand_in(void *user, struct expr *read)
{
	struct stand_ins *s = user;

	return is_earlier_step(s->E, read) ? with_tensor(s, read, find_stand_in(s, read->tensor)) : read;
}

static struct expr *take_stand_in(void *user, struct expr *read)
{
	struct stand_ins *s = user;

	for (int i = 0; i < s->of.n; i++)
		if (s->stand_in.item[i] == read->tensor)
			return with_tensor(s, read, s->of.item[i]);
	return read;
}

/* The equation with its earlier steps held. */
static struct equation *hold_equation(struct stand_ins *s, const struct equation *eq)
{
	struct arena *arena = &s->E->ctx->arena;
	struct equation *held = arena_alloc(arena, sizeof *held);

	*held = *eq;
	if (eq->kind == EQ_SCAN) {
		held->scan = arena_alloc(arena, sizeof *held->scan);
		*held->scan = *eq->scan;
		held->scan->body = arena_array(arena, (size_t)eq->scan->n + 1, sizeof *held->scan->body);
		for (int i = 0; i < eq->scan->n; i++)
			held->scan->body[i] = hold_equation(s, eq->scan->body[i]);
	} else if (eq->value) {
		held->value = ex_map_reads(s->E->g, eq->value, put_stand_in, s);
	}
	return held;
}

static void release_equation(void *user, struct equation *eq)
{
	struct stand_ins *s = user;

	if (eq->value)
		eq->value = ex_map_reads(s->E->g, eq->value, take_stand_in, s);
	for (int a = 0; eq->target && a < eq->tensor->rank; a++)
		eq->target[a] = ex_map_reads(s->E->g, eq->target[a], take_stand_in, s);
}

/* All equations that a value here may depend on, in order. */
static void collect_equations(struct stand_ins *s, equation_list *list)
{
	struct elaborator *E = s->E;
	struct arena *arena = &E->ctx->arena;
	const equation_list *part = &E->g->part[E->part];

	for (int i = 0; i < part->n; i++)
		list_add(arena, list, part->item[i]);
	for (int d = 0; d < E->scans; d++)
		for (int i = 0; E->scan[d]->part == E->part && i < E->scan[d]->body.n; i++)
			list_add(arena, list, hold_equation(s, E->scan[d]->body.item[i]));
}

/* ---- each sample's own ---- */

/* What lies between x and e. */
struct paths {
	struct graph *g;
	bool *from, *to; /* by tensor id: depends on x; e depends on it */
	const struct equation *eq, *coupled;
	bool changed;
};

static bool is_of_own_row(const struct equation *eq, const struct expr *read)
{
	const struct expr *row = read->arg[0];

	if (!read->tensor->batched)
		return true;
	if (row->op != EX_INDEX || !eq->tensor->batched)
		return false;
	return eq->kind == EQ_SCATTER ? eq->target[0] == row : row->slot == 0;
}

static void follow_read(void *user, struct expr *e)
{
	struct paths *p = user;
	uint32_t id = p->eq->tensor->id;

	if (e->op != EX_READ || e->tensor != p->g->tensors.item[e->tensor->id])
		return;
	p->changed |= p->from[e->tensor->id] && !p->from[id];
	p->from[id] |= p->from[e->tensor->id];
	p->changed |= p->to[id] && !p->to[e->tensor->id];
	p->to[e->tensor->id] |= p->to[id];
	if (p->from[e->tensor->id] && p->to[id] && !is_of_own_row(p->eq, e))
		p->coupled = p->eq;
}

static void follow_equation(void *user, struct equation *eq)
{
	struct paths *p = user;

	p->eq = eq;
	if (eq->kind == EQ_VIEW) {
		p->from[eq->tensor->id] |= p->from[eq->tensor->of->id];
		p->to[eq->tensor->of->id] |= p->to[eq->tensor->id];
		return;
	}
	ex_visit(p->g, eq->value, follow_read, p);
}

/* The equation through which e of a sample depends on x of another one, or NULL. */
static const struct equation *find_coupling(struct elaborator *E, const equation_list *list, const struct tensor *e,
					    const struct tensor *x)
{
	struct arena *arena = &E->ctx->arena;
	size_t n = (size_t)E->g->tensors.n + 1;
	struct paths p = {.g = E->g};

	if (!e->batched || !x->batched)
		return NULL;
	p.from = arena_array(arena, 2 * n, sizeof *p.from);
	p.to = p.from + n;
	p.from[x->id] = p.to[e->id] = true;
	do {
		p.changed = false;
		visit_equations(list->item, list->n, follow_equation, &p);
	} while (p.changed && !p.coupled);
	return p.coupled;
}

/* ---- grad ---- */

/* e must not vary over samples or steps that x is one for: whose derivative would it be? */
static bool same_lead(struct elaborator *E, const struct node *n, const char *name, const struct value *e,
		      const struct value *x)
{
	unsigned more = e->lead & ~x->lead;

	if (more & 1)
		fail(E, n->at,
		     "'%s' is one for all samples, but the first argument differs from sample to sample: reduce it over batch first",
		     name);
	else if (more)
		fail(E, n->at,
		     "'%s' is one for all steps of the scan, but the first argument differs from step to step", name);
	return !more;
}

struct value eval_gradient(struct elaborator *E, const struct node *n, struct value e)
{
	const struct node *x = n->kid[1]->kid[0];
	struct value v = eval(E, x);
	if (e.kind == VAL_ERROR || v.kind == VAL_ERROR)
		return error_value();
	if (!is_tensor_itself(&v) || x->kind != NODE_NAME) {
		fail(E, x->at, "the second argument of grad is the name of an input, a parameter or a value");
		return error_value();
	}
	e = as_tensor(E, &e);
	if (e.kind != VAL_TENSOR || e.indexed || own_rank(&e)) {
		fail(E, n->kid[0]->at, "grad takes the derivative of a scalar, not of shape %s", value_shape(E, &e));
		return error_value();
	}
	if (!same_lead(E, n, x->name, &e, &v))
		return error_value();
	struct tensor *of = materialize(E, e, join_path(E, E->scope->path, E->scope->hint), n->at),
		      *wrt = v.expr->tensor, *grad = NULL;
	if (!of)
		return error_value();
	struct stand_ins s = {.E = E};
	equation_list out = {0}, list = {0};
	collect_equations(&s, &list);
	if (find_passes(E->g, &list)[of->id].pass) {
		fail(E, n->at, "grad has no derivative of a total over `data`: take it inside, sum[data] grad(e, %s)",
		     x->name);
		return error_value();
	}
	const struct equation *coupled = find_coupling(E, &list, of, wrt);
	if (coupled) {
		fail(E, n->at, "the first argument of grad depends on '%s' of other samples as well", x->name);
		report_note(E->ctx, coupled->at, "through '%s'", coupled->tensor->name);
		return error_value();
	}
	differentiate(E->g, &list, of, &wrt, 1, ".grad", &out, &grad);
	if (!grad) {
		fail(E, n->at, "the first argument of grad does not depend on '%s'", x->name);
		return error_value();
	}
	visit_equations(out.item, out.n, release_equation, &s);
	for (int i = 0; i < out.n; i++)
		emit_equation(E, out.item[i]);
	struct value result = tensor_value(E, grad);
	result.lead = v.lead;
	return result;
}
