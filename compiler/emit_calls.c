/* emit_calls.c - the public functions: pointers into the caller's memory, then one call after the other. */
#include "emit_calls.h"

#include <ctype.h>
#include <string.h>

/* The elements of a tensor as C: with the rows of this call. */
static const char *bytes_text(struct public_call *c, const struct tensor *t)
{
	bool whole = c->call == CALL_UPDATE || (t->role == ROLE_NEXT && (t->of->role == ROLE_PARAM || t->of->owner));
	bool batched = t->rank && t->axis[0].rows && !whole, rows = batched && !is_one_row(c->call);
	int64_t size = batched ? tensor_sample_size(t) : tensor_size(t);

	return arena_printf(c->e->arena, rows ? "(size_t)n * %lld * sizeof(%s)" : "%lld * sizeof(%s)", (long long)size,
			    elem_type(c->e, t->elem));
}

/* The gradient of a param, looked for from *next on: mostly they stand in the same order. NULL: there is none. */
static struct tensor *find_grad(const struct graph *g, const struct tensor *param, int *next)
{
	for (int k = 0; k < g->grads.n; k++) {
		int at = (*next + k) % g->grads.n;

		if (g->grads.item[at]->of == param) {
			*next = at + 1;
			return g->grads.item[at];
		}
	}
	return NULL;
}

/* Gradients that no equation gives are 0. */
static void clear_missing_grads(struct public_call *c)
{
	struct program *p = c->e->p;
	int next = 0;

	for (int i = 0; i < p->params.n; i++) {
		struct tensor *param = p->params.item[i], *grad;
		struct pointer at = {.storage = {.memory = MEM_GRADS}, .root = param};

		if (param->role != ROLE_PARAM)
			continue;
		grad = find_grad(c->e->g, param, &next);
		if (grad && layout_of(grad)->group)
			continue;
		if (!grad && is_step_call(c->call))
			continue;
		at.storage.offset = layout_of(param)->storage[c->call].offset;
		if (grad)
			at.storage = layout_of(grad)->storage[c->call];
		c->e->uses_memset = true;
		write_line(c->e, "memset(%s, 0, %s); /* %s has no part in the loss */", storage_text(c, &at),
			   bytes_text(c, param), param->name);
	}
}

static void start_init(struct public_call *c)
{
	struct program *p = c->e->p;

	bool computed = c->e->computed, kept = computed && has_kept(p);

	c->e->uses_memset |= !computed || !kept || !p->n_param;
	if (computed && p->n_param)
		write_line(c->e, "*params = %s_weights;", c->e->prefix);
	else
		write_line(c->e, "memset(params, 0, sizeof *params);");
	if (kept)
		write_line(c->e, "*state = %s_kept;", c->e->prefix);
	else
		write_line(c->e, "memset(state, 0, sizeof *state);");
	write_line(c->e, "state->run.seed = seed;");
	if (kept)
		return;
	for (int i = 0; i < p->settings.n; i++)
		write_line(c->e, "state->%s = %s;", layout_of(p->settings.item[i])->c_name,
			   real_literal(c->e, p->settings.item[i]->setting));
}

static void write_copy(struct public_call *c, const char *to, struct tensor *from)
{
	c->e->uses_memcpy = true;
	write_line(c->e, "memcpy(%s, %s, %s);", to, find_pointer(c, root_of(from))->name, bytes_text(c, from));
}

static struct tensor *loss_of(const struct public_call *c)
{
	return c->call == CALL_LOSS ? c->e->g->inference_loss : c->e->g->loss;
}

static void finish(struct public_call *c)
{
	for (int i = 0; i < c->plan->copies.n; i++) {
		const struct result *r = &c->plan->copies.item[i];

		write_copy(c,
			   c->call == CALL_METRICS_FINISH ? at_offset(c, "metrics", r->index)
							  : c->sig.outputs.item[r->index],
			   r->value);
	}
	if (c->call == CALL_METRICS || c->call == CALL_METRICS2)
		finish_totals(c);
	for (int i = 0; i < c->plan->next.n; i++) {
		const struct tensor *t = c->plan->next.item[i];

		write_copy(c, find_pointer(c, t->of)->name, c->plan->next.item[i]);
	}
	if (c->call == CALL_UPDATE || is_step_call(c->call))
		write_line(c->e, "state->run.step++;");
}

/* Everything that is read or written gets a pointer. */
static void collect_pointers(struct public_call *c)
{
	for (int i = 0; i < c->e->p->totals.n; i++) {
		const struct total *total = &c->e->p->totals.item[i];

		if (is_of_call(c, total))
			need_pointer(c, total->part, true);
		if (is_copied(c, total->tensor))
			need_pointer(c, total->tensor, true);
	}
	for (int i = 0; i < c->invocations.n; i++) {
		const struct invocation *call = &c->invocations.item[i];

		for (int k = 0; k < call->n_args; k++)
			need_pointer(c, call->args[k].root, call->args[k].written);
		for (int k = 0; call->alone && k < call->alone->n_args; k++)
			need_pointer(c, call->alone->args[k].root, call->alone->args[k].written);
	}
	for (int i = 0; i < c->plan->copies.n; i++) {
		struct tensor *root = root_of(c->plan->copies.item[i].value);

		need_pointer(c, root, false);
	}
	for (int i = 0; i < c->plan->next.n; i++) {
		struct tensor *t = c->plan->next.item[i];

		need_pointer(c, t, false);
		need_pointer(c, t->of, true);
	}
	if (strcmp(c->sig.result, "void") != 0) {
		struct tensor *root = root_of(loss_of(c));

		need_pointer(c, root, false);
	}
}

/* Parameters that a function does not use: the last word of each that the body does not mention. */
static void write_unused(struct emitter *e, const char *parameters, const char *body)
{
	const char *end = parameters;

	while (*end) {
		const char *start, *name;

		end += strcspn(end, ",");
		for (start = end; start > parameters && (isalnum((unsigned char)start[-1]) || start[-1] == '_');
		     start--)
			;
		name = arena_copy(e->arena, start, (size_t)(end - start));
		if (!mentions(body, name))
			write_line(e, "(void)%s;", name);
		end += *end == ',';
	}
}

static void write_body(struct public_call *c)
{
	for (int i = 0; i < c->pointers.n; i++)
		declare_pointer(c, &c->pointers.item[i]);
	if (c->pointers.n)
		write_blank(c->e);
	if (c->call == CALL_INIT)
		start_init(c);
	if (c->call == CALL_AVERAGE)
		write_line(c->e, "*average = *params;");
	if (c->call == CALL_BACKWARD || c->call == CALL_STEP)
		clear_missing_grads(c);
	convert_totals(c);
	if (c->call == CALL_TEAM_STEP)
		write_shares(c);
	else
		write_invocations(c);
	if (c->call == CALL_TEAM_STEP)
		open_finish(c);
	finish(c);
	if (c->call == CALL_TEAM_STEP)
		close_block(c->e, "}");
	if (strcmp(c->sig.result, "void") != 0)
		write_line(c->e, "return %s[0];", find_pointer(c, root_of(loss_of(c)))->name);
}

static void write_call(struct emitter *e, enum call call)
{
	struct public_call c = {.e = e, .call = call, .plan = &e->p->call[call]};
	struct text body = {.arena = e->arena}, *out = e->out;

	c.sig = make_signature(e, call, &c.scope);
	collect_invocations(&c);
	collect_pointers(&c);
	e->out = &body;
	e->depth = 1;
	write_body(&c);
	e->out = out;
	e->depth = 0;
	write_blank(e);
	write_line(e, "%s %s_%s(%s)", c.sig.result, e->prefix, call_name(call), c.sig.parameters);
	open_block(e, "{");
	write_unused(e, c.sig.parameters, body.n ? body.at : "");
	text_add(e->out, body.n ? body.at : "");
	close_block(e, "}");
}

void write_public(struct emitter *e)
{
	for (enum call call = 0; call < CALL_COUNT; call++)
		if (writes_call(e, call))
			write_call(e, call);
}
