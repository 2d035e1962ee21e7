/* emit_descriptor.c - the descriptor, one const nn_model: what describe.c says, and functions with untyped parameters.
 */
#include "describe.h"

#include <inttypes.h>
#include <string.h>

/* ---- tensors ---- */

static const char *quoted(struct emitter *e, const char *text)
{
	struct text out = {.arena = e->arena};

	text_add(&out, "\"");
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			text_printf(&out, "\\%c", c);
		else if (c < 32 || c > 126)
			text_printf(&out, "\\%03o", c);
		else
			text_add_bytes(&out, text, 1);
	}
	text_add(&out, "\"");
	return out.at;
}

static const char *bytes(struct emitter *e, size_t elements)
{
	return elements ? arena_printf(e->arena, "%zu * sizeof(%s)", elements, e->real) : "0";
}

static void write_tensor(struct emitter *e, const nn_tensor *t, const char *offset)
{
	static const char *const kinds[] = {
		[NN_PARAM] = "NN_PARAM",     [NN_FROZEN] = "NN_FROZEN", [NN_STATE] = "NN_STATE",
		[NN_SETTING] = "NN_SETTING", [NN_INPUT] = "NN_INPUT",	[NN_TARGET] = "NN_TARGET",
		[NN_OUTPUT] = "NN_OUTPUT",   [NN_METRIC] = "NN_METRIC"};
	struct text dims = {.arena = e->arena};

	for (int n = 0; n < t->rank && n < 8; n++)
		text_printf(&dims, "%s%d", n ? ", " : "", (int)t->dim[n]);
	write_line(e, "{%s, %s, %s, %d, %d, %d, {%s}, %zu, %s, %d},", quoted(e, t->name), kinds[t->kind],
		   t->elem == NN_REAL ? "NN_REAL" : "NN_INT32", (int)t->classes, (int)t->batched, (int)t->rank,
		   dims.n ? dims.at : "0", t->count, offset, (int)t->step_axis);
}

static void list_fields(struct emitter *e, text_list *out, struct tensor *const *list, int n)
{
	for (int i = 0; i < n; i++)
		list_add(e->arena, out,
			 arena_printf(e->arena, "offsetof(%s_state, %s)", e->prefix, layout_of(list[i])->c_name));
}

/* The offsets of tensors in the state, in the descriptor's order, as C. */
static text_list state_offsets(struct emitter *e)
{
	const struct program *p = e->p;
	text_list out = {0};

	list_fields(e, &out, p->states.item, p->states.n);
	for (int r = 0; r < p->rules.n; r++) {
		const struct rule_state *rule = &p->rules.item[r];
		size_t within = 0;

		for (int i = 0; i < rule->states.n; i++) {
			list_add(e->arena, &out,
				 arena_printf(e->arena, "offsetof(%s_state, %s) + %s", e->prefix,
					      rule_field(e, rule->name), bytes(e, within)));
			within += (size_t)tensor_size(rule->states.item[i]);
		}
	}
	list_fields(e, &out, p->settings.item, p->settings.n);
	return out;
}

static void write_tensors(struct emitter *e, const struct description *d)
{
	text_list in_state = state_offsets(e);
	int n_state = 0;

	write_blank(e);
	open_block(e, "static const nn_tensor tensors[] = {");
	for (int i = 0; i < d->tensors.n; i++) {
		const nn_tensor *t = &d->tensors.item[i];
		bool of_state = t->kind == NN_STATE || t->kind == NN_SETTING;

		write_tensor(e, t,
			     of_state					   ? in_state.item[n_state++]
			     : t->kind == NN_PARAM || t->kind == NN_FROZEN ? bytes(e, t->offset / d->model.real_size)
									   : arena_printf(e->arena, "%zu", t->offset));
	}
	if (d->tensors.n == 0)
		write_line(e, "{\"\", 0, 0, 0, 0, 0, {0}, 0, 0, -1},");
	close_block(e, "};");
}

/* ---- functions with untyped parameters ---- */

static const char *rows_argument(struct emitter *e, const struct tensor *t, const char *array, int i, bool is_const)
{
	return arena_printf(e->arena, ", (%s%s *)%s[%d]", is_const ? "const " : "", elem_type(e, t->elem), array, i);
}

/* The arguments of the typed function, in the order of make_signature. */
static const char *arguments(struct emitter *e, enum call call)
{
	struct text out = {.arena = e->arena};
	const struct program *p = e->p;
	struct scope scope = {0};
	struct signature sig = make_signature(e, call, &scope);

	text_add(&out, "params");
	if (strstr(sig.parameters, "_state *state"))
		text_add(&out, ", state");
	if (call == CALL_STREAM)
		text_add(&out, ", stream");
	if (call == CALL_INIT)
		text_add(&out, ", seed");
	if (call == CALL_UPDATE)
		text_add(&out, ", grads");
	for (int i = 0; i < sig.inputs.n; i++)
		text_add(&out, rows_argument(e, p->inputs.item[i], "input", i, true));
	for (int i = 0; i < sig.targets.n; i++)
		text_add(&out, rows_argument(e, p->targets.item[i], "target", i, true));
	for (int i = 0; i < sig.outputs.n; i++)
		text_add(&out, rows_argument(e, e->g->outputs.item[i].value, "output", i, false));
	if (call >= CALL_METRICS && call <= CALL_METRICS_FINISH)
		text_add(&out, ", totals");
	if (call == CALL_METRICS_FINISH)
		text_printf(&out, ", (%s *)metric", e->real);
	if (call == CALL_BACKWARD)
		text_add(&out, ", grads");
	if (call == CALL_AVERAGE)
		text_add(&out, ", average");
	if (call != CALL_INIT && call != CALL_UPDATE)
		text_add(&out, is_one_row(call) || call == CALL_METRICS_FINISH || call == CALL_AVERAGE ? ", work"
												       : ", n, work");
	if (call == CALL_TEAM_STEP)
		text_add(&out, ", team");
	return out.at;
}

/* Of the functions of nn_model. */
static const char *const untyped_parameters[CALL_COUNT] = {
	[CALL_INIT] = "void *params, void *state, uint64_t seed",
	[CALL_FORWARD] = "const void *params, void *state, const void *const *input, void *const *output, int n, "
			 "void *work",
	[CALL_FORWARD1] = "const void *params, void *state, const void *const *input, void *const *output, void *work",
	[CALL_LOSS] = "const void *params, void *state, const void *const *input, const void *const *target, "
		      "void *loss, int n, void *work",
	[CALL_METRICS] = "const void *params, void *state, const void *const *input, const void *const *target, "
			 "void *totals, int n, void *work",
	[CALL_METRICS2] = "const void *params, void *state, const void *const *input, const void *const *target, "
			  "void *totals, int n, void *work",
	[CALL_METRICS_FINISH] = "const void *params, void *state, const void *totals, void *metric, void *work",
	[CALL_BACKWARD] = "const void *params, void *state, const void *const *input, const void *const *target, "
			  "void *grads, void *loss, int n, void *work",
	[CALL_UPDATE] = "void *params, void *state, const void *grads",
	[CALL_STEP] = "void *params, void *state, const void *const *input, const void *const *target, void *loss, "
		      "int n, void *work",
	[CALL_STREAM] = "const void *params, void *state, void *stream, const void *const *input, void *const "
			"*output, void *work",
	[CALL_AVERAGE] = "const void *params, void *state, void *average, void *work",
	[CALL_TEAM_STEP] = "void *params, void *state, const void *const *input, const void *const *target, "
			   "void *loss, int n, void *work, const nn_team *team",
};

static void write_untyped(struct emitter *e, enum call call)
{
	static const char *const names[] = {"state", "input", "output", "target"};
	const char *text = arguments(e, call), *parameters = untyped_parameters[call];
	bool returns = call == CALL_LOSS || call == CALL_BACKWARD || is_step_call(call);

	write_blank(e);
	write_line(e, "%svoid any_%s(%s)", e->options->freestanding ? "" : "static ", call_name(call), parameters);
	open_block(e, "{");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strstr(parameters, arena_printf(e->arena, "*%s", names[i])) && !strstr(text, names[i]))
			write_line(e, "(void)%s;", names[i]);
	if (returns)
		write_line(e, "*(%s *)loss = %s_%s(%s);", e->real, e->prefix, call_name(call), text);
	else
		write_line(e, "%s_%s(%s);", e->prefix, call_name(call), text);
	close_block(e, "}");
}

/* The names of parameters, as arguments. */
static const char *names_of(struct emitter *e, const char *parameters)
{
	struct text out = {.arena = e->arena};

	while (*parameters) {
		size_t end = strcspn(parameters, ","), start = end;

		while (start > 0 && parameters[start - 1] != ' ' && parameters[start - 1] != '*')
			start--;
		text_add(&out, out.n ? ", " : "");
		text_add_bytes(&out, parameters + start, end - start);
		parameters += end + (parameters[end] == ',');
	}
	return out.at;
}

/* A function that is in another part of the text, which the host has to compile: NULL if it cannot. */
static void write_late(struct emitter *e, enum call call)
{
	const char *names = names_of(e, untyped_parameters[call]);
	struct text parameters = {.arena = e->arena};

	for (const char *name = names; *name; name += strspn(name, ", ")) {
		size_t n = strcspn(name, ",");

		text_printf(&parameters, "%s%s%.*s", parameters.n ? ", " : "",
			    n == 1 && *name == 'n' ? "int " : "void *", (int)n, name);
		name += n;
	}
	write_blank(e);
	write_line(e, "void any_%s(%s)", call_name(call), parameters.at);
	open_block(e, "{");
	write_line(e, "void (*function)() = nn_late(&nn_parts, %d);", (int)call);
	open_block(e, "if (function) {");
	write_line(e, "function(%s);", names);
	close_block(e, "}");
	close_block(e, "}");
}

static void write_untyped_functions(struct emitter *e)
{
	bool some_late = false;

	write_blank(e);
	write_comment(e, "The same functions with untyped parameters, for nn_model.");
	for (enum call call = 0; call < CALL_COUNT; call++)
		if (writes_call(e, call))
			write_untyped(e, call);
	for (enum call call = 0; call < CALL_COUNT && writes_call(e, CALL_INIT); call++) {
		if (!e->p->call[call].present || writes_call(e, call))
			continue;
		if (!some_late)
			text_add(e->out, "\nextern char nn_parts;\nvoid *nn_late(void *parts, int function);\n");
		some_late = true;
		write_late(e, call);
	}
}

static const char *function_or_null(struct emitter *e, enum call call)
{
	return e->p->call[call].present ? arena_printf(e->arena, "any_%s", call_name(call)) : "NULL";
}

void write_descriptor(struct emitter *e)
{
	struct text calls = {.arena = e->arena};
	struct description d;
	const nn_model *m = &d.model;

	write_untyped_functions(e);
	if (e->options->freestanding)
		return;
	describe_model(e, &d);
	write_tensors(e, &d);
	write_blank(e);
	open_block(e, "const nn_model %s_model = {", e->prefix);
	write_line(e, "NN_MODEL_ABI, (uint32_t)sizeof(%s), %u, %u, tensors,", e->real, (unsigned)m->batch,
		   (unsigned)m->n_tensor);
	write_line(e, "sizeof(%s_params), %s, sizeof(%s_state), sizeof(%s_work), %s,", e->prefix,
		   m->grads_size ? arena_printf(e->arena, "sizeof(%s_grads)", e->prefix) : "0", e->prefix, e->prefix,
		   m->work1_size ? arena_printf(e->arena, "sizeof(%s_work1)", e->prefix) : "0");
	write_line(e, "%s,", m->totals_size ? arena_printf(e->arena, "sizeof(%s_totals)", e->prefix) : "0");
	write_line(e, "%s, %s,", quoted(e, m->name), quoted(e, m->source));
	write_line(e, "0x%016" PRIx64 "u, %d, %d, %" PRIu64 "u, %d, %d,", m->fingerprint, (int)m->epochs, (int)m->steps,
		   m->seed, (int)m->ordered, (int)m->moves);
	for (enum call call = 0; call < CALL_COUNT; call++)
		text_printf(&calls, "%s%s", call ? ", " : "", function_or_null(e, call));
	write_line(e, "%s,", calls.at);
	write_line(e, "%s, %s,", m->stream_size ? arena_printf(e->arena, "sizeof(%s_stream)", e->prefix) : "0",
		   bytes(e, m->own_size / m->real_size));
	write_line(e, "%s, %.0f,", m->coupling ? quoted(e, m->coupling) : "NULL", m->row_cost);
	close_block(e, "};");
}
