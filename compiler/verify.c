/* verify.c - is the graph what graph.h says that it is? For use between passes: a pass that breaks an invariant is
 * caught where it did so, and not where the emitter trips over it.
 *
 * Three kinds of things are checked. Tensors: shape, type and role fit together. Equations: types of every operator,
 * indices against the axes that they run along, subscripts against the tensors that they read, as far as interval
 * arithmetic knows. Parts: every tensor is defined once, before it is read, and by a part that may; each part reads
 * only what exists when it runs. The first fault found is described, and nothing is changed. */
#include "verify.h"

void fault(struct verifier *v, const char *format, ...)
{
	struct text text = {.arena = &v->g->ctx->arena};
	va_list args;

	if (v->fault)
		return;
	if (v->eq)
		text_printf(&text, "part %s, equation of %s: ", part_name(v->part),
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

void check_tensor(struct verifier *v, const struct tensor *t)
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
		fault(v, "%s is not a real scalar of part %s", what, part_name(part));
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

/* Metrics are results of a whole set, outputs and the loss of one call. */
static void check_totals(struct verifier *v)
{
	const struct graph *g = v->g;
	const struct known_when *when = find_passes(v->g, &g->part[PART_INFERENCE]);

	if (g->inference_loss && when[g->inference_loss->id].pass)
		fault(v, "the loss depends on a total over the data");
	for (int i = 0; i < g->outputs.n; i++)
		if (when[g->outputs.item[i].value->id].pass)
			fault(v, "output %s depends on a total over the data", g->outputs.item[i].name);
	for (int i = 0; i < g->metrics.n; i++) {
		const struct tensor *t = g->metrics.item[i].value;

		if (t->elem != ELEM_REAL || when[t->id].rows)
			fault(v, "metric %s is not real, or depends on the rows of a call", g->metrics.item[i].name);
		else if (when[t->id].pass > MAX_PASSES)
			fault(v, "metric %s needs %d passes over the data", g->metrics.item[i].name, when[t->id].pass);
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
	if (!v->fault)
		check_totals(v);
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
