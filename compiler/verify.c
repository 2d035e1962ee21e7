/* verify.c - is the graph what graph.h says that it is? For use between passes: a pass that breaks an invariant is
 * caught where it did so, and not where the emitter trips over it.
 *
 * Three kinds of things are checked. Tensors: shape, type and role fit together. Equations: types of every operator,
 * indices against the axes that they run along, subscripts against the tensors that they read, as far as interval
 * arithmetic knows. Parts: every tensor is defined once, before it is read, and by a part that may; each part reads
 * only what exists when it runs. The first fault found is described, and nothing is changed. */
#include "expr.h"

#include <string.h>

static const char *const part_names[] = {"init", "forward", "inference", "backward", "update"};

/* What is known of a tensor so far; bit p of each stands for part p. */
struct status {
	uint8_t mapped;	 /* by a map or view */
	uint8_t added;	 /* by a scatter */
	uint8_t read;	 /* after which it must not change */
	uint8_t checked; /* as a tensor: once for inference (2), once for the rest (1) */
};

struct verifier {
	struct graph *g;
	struct status *status; /* by tensor id */
	enum part part;
	const struct equation *eq;
	struct table name[2]; /* tensors by name: of inference, and of the rest */
	const char *fault;    /* the first */
};

static void fault(struct verifier *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fault(struct verifier *v, const char *format, ...)
{
	struct text text = {.arena = &v->g->ctx->arena};
	va_list args;

	if (v->fault)
		return;
	if (v->eq)
		text_printf(&text, "part %s, equation of %s: ", part_names[v->part],
			    v->eq->tensor ? v->eq->tensor->name : "nothing");
	va_start(args, format);
	text_vprintf(&text, format, args);
	va_end(args);
	v->fault = text.at;
}

/* ---- tensors ---- */

static bool same_shape(const struct tensor *a, const struct tensor *b)
{
	if (a->rank != b->rank || a->batched != b->batched)
		return false;
	for (int i = 0; i < a->rank; i++)
		if (a->axis[i].extent != b->axis[i].extent || a->axis[i].rows != b->axis[i].rows)
			return false;
	return true;
}

static void check_axes(struct verifier *v, const struct tensor *t)
{
	if (t->rank < 0 || (t->batched && (t->rank == 0 || !t->axis[0].rows)))
		fault(v, "%s depends on the sample but has no axis for it", t->name);
	for (int a = 0; a < t->rank; a++) {
		if (t->axis[a].extent < 1)
			fault(v, "axis %d of %s has extent %lld", a + 1, t->name, (long long)t->axis[a].extent);
		if (t->axis[a].rows && t->axis[a].extent != v->g->batch)
			fault(v, "axis %d of %s runs over the rows, but its extent is not the batch", a + 1, t->name);
	}
	if (t->elem != ELEM_INT && t->classes)
		fault(v, "%s has classes but is not an integer", t->name);
}

static void check_role(struct verifier *v, const struct tensor *t)
{
	const struct tensor *of = t->of;

	switch (t->role) {
	case ROLE_INPUT:
	case ROLE_TARGET:
		if (!t->batched)
			fault(v, "%s comes from the host but does not depend on the sample", t->name);
		break;
	case ROLE_SETTING:
		if (t->rank || t->elem != ELEM_REAL)
			fault(v, "setting %s is not a real scalar", t->name);
		break;
	case ROLE_PARAM:
	case ROLE_FROZEN:
		if (t->batched)
			fault(v, "param %s depends on the sample", t->name);
		if (t->role == ROLE_PARAM && t->elem != ELEM_REAL)
			fault(v, "param %s is trained but not real", t->name);
		break;
	case ROLE_NEXT:
		if (!of || (of->role != ROLE_PARAM && of->role != ROLE_STATE))
			fault(v, "%s is the next value of no param or state", t->name);
		else if (!same_shape(t, of) || t->elem != of->elem)
			fault(v, "%s has not the shape and type of %s", t->name, of->name);
		break;
	case ROLE_GRAD:
		if (!of || of->role != ROLE_PARAM)
			fault(v, "%s is the gradient of no param", t->name);
		else if (!same_shape(t, of) || t->elem != ELEM_REAL)
			fault(v, "%s has not the shape of %s, or is not real", t->name, of->name);
		break;
	case ROLE_DATA:
		if (!t->data || t->batched)
			fault(v, "constant %s has no numbers, or depends on the sample", t->name);
		break;
	case ROLE_VIEW:
		if (!of || of->elem != t->elem || of->batched != t->batched || tensor_size(of) != tensor_size(t))
			fault(v, "%s is not a view: its elements are not those of another tensor", t->name);
		break;
	case ROLE_STATE:
	case ROLE_VALUE: break;
	}
}

static void check_tensor(struct verifier *v, const struct tensor *t)
{
	uint8_t space = v->part == PART_INFERENCE ? 2 : 1;

	if (!t) {
		fault(v, "a tensor is missing");
		return;
	}
	if (t->id >= (uint32_t)v->g->tensors.n || v->g->tensors.item[t->id] != t) {
		fault(v, "%s is not among the graph's tensors", t->name);
		return;
	}
	if (v->status[t->id].checked & space)
		return;
	if (!t->name || !*t->name || table_get(&v->name[space - 1], t->name)) {
		fault(v, "the name %s is not the tensor's own", t->name ? t->name : "NULL");
		return;
	}
	table_set(&v->name[space - 1], t->name, (void *)t);
	v->status[t->id].checked |= space;
	check_axes(v, t);
	if (!v->fault)
		check_role(v, t);
}

/* ---- types ---- */

/* How an operator's arguments and result are typed; see the list in graph.h. */
static bool arguments_are(const struct expr *e, int n, enum elem elem)
{
	if (e->n != n)
		return false;
	for (int i = 0; i < n; i++)
		if (e->arg[i]->elem != elem)
			return false;
	return true;
}

static bool types_fit(const struct expr *e)
{
	switch (e->op) {
	case EX_NUM:
	case EX_DRAW: return e->elem == ELEM_REAL && e->n == 0;
	case EX_INT: return e->elem != ELEM_REAL && e->n == 0;
	case EX_INDEX:
	case EX_RUN: return e->elem == ELEM_INT && e->n == 0;
	case EX_READ: return true; /* check_read */
	case EX_ADD:
	case EX_SUB:
	case EX_MUL:
	case EX_MIN:
	case EX_MAX: return e->elem != ELEM_BOOL && arguments_are(e, 2, e->elem);
	case EX_FLOORDIV:
	case EX_MOD: return e->elem == ELEM_INT && arguments_are(e, 2, ELEM_INT);
	case EX_DIV:
	case EX_POW: return e->elem == ELEM_REAL && arguments_are(e, 2, ELEM_REAL);
	case EX_NEG:
	case EX_ABS: return e->elem != ELEM_BOOL && arguments_are(e, 1, e->elem);
	case EX_LT:
	case EX_LE:
	case EX_EQ:
	case EX_NE: return e->elem == ELEM_BOOL && (arguments_are(e, 2, ELEM_REAL) || arguments_are(e, 2, ELEM_INT));
	case EX_AND:
	case EX_OR: return e->elem == ELEM_BOOL && arguments_are(e, 2, ELEM_BOOL);
	case EX_NOT: return e->elem == ELEM_BOOL && arguments_are(e, 1, ELEM_BOOL);
	case EX_SELECT:
		return e->n == 3 && e->arg[0]->elem == ELEM_BOOL && e->arg[1]->elem == e->elem &&
		       e->arg[2]->elem == e->elem;
	case EX_ISNAN: return e->elem == ELEM_BOOL && arguments_are(e, 1, ELEM_REAL);
	case EX_TO_INT: return e->elem == ELEM_INT && e->n == 1 && e->arg[0]->elem != ELEM_INT;
	case EX_TO_REAL: return e->elem == ELEM_REAL && e->n == 1 && e->arg[0]->elem != ELEM_REAL;
	default: return e->op < EX_COUNT && e->elem == ELEM_REAL && arguments_are(e, 1, ELEM_REAL);
	}
}

/* ---- reads ---- */

static bool is_value_of(const struct verifier *v, const struct tensor *t, enum part part)
{
	const struct status *s = &v->status[t->id];

	return (s->mapped | s->added) >> part & 1;
}

/* Whether t exists when the current equation runs. */
static bool is_readable(const struct verifier *v, const struct tensor *t)
{
	switch (t->role) {
	case ROLE_DATA:
	case ROLE_SETTING: return true;
	case ROLE_INPUT:
	case ROLE_TARGET: return v->part != PART_INIT && v->part != PART_UPDATE;
	case ROLE_PARAM:
	case ROLE_FROZEN:
	case ROLE_STATE: return v->part != PART_INIT || is_value_of(v, t, PART_INIT);
	case ROLE_GRAD: return is_value_of(v, t, v->part) || v->part == PART_UPDATE;
	default: return is_value_of(v, t, v->part) || (v->part == PART_BACKWARD && is_value_of(v, t, PART_FORWARD));
	}
}

/* Marks t, and what it is a view of, as read by the current part. */
static void note_read(struct verifier *v, const struct tensor *t)
{
	if (!is_readable(v, t))
		fault(v, "%s is read, which is not defined yet, or not for this part", t->name);
	for (; t; t = t->role == ROLE_VIEW ? t->of : NULL)
		v->status[t->id].read |= (uint8_t)(1 << v->part);
}

/* A subscript of axis a of t. */
static void check_subscript(struct verifier *v, const struct tensor *t, int a, const struct expr *e, bool guarded)
{
	const struct equation *eq = v->eq;
	struct range r;

	if (e->elem != ELEM_INT) {
		fault(v, "subscript %d of %s is not an integer", a + 1, t->name);
		return;
	}
	if (guarded || !range_of(e, eq->index, &r))
		return;
	if (r.low < 0 || r.high >= t->axis[a].extent)
		fault(v, "subscript %d of %s has the range %lld to %lld, but the extent is %lld", a + 1, t->name,
		      (long long)r.low, (long long)r.high, (long long)t->axis[a].extent);
	if (t->axis[a].rows && !(e->op == EX_INDEX ? eq->index[e->slot].rows : ex_is_num(e, 0)))
		fault(v, "subscript %d of %s may be a row that the run does not have", a + 1, t->name);
}

static void check_read(struct verifier *v, const struct expr *e)
{
	const struct tensor *t = e->tensor;

	check_tensor(v, t);
	if (v->fault)
		return;
	if (e->n != t->rank + e->guarded) {
		fault(v, "%s has rank %d and is read with %d subscripts", t->name, t->rank, e->n - e->guarded);
		return;
	}
	if (e->guarded ? e->arg[t->rank]->elem != e->elem || e->elem > t->elem : e->elem != t->elem)
		fault(v, "a read of %s has another type than the tensor", t->name);
	for (int a = 0; a < t->rank; a++)
		check_subscript(v, t, a, e->arg[a], e->guarded);
	note_read(v, t);
}

static void check_expr(void *user, struct expr *e)
{
	struct verifier *v = user;
	uint64_t slots = 0;

	if (v->fault)
		return;
	for (int i = 0; i < e->n; i++)
		slots |= e->arg[i]->slots;
	if (e->op == EX_INDEX)
		slots = (uint64_t)1 << e->slot;
	if (slots != e->slots)
		fault(v, "the slots of an expression (%s) are not those of its arguments", ex_name(e->op));
	else if (!types_fit(e))
		fault(v, "an argument of %s has the wrong type", ex_name(e->op));
	else if (e->op == EX_READ)
		check_read(v, e);
	else if (e->op == EX_DRAW && v->eq->kind != EQ_MAP)
		fault(v, "a draw needs an element, and so a map");
}

static void check_value(struct verifier *v, struct expr *e)
{
	if (!e)
		fault(v, "a value is missing");
	else if (v->eq->n < 64 && e->slots >> v->eq->n)
		fault(v, "an expression uses an index that the equation does not have");
	else
		ex_visit(v->g, e, check_expr, v);
}

/* ---- equations ---- */

static void check_indices(struct verifier *v)
{
	const struct equation *eq = v->eq;

	if (eq->nfree < 0 || eq->n < eq->nfree || eq->n > 64) {
		fault(v, "it has %d indices, %d of them free", eq->n, eq->nfree);
		return;
	}
	for (int s = 0; s < eq->n; s++) {
		const struct index *index = &eq->index[s];

		if (!index->name || !*index->name || index->extent < 1) {
			fault(v, "index %d has no name or no extent", s + 1);
			return;
		}
		if (index->rows && index->extent != v->g->batch)
			fault(v, "index %s runs over the rows, but its extent is not the batch", index->name);
		for (int k = 0; k < s; k++)
			if (strcmp(index->name, eq->index[k].name) == 0)
				fault(v, "two indices are named %s", index->name);
	}
}

static void check_map(struct verifier *v)
{
	const struct equation *eq = v->eq;
	const struct tensor *t = eq->tensor;
	bool position = eq->red == RED_ARGMAX || eq->red == RED_ARGMIN;

	if (eq->nfree != t->rank) {
		fault(v, "it has %d free indices for %d axes", eq->nfree, t->rank);
		return;
	}
	for (int a = 0; a < t->rank; a++)
		if (eq->index[a].extent != t->axis[a].extent || eq->index[a].rows != t->axis[a].rows)
			fault(v, "index %s does not run along axis %d", eq->index[a].name, a + 1);
	if (eq->red == RED_NONE && eq->n != eq->nfree)
		fault(v, "index %s is bound by no reducer", eq->index[eq->nfree].name);
	check_value(v, eq->value);
	if (!v->fault && t->elem != (position ? ELEM_INT : eq->value->elem))
		fault(v, "the value has another type than the tensor");
}

static void check_scatter(struct verifier *v)
{
	const struct equation *eq = v->eq;
	const struct tensor *t = eq->tensor;

	if (eq->nfree || !eq->target || t->rank == 0) {
		fault(v, "a scatter has no free indices, and a subscript for each axis");
		return;
	}
	check_value(v, eq->value);
	if (!v->fault && t->elem != eq->value->elem)
		fault(v, "the value has another type than the tensor");
	for (int a = 0; a < t->rank && !v->fault; a++) {
		check_value(v, eq->target[a]);
		if (!v->fault)
			check_subscript(v, t, a, eq->target[a], false);
	}
}

/* Which roles a part may define. */
static bool may_define(const struct tensor *t, enum part part)
{
	switch (t->role) {
	case ROLE_VALUE:
	case ROLE_VIEW: return true;
	case ROLE_PARAM:
	case ROLE_FROZEN:
	case ROLE_STATE: return part == PART_INIT;
	case ROLE_GRAD: return part == PART_BACKWARD;
	case ROLE_NEXT:
		return part == PART_UPDATE ||
		       (t->of->role == ROLE_STATE && (part == PART_FORWARD || part == PART_INFERENCE));
	default: return false;
	}
}

static void note_definition(struct verifier *v)
{
	const struct tensor *t = v->eq->tensor;
	struct status *s = &v->status[t->id];
	uint8_t part = (uint8_t)(1 << v->part);

	if (!may_define(t, v->part))
		fault(v, "this part may not define it");
	if (s->read)
		fault(v, "it was read before");
	if (s->mapped && v->eq->kind != EQ_SCATTER)
		fault(v, "it is defined twice");
	if (s->added && v->eq->kind != EQ_SCATTER)
		fault(v, "it was added to before");
	if ((s->mapped | s->added) & ~part)
		fault(v, "another part defines it as well");
	if (v->eq->kind == EQ_SCATTER)
		s->added |= part;
	else
		s->mapped |= part;
}

static void check_equation(struct verifier *v)
{
	const struct equation *eq = v->eq;

	check_tensor(v, eq->tensor);
	if (!v->fault)
		check_indices(v);
	if (v->fault)
		return;
	switch (eq->kind) {
	case EQ_MAP: check_map(v); break;
	case EQ_SCATTER: check_scatter(v); break;
	case EQ_VIEW:
		if (eq->tensor->role != ROLE_VIEW || eq->n || eq->value)
			fault(v, "a view has a tensor that it shows, and no indices");
		else
			note_read(v, eq->tensor->of);
		break;
	}
	if ((eq->kind == EQ_VIEW) != (eq->tensor->role == ROLE_VIEW))
		fault(v, "a view is defined as something else");
	if (!v->fault)
		note_definition(v);
}

/* ---- the graph ---- */

/* Two next values of one tensor in one part, or of both forward and update. */
static void check_next(struct verifier *v)
{
	const struct graph *g = v->g;
	uint8_t *set = arena_array(&v->g->ctx->arena, (size_t)g->tensors.n, sizeof *set);

	for (int i = 0; i < g->tensors.n; i++) {
		const struct tensor *t = g->tensors.item[i];
		uint8_t parts = v->status[i].mapped | v->status[i].added;

		if (t->role != ROLE_NEXT || !parts)
			continue;
		if (parts & (1 << PART_UPDATE))
			parts |= 1 << PART_FORWARD;
		if (set[t->of->id] & parts)
			fault(v, "%s has two next values", t->of->name);
		set[t->of->id] |= parts;
	}
}

static void check_scalar(struct verifier *v, const struct tensor *t, enum part part, const char *what)
{
	check_tensor(v, t);
	if (!v->fault && (t->rank || t->elem != ELEM_REAL || !is_value_of(v, t, part)))
		fault(v, "%s is not a real scalar of part %s", what, part_names[part]);
}

static void check_goals(struct verifier *v)
{
	const struct graph *g = v->g;

	if (g->loss)
		check_scalar(v, g->loss, PART_FORWARD, "the loss");
	if (!g->loss && (g->goals.n || g->grads.n))
		fault(v, "there are goals or gradients but no loss");
	for (int i = 0; i < g->goals.n; i++) {
		check_scalar(v, g->goals.item[i].value, PART_FORWARD, g->goals.item[i].name);
		for (int k = 0; k < g->goals.item[i].params.n && !v->fault; k++)
			if (g->goals.item[i].params.item[k]->role != ROLE_PARAM)
				fault(v, "goal %s trains %s, which is no param", g->goals.item[i].name,
				      g->goals.item[i].params.item[k]->name);
	}
	for (int i = 0; i < g->grads.n && !v->fault; i++) {
		const struct tensor *t = g->grads.item[i];

		check_tensor(v, t);
		if (!v->fault && t->role != ROLE_GRAD)
			fault(v, "%s is among the gradients and is none", t->name);
		else if (!v->fault && g->part[PART_BACKWARD].n && !is_value_of(v, t, PART_BACKWARD))
			fault(v, "part backward does not define %s", t->name);
	}
}

static void check_results(struct verifier *v)
{
	const struct graph *g = v->g;

	v->part = PART_INFERENCE;
	if (g->inference_loss)
		check_scalar(v, g->inference_loss, PART_INFERENCE, "the loss");
	for (int i = 0; i < g->outputs.n && !v->fault; i++) {
		check_tensor(v, g->outputs.item[i].value);
		if (!v->fault && !is_readable(v, g->outputs.item[i].value))
			fault(v, "output %s is not defined by part inference", g->outputs.item[i].name);
	}
	for (int i = 0; i < g->metrics.n && !v->fault; i++) {
		check_tensor(v, g->metrics.item[i].value);
		if (!v->fault && !is_readable(v, g->metrics.item[i].value))
			fault(v, "metric %s is not defined by part inference", g->metrics.item[i].name);
	}
}

/* Every param and state has a value at step 0. */
static void check_initial(struct verifier *v)
{
	for (int i = 0; i < v->g->tensors.n && !v->fault; i++) {
		const struct tensor *t = v->g->tensors.item[i];

		if (t->role != ROLE_PARAM && t->role != ROLE_FROZEN && t->role != ROLE_STATE)
			continue;
		check_tensor(v, t);
		if (!is_value_of(v, t, PART_INIT))
			fault(v, "part init does not define %s", t->name);
	}
}

const char *verify(struct graph *g)
{
	struct verifier v = {.g = g, .name = {{.arena = &g->ctx->arena}, {.arena = &g->ctx->arena}}};

	v.status = arena_array(&g->ctx->arena, (size_t)g->tensors.n, sizeof *v.status);
	for (int part = 0; part < PART_COUNT && !v.fault; part++) {
		v.part = (enum part)part;
		for (int i = 0; i < g->part[part].n && !v.fault; i++) {
			v.eq = g->part[part].item[i];
			check_equation(&v);
		}
		v.eq = NULL;
	}
	v.part = PART_FORWARD;
	if (!v.fault)
		check_initial(&v);
	if (!v.fault)
		check_next(&v);
	if (!v.fault)
		check_goals(&v);
	if (!v.fault)
		check_results(&v);
	return v.fault;
}
