/* emit_structs.c - the structs of the header: params, state, totals, work, and what a stream carries on. */
#include "emit_parts.h"

/* Totals are of many rows: floats would lose their last ones. */
static const char *total_type(const struct emitter *e) { return e->real_kind == NNC_FLOAT ? "double" : e->real; }

/* The brackets of a field from axis `first`: the sample axis counts in full. */
static const char *field_shape(struct emitter *e, const struct tensor *t, int first)
{
	struct text out = {.arena = e->arena};

	for (int a = first; a < t->rank; a++)
		if (t->axis[a].rows && !e->options->freestanding)
			text_printf(&out, "[%s_BATCH]", e->upper);
		else
			text_printf(&out, "[%lld]", (long long)t->axis[a].extent);
	return out.at ? out.at : "";
}

static void write_field(struct emitter *e, const struct tensor *t, const char *name, const char *about)
{
	const char *place = e->options->freestanding ? "" : place_text(e, t->at);

	about = e->options->freestanding ? "" : about;
	write_line(e, "%s %s%s;%s%s%s%s", elem_type(e, t->elem), name, field_shape(e, t, 0),
		   *place || *about ? " /* " : "", place, about, *place || *about ? " */" : "");
}

/* union { struct { the params' fields } t; real flat[n]; }; the code itself uses flat only. */
static void write_named_and_flat(struct emitter *e, const char *opening, struct tensor *const *list, int n,
				 const char *length, const char *closing)
{
	bool named = !e->options->freestanding || n == 0;

	open_block(e, "%s", opening);
	if (named)
		open_block(e, "struct {");
	for (int i = 0; named && i < n; i++)
		write_field(e, list[i], layout_of(list[i]->owner ? list[i]->owner : list[i])->c_name,
			    list[i]->role == ROLE_FROZEN ? ", frozen" : "");
	if (n == 0)
		write_line(e, "%s none;", e->real);
	if (named)
		close_block(e, "} t;");
	write_line(e, "%s flat[%s]; /* the same values in that order */", e->real, length);
	close_block(e, closing);
}

/* In process there are no names for numbers. */
static const char *length(struct emitter *e, const char *name, int64_t number)
{
	return e->options->freestanding ? arena_printf(e->arena, "%lld", (long long)number)
					: arena_printf(e->arena, "%s_%s", e->upper, name);
}

static void write_params(struct emitter *e)
{
	const struct program *p = e->p;
	const char *type = arena_printf(e->arena, "typedef union %s_params {", e->prefix);
	int n_trained = 0;

	while (n_trained < p->params.n && p->params.item[n_trained]->role == ROLE_PARAM)
		n_trained++;
	write_comment(e, e->computed ? "What inference needs of the model's params, computed by nnc: not what a file of"
				       " weights holds."
				     : "Learnt values, then frozen ones: what a file of weights holds.");
	write_named_and_flat(e, type, p->params.item, p->params.n, length(e, "NPARAM", p->n_param ? p->n_param : 1),
			     arena_printf(e->arena, "} %s_params;", e->prefix));
	write_blank(e);
	if (!writes_call(e, CALL_BACKWARD) && !writes_call(e, CALL_UPDATE))
		return;
	type = arena_printf(e->arena, "typedef union %s_grads {", e->prefix);
	write_comment(e, "Gradients of the learnt values, at the same offsets.");
	write_named_and_flat(e, type, p->params.item, n_trained, length(e, "NGRAD", p->n_trained),
			     arena_printf(e->arena, "} %s_grads;", e->prefix));
	write_blank(e);
}

static void write_state(struct emitter *e)
{
	const struct program *p = e->p;

	write_comment(
		e, "What is kept from call to call beside the params. init sets all of it; the host may set run.epoch,"
		   " run.steps, run.steps_per_epoch and the settings.");
	open_block(e, "typedef struct %s_state {", e->prefix);
	write_line(e, "nn_run run; /* must stand first */");
	for (int i = 0; i < p->settings.n; i++)
		write_field(e, p->settings.item[i], layout_of(p->settings.item[i])->c_name,
			    arena_printf(e->arena, ", at first %s", real_literal(e, p->settings.item[i]->setting)));
	for (int i = 0; i < p->states.n; i++)
		write_field(e, p->states.item[i], layout_of(p->states.item[i])->c_name, "");
	for (int i = 0; i < p->rules.n; i++) {
		const struct rule_state *rule = &p->rules.item[i];

		write_named_and_flat(e, "union {", rule->states.item, rule->states.n,
				     arena_printf(e->arena, "%lld", (long long)rule->size),
				     arena_printf(e->arena, "} %s; /* of the optimiser */", rule_field(e, rule->name)));
	}
	if (p->scratch)
		write_line(e, "%s scratch[%lld]; /* of init and update; means nothing between calls */", e->real,
			   (long long)p->scratch);
	if (p->scratch_int)
		write_line(e, "int32_t scratch_whole[%lld];", (long long)p->scratch_int);
	close_block(e, arena_printf(e->arena, "} %s_state;", e->prefix));
	write_blank(e);
}

static void write_totals(struct emitter *e)
{
	const struct program *p = e->p;

	if (!writes_call(e, CALL_METRICS) && !writes_call(e, CALL_METRICS2) && !writes_call(e, CALL_METRICS_FINISH))
		return;
	write_comment(e, "What metrics adds up over an evaluated set; all bytes 0 at first.");
	open_block(e, "typedef struct %s_totals {", e->prefix);
	write_line(e, "int32_t rows;");
	if (p->call[CALL_METRICS2].present)
		write_line(e, "int32_t rows2; /* of the second pass */");
	for (int i = 0; i < p->totals.n; i++) {
		const struct tensor *t = p->totals.item[i].tensor;
		const char *place = e->options->freestanding ? "" : place_text(e, t->at);

		write_line(e, "%s %s%s;%s%s%s", t->elem == ELEM_REAL ? total_type(e) : elem_type(e, t->elem),
			   layout_of(t)->c_name, field_shape(e, t, 0), *place ? " /* " : "", place,
			   *place ? " */" : "");
	}
	close_block(e, arena_printf(e->arena, "} %s_totals;", e->prefix));
	write_blank(e);
}

static void write_work(struct emitter *e, const char *suffix, const struct space *space, const char *about)
{
	write_comment(e, about);
	open_block(e, "typedef %s %s_%s {", space->overlaid ? "union" : "struct", e->prefix, suffix);
	if (space->reals)
		write_line(e, "%s real[%lld];", e->real, (long long)space->reals);
	if (space->integers)
		write_line(e, "int32_t whole[%lld];%s", (long long)space->integers,
			   space->overlaid ? " /* each call has its own behind its reals */" : "");
	if (!space->reals && !space->integers)
		write_line(e, "char none;");
	close_block(e, arena_printf(e->arena, "} %s_%s;", e->prefix, suffix));
	write_blank(e);
}

/* What a sequence that is gone through step by step needs from one step to the next. */
static void write_stream(struct emitter *e)
{
	const struct stream *stream = e->p->stream;

	if (stream->refused)
		write_comment(e, arena_printf(e->arena, "There is no %s_stream_step: %s.", e->prefix, stream->refused));
	if (stream->refused)
		write_blank(e);
	if (!writes_call(e, CALL_STREAM))
		return;
	write_comment(
		e, "Where a sequence stands that is gone through step by step; one for each sequence. All of it is 0 "
		   "before the first step.");
	open_block(e, "typedef struct %s_stream {", e->prefix);
	for (int i = 0; i < stream->kept.n; i++) {
		const struct tensor *t = stream->kept.item[i];

		write_line(e, "%s %s%s;", elem_type(e, t->elem), layout_of(t)->c_name, field_shape(e, t, t->batched));
	}
	if (!stream->kept.n)
		write_line(e, "char none;");
	close_block(e, arena_printf(e->arena, "} %s_stream;", e->prefix));
	write_blank(e);
}

void write_structs(struct emitter *e)
{
	write_params(e);
	write_state(e);
	write_totals(e);
	write_work(e, "work", &e->p->work, "Scratch for one call in flight; it means nothing between calls.");
	if (has_work1(e->p))
		write_work(e, "work1", &e->p->work1,
			   !e->p->call[CALL_FORWARD1].present ? "The same for stream_step."
			   : e->p->stream->present	      ? "The same for forward1 and stream_step."
							      : "The same for forward1.");
	write_stream(e);
}
