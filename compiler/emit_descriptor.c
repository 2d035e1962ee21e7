/* emit_descriptor.c - the model as data: one const nn_model with names, shapes, offsets, sizes and functions. */
#include "emit_parts.h"

#include <inttypes.h>
#include <string.h>

/* ---- the fingerprint: names, shapes and the equations of inference ---- */

struct hash {
	uint64_t value; /* FNV-1a */
};

static void hash_text(struct hash *hash, const char *text)
{
	for (; *text; text++)
		hash->value = (hash->value ^ (unsigned char)*text) * 1099511628211u;
	hash->value = (hash->value ^ '\n') * 1099511628211u;
}

static void hash_tensor(struct emitter *e, struct hash *hash, const struct tensor *t, enum nn_kind kind)
{
	hash_text(hash, arena_printf(e->arena, "%d %s%s %lld", (int)kind, t->name, shape_text(e, t, false),
				     (long long)t->classes));
}

struct hashing {
	struct emitter *e;
	struct hash *hash;
};

static void hash_equation(void *user, struct equation *eq)
{
	struct hashing *h = user;
	struct text text = {.arena = h->e->arena};

	print_equation(h->e->g, eq, &text);
	hash_text(h->hash, text.at);
}

/* What weights belong to: not the batch, nor how they are trained. */
static uint64_t fingerprint(struct emitter *e)
{
	struct hash hash = {14695981039346656037u};
	const struct program *p = e->p;

	for (int i = 0; i < p->params.n; i++)
		hash_tensor(e, &hash, p->params.item[i], p->params.item[i]->role == ROLE_FROZEN ? NN_FROZEN : NN_PARAM);
	for (int i = 0; i < p->states.n; i++)
		if (!p->states.item[i]->rule)
			hash_tensor(e, &hash, p->states.item[i], NN_STATE);
	for (int i = 0; i < p->inputs.n; i++)
		hash_tensor(e, &hash, p->inputs.item[i], NN_INPUT);
	visit_equations(e->g->part[PART_INFERENCE].item, e->g->part[PART_INFERENCE].n, hash_equation,
			&(struct hashing){e, &hash});
	return hash.value;
}

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

static void write_tensor(struct emitter *e, const struct tensor *t, const char *name, const char *kind,
			 const char *offset, int step_axis)
{
	struct text dims = {.arena = e->arena};
	bool batched = t->rank && t->axis[0].rows;
	int rank = t->rank - batched, n = 0;

	for (int a = batched; a < t->rank && n < 8; a++, n++)
		text_printf(&dims, "%s%lld", n ? ", " : "", (long long)t->axis[a].extent);
	write_line(e, "{%s, %s, %s, %lld, %d, %d, {%s}, %lld, %s, %d},", quoted(e, name), kind,
		   t->elem == ELEM_REAL ? "NN_REAL" : "NN_INT32",
		   (long long)(t->elem == ELEM_BOOL  ? 2
			       : t->elem == ELEM_INT ? t->classes
						     : 0),
		   batched, rank, dims.n ? dims.at : "0", (long long)tensor_sample_size(t), offset, step_axis);
}

static const char *number(struct emitter *e, int64_t value) { return arena_printf(e->arena, "%lld", (long long)value); }

static const char *bytes(struct emitter *e, int64_t elements)
{
	return elements ? arena_printf(e->arena, "%lld * sizeof(%s)", (long long)elements, e->real) : "0";
}

static const char *field_offset(struct emitter *e, const struct tensor *t)
{
	return arena_printf(e->arena, "offsetof(%s_state, %s)", e->prefix, layout_of(t)->c_name);
}

static int write_state_tensors(struct emitter *e)
{
	const struct program *p = e->p;
	int n = p->states.n + p->settings.n;

	for (int i = 0; i < p->states.n; i++)
		write_tensor(e, p->states.item[i], p->states.item[i]->name, "NN_STATE",
			     field_offset(e, p->states.item[i]), -1);
	for (int r = 0; r < p->rules.n; r++) {
		const struct rule_state *rule = &p->rules.item[r];
		int64_t offset = 0;

		for (int i = 0; i < rule->states.n; i++, n++) {
			const struct tensor *t = rule->states.item[i];

			write_tensor(e, t, t->name, "NN_STATE",
				     arena_printf(e->arena, "offsetof(%s_state, %s) + %s", e->prefix,
						  rule_field(e, rule->name), bytes(e, offset)),
				     -1);
			offset += tensor_size(t);
		}
	}
	for (int i = 0; i < p->settings.n; i++)
		write_tensor(e, p->settings.item[i], p->settings.item[i]->name, "NN_SETTING",
			     field_offset(e, p->settings.item[i]), -1);
	return n;
}

static int write_tensors(struct emitter *e)
{
	const struct program *p = e->p;
	int n = p->params.n + p->inputs.n + p->targets.n + e->g->outputs.n + e->g->metrics.n;

	write_blank(e);
	open_block(e, "static const nn_tensor tensors[] = {");
	for (int i = 0; i < p->params.n; i++) {
		struct tensor *t = p->params.item[i];

		write_tensor(e, t, t->name, t->role == ROLE_FROZEN ? "NN_FROZEN" : "NN_PARAM",
			     bytes(e, layout_of(t)->storage[CALL_INIT].offset), -1);
	}
	n += write_state_tensors(e);
	for (int i = 0; i < p->inputs.n; i++)
		write_tensor(e, p->inputs.item[i], p->inputs.item[i]->name, "NN_INPUT", number(e, i),
			     p->stream->present ? p->stream->input_axis[i] : -1);
	for (int i = 0; i < p->targets.n; i++)
		write_tensor(e, p->targets.item[i], p->targets.item[i]->name, "NN_TARGET", number(e, i), -1);
	for (int i = 0; i < e->g->outputs.n; i++)
		write_tensor(e, e->g->outputs.item[i].value, e->g->outputs.item[i].name, "NN_OUTPUT", number(e, i),
			     p->stream->present ? p->stream->output_axis[i] : -1);
	for (int i = 0, at = 0; i < e->g->metrics.n; i++) {
		const struct tensor *t = e->g->metrics.item[i].value;

		write_tensor(e, t, e->g->metrics.item[i].name, "NN_METRIC", number(e, at), -1);
		at += (int)tensor_size(t);
	}
	if (n == 0)
		write_line(e, "{\"\", 0, 0, 0, 0, 0, {0}, 0, 0, -1},");
	close_block(e, "};");
	return n;
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
};

static void write_untyped(struct emitter *e, enum call call)
{
	static const char *const names[] = {"state", "input", "output", "target"};
	const char *text = arguments(e, call), *parameters = untyped_parameters[call];
	bool returns = call == CALL_LOSS || call == CALL_BACKWARD || call == CALL_STEP;

	write_blank(e);
	write_line(e, "%svoid any_%s(%s)", writes_descriptor(e) ? "static " : "", call_name(call), parameters);
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
	const char *parameters = untyped_parameters[call];

	write_blank(e);
	write_line(e, "static void any_%s(%s)", call_name(call), parameters);
	open_block(e, "{");
	write_line(e, "void (*function)(%s) = nn_late(&nn_parts, %d);", parameters, (int)call);
	open_block(e, "if (function) {");
	write_line(e, "function(%s);", names_of(e, parameters));
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
	for (enum call call = 0; call < CALL_COUNT && writes_descriptor(e); call++) {
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
	const struct training *t = &e->g->training;
	bool grads = e->p->call[CALL_BACKWARD].present || e->p->call[CALL_UPDATE].present;
	const char *coupling = grads && writes_descriptor(e) ? find_row_coupling(e->g) : NULL;
	struct text calls = {.arena = e->arena};
	int n;

	write_untyped_functions(e);
	if (!writes_descriptor(e))
		return;
	n = write_tensors(e);
	write_blank(e);
	open_block(e, "const nn_model %s_model = {", e->prefix);
	write_line(e, "NN_MODEL_ABI, (uint32_t)sizeof(%s), %lld, %d, tensors,", e->real, (long long)e->g->batch, n);
	write_line(e, "sizeof(%s_params), %s, sizeof(%s_state), sizeof(%s_work), %s,", e->prefix,
		   grads ? arena_printf(e->arena, "sizeof(%s_grads)", e->prefix) : "0", e->prefix, e->prefix,
		   has_work1(e->p) ? arena_printf(e->arena, "sizeof(%s_work1)", e->prefix) : "0");
	write_line(e, "%s,", e->g->metrics.n ? arena_printf(e->arena, "sizeof(%s_totals)", e->prefix) : "0");
	write_line(e, "%s, %s,", quoted(e, e->g->name), quoted(e, e->g->src ? source_text(e->g->src) : ""));
	write_line(e, "0x%016" PRIx64 "u, %lld, %lld, %" PRIu64 "u, %d, %d,", fingerprint(e), (long long)t->epochs,
		   (long long)t->steps, t->seed, t->ordered,
		   e->p->call[CALL_FORWARD].present && e->p->call[CALL_FORWARD].writes_state);
	for (enum call call = 0; call < CALL_COUNT; call++)
		text_printf(&calls, "%s%s", call ? ", " : "", function_or_null(e, call));
	write_line(e, "%s,", calls.at);
	write_line(e, "%s,", e->p->stream->present ? arena_printf(e->arena, "sizeof(%s_stream)", e->prefix) : "0");
	write_line(e, "%s,", coupling ? quoted(e, coupling) : "NULL");
	close_block(e, "};");
}
