/* emit.c - the order of the generated file.
 *
 * The functions are written first, into a text of their own, since only then is it known which routines, tables and
 * names of libm they use; the file is then put together from its top. */
#include "describe.h"
#include "embed.h"
#include "schedule.h"

#include <string.h>

/* Fields of the structs and tables of constants. */
static void name_fields(struct emitter *e)
{
	const struct program *p = e->p;
	struct scope params = {0}, state = {0}, totals = {0}, stream = {0};

	for (int i = 0; i < p->params.n; i++)
		layout_of(p->params.item[i])->c_name = new_name(e, &params, p->params.item[i]->name);
	use_name(e, &state, "run");
	use_name(e, &state, "scratch");
	use_name(e, &state, "scratch_whole");
	for (int i = 0; i < p->settings.n; i++)
		layout_of(p->settings.item[i])->c_name = new_name(e, &state, p->settings.item[i]->name);
	for (int i = 0; i < p->states.n; i++)
		layout_of(p->states.item[i])->c_name = new_name(e, &state, p->states.item[i]->name);
	for (int i = 0; i < p->stream->kept.n; i++)
		layout_of(p->stream->kept.item[i])->c_name = new_name(e, &stream, p->stream->kept.item[i]->name);
	e->rule_fields = arena_array(e->arena, (size_t)p->rules.n + 1, sizeof *e->rule_fields);
	for (int i = 0; i < p->rules.n; i++)
		e->rule_fields[i] = new_name(e, &state, p->rules.item[i].name);
	use_name(e, &totals, "rows");
	use_name(e, &totals, "rows2");
	for (int i = 0; i < p->totals.n; i++)
		layout_of(p->totals.item[i].tensor)->c_name = new_name(e, &totals, p->totals.item[i].tensor->name);
	for (int i = 0; i < p->tables.n; i++)
		layout_of(p->tables.item[i])->c_name =
			new_name(e, &e->globals, arena_printf(e->arena, "%s_table", p->tables.item[i]->name));
}

const char *rule_field(const struct emitter *e, const char *rule)
{
	for (int i = 0; i < e->p->rules.n; i++)
		if (strcmp(e->p->rules.item[i].name, rule) == 0)
			return e->rule_fields[i];
	return rule;
}

static void reserve_globals(struct emitter *e)
{
	static const char *const types[] = {"params", "grads",	"state", "work",   "work1",
					    "totals", "stream", "model", "weights"};

	for (enum call call = 0; call < CALL_COUNT; call++) {
		use_name(e, &e->globals, arena_printf(e->arena, "%s_%s", e->prefix, call_name(call)));
		use_name(e, &e->globals, arena_printf(e->arena, "any_%s", call_name(call)));
	}
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		use_name(e, &e->globals, arena_printf(e->arena, "%s_%s", e->prefix, types[i]));
	use_name(e, &e->globals, "tensors");
}

struct emitter *begin_parts(struct graph *g, const struct emit_options *options)
{
	struct arena *arena = &g->ctx->arena;
	struct emitter *e = arena_alloc(arena, sizeof *e);

	*e = (struct emitter){
		.g = g, .arena = arena, .options = options, .real_kind = g->ctx->options->real, .calls = ALL_CALLS};
	e->real = e->real_kind == NNC_FLOAT ? "float" : e->real_kind == NNC_DOUBLE ? "double" : "__float128";
	e->suffix = e->real_kind == NNC_FLOAT ? "f" : e->real_kind == NNC_DOUBLE ? "" : "Q";
	e->math_suffix = e->real_kind == NNC_FLOAT ? "f" : e->real_kind == NNC_DOUBLE ? "" : "q";
	e->prefix = g->name;
	e->upper = upper_case(e, g->name);
	e->p = schedule(g, options->tiles);
	if (options->no_forward1)
		e->p->call[CALL_FORWARD1].present = false;
	reserve_globals(e);
	name_fields(e);
	return e;
}

/* ---- the top of the file ---- */

static void write_guards(struct emitter *e)
{
	if (e->g->ctx->options->fp == NNC_FP_STRICT) {
		text_add(e->out,
			 "/* The same bits from every compiler: no multiply and add may be contracted into one. */\n"
			 "#if defined(__clang__)\n"
			 "#pragma STDC FP_CONTRACT OFF\n"
			 "#elif defined(__GNUC__)\n"
			 "#pragma GCC optimize(\"fp-contract=off\")\n"
			 "#endif\n");
	}
	text_printf(
		e->out,
		"/* gcc: a function with many calls is compiled once, not in each of them; no round of a loop keeps values for\n"
		" * the next ones, since registers are few%s. */\n"
		"#if defined(__GNUC__) && !defined(__clang__)\n"
		"#pragma GCC optimize(\"no-inline-small-functions\", \"no-predictive-commoning\"%s)\n"
		"#endif\n",
		e->fast_math ? "; comparisons trap nowhere, so may stand in vectors" : "",
		e->fast_math ? ", \"no-trapping-math\"" : "");
	text_add(e->out, "#ifdef __FAST_MATH__\n"
			 "#error \"-ffast-math changes what this code means, and it gains nothing by it\"\n"
			 "#endif\n");
}

static void write_includes(struct emitter *e)
{
	bool quad = e->real_kind == NNC_QUAD;

	write_line(e, "#include <%s.h>", quad ? "quadmath" : "math");
	if (quad && e->uses_infinity)
		write_line(e, "#include <math.h>");
	if (e->uses_memcpy || e->uses_memset)
		write_line(e, "#include <string.h>");
}

/* What a compiler without any header needs to know. */
static void write_declarations(struct emitter *e)
{
	text_add(e->out, "typedef int int32_t;\n"
			 "typedef unsigned int uint32_t;\n"
			 "typedef unsigned long long uint64_t;\n"
			 "typedef __SIZE_TYPE__ size_t;\n"
			 "typedef __PTRDIFF_TYPE__ ptrdiff_t;\n"
			 "#define NULL ((void *)0)\n");
	if (e->uses_infinity)
		text_add(e->out, "#define INFINITY (1.0f / 0.0f)\n");
	if (e->uses_memcpy)
		text_add(e->out, "void *memcpy(void *to, const void *from, size_t size);\n");
	if (e->uses_memset)
		text_add(e->out, "void *memset(void *at, int value, size_t size);\n");
	for (int i = 0; i < e->libm.entries.n; i++) {
		const struct table_entry *entry = &e->libm.entries.item[i];
		bool two = strcmp(entry->value, "2") == 0;

		write_line(e, two ? "%s %s(%s x, %s y);" : "%s %s(%s x);", e->real, entry->key, e->real, e->real);
	}
	write_blank(e);
}

/* Those that the functions use; others have become literals. */
static void write_tables(struct emitter *e, const char *functions)
{
	for (int i = 0; i < e->p->tables.n; i++) {
		const struct tensor *t = e->p->tables.item[i];
		struct text row = {.arena = e->arena};
		int64_t n = tensor_size(t);

		if (!mentions(functions, layout_of(t)->c_name))
			continue;
		write_blank(e);
		open_block(e, "static const %s %s[%lld] = { /* %s */", elem_type(e, t->elem), layout_of(t)->c_name,
			   (long long)n, shape_text(e, t, false));
		for (int64_t k = 0; k < n; k++)
			text_printf(&row, "%s%s,", k ? " " : "",
				    t->elem == ELEM_REAL ? real_literal(e, t->data[k])
							 : arena_printf(e->arena, "%lld", (long long)t->data[k]));
		write_line(e, "%s", row.n ? row.at : "");
		close_block(e, "};");
	}
}

static const char *header_name(struct emitter *e, const char *header)
{
	return header ? header : arena_printf(e->arena, "%s.h", e->prefix);
}

/* Nothing is left of the part before but names and the schedule. */
static void start_part(struct emitter *e, unsigned functions)
{
	e->calls = functions;
	e->bodies = (struct text){.arena = e->arena};
	e->functions = e->libm = e->strips = (struct table){.arena = e->arena};
	memset(e->helps, 0, sizeof e->helps);
	e->uses_memcpy = e->uses_memset = e->uses_infinity = false;
	e->draws_ahead[DRAW_UNIFORM] = e->draws_ahead[DRAW_NORMAL] = false;
	e->fast_math = 0;
	e->uses_tiles = e->uses_panels = e->uses_adds = e->uses_across = false;
	e->tile_lanes.n = e->tile_shapes.n = 0;
	e->uses_maps = false;
	e->words.n = e->maps.n = 0;
}

static void write_size_check(struct emitter *e)
{
	if (e->real_kind == NNC_QUAD || !e->p->n_param)
		return;
	write_line(e, "\ntypedef char %s_params_has_no_padding[sizeof(%s_params) == %s_NPARAM * sizeof(%s) ? 1 : -1];",
		   e->prefix, e->prefix, e->upper, e->real);
}

const struct nn_tile *part_tiles(const struct emitter *e, int *n)
{
	*n = e->tile_shapes.n;
	return e->tile_shapes.item;
}

const char *emit_part(struct emitter *e, unsigned functions)
{
	const struct emit_options *options = e->options;
	struct text public = {.arena = e->arena}, rest = {.arena = e->arena}, file = {.arena = e->arena};
	struct text header = {.arena = e->arena};
	const char *source = e->g->src ? source_text(e->g->src) : e->g->name;

	if (e->g->ctx->options->unroll == NNC_UNROLL_ALL && e->p->statements > TOTAL_LIMIT) {
		report_error(e->g->ctx, (struct span){0},
			     "--unroll=all would write %.0f multiply-adds and steps one by one; the limit is %d",
			     e->p->statements, (int)TOTAL_LIMIT);
		return NULL;
	}
	start_part(e, functions);
	e->out = &public;
	write_public(e);
	e->out = &rest;
	write_helpers(e);
	write_tables(e, public.at);
	write_weights(e);
	text_add(e->out, e->bodies.n ? e->bodies.at : "");
	text_add(e->out, public.n ? public.at : "");
	write_descriptor(e);

	e->out = &file;
	if (options->freestanding) {
		write_declarations(e);
		write_types(e);
		declare_words(e);
		text_add(&file, rest.n ? rest.at : "");
		return file.at;
	}
	write_comment(e, arena_printf(e->arena,
				      "%s.c - generated by nnc " NNC_VERSION
				      " from %s; edit that, not this. C99, libm only.",
				      e->prefix, source));
	if (options->header)
		write_line(e, "#include \"%s\"", options->header);
	else
		write_header_text(e, header_name(e, NULL));
	write_includes(e);
	write_guards(e);
	write_size_check(e);
	text_add(&file, rest.n ? rest.at : "");
	if (options->header && options->header_text) {
		e->out = &header;
		write_header_text(e, options->header);
		*options->header_text = header.at;
	}
	return file.at;
}

const int32_t *words_of_part(const struct emitter *e, size_t *n)
{
	*n = (size_t)e->words.n;
	return e->words.item;
}

const int32_t *maps_of_part(const struct emitter *e, int *n)
{
	*n = e->maps.n;
	return e->maps.item;
}

const struct nn_model *describe_parts(struct emitter *e)
{
	struct description *d = arena_alloc(e->arena, sizeof *d);

	describe_model(e, d);
	return &d->model;
}

const char *emit_text(struct graph *g, const struct emit_options *options)
{
	struct emit_options with = *options;
	struct graph *embedded = embed_weights(g, &with.weights, &with.state);
	struct emitter *e = begin_parts(embedded, &with);
	const char *text;

	e->computed = embedded != g;
	text = emit_part(e, ALL_CALLS);
	g->next_id = embedded->next_id; /* the expressions are in one table */
	g->walks = embedded->walks;
	return text;
}

const char *emit_header(struct graph *g, const char *header)
{
	struct emit_options options = {.header = header};
	struct emitter *e = begin_parts(g, &options);
	struct text file = {.arena = e->arena};

	e->out = &file;
	write_header_text(e, header_name(e, header));
	return file.at;
}
