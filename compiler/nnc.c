/* nnc.c - the public API: the pipeline, the handle that owns it, and the one place that memory running out leads to.
 *
 * A handle is a context, whose arena holds everything, and the graph. Each public call sets the arena's way out
 * once; whatever runs out of memory below lands there and becomes NULL. */
#include "nnc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "emit.h"
#include "graph.h"
#include "include.h"
#include "library.h"
#include "name.h"
#include "summary.h"
#include "syntax.h"

struct nnc_model {
	struct context ctx;
	nnc_options host;    /* as the caller gave them */
	nnc_options options; /* what the passes see: callbacks of this file, and a prefix */
	struct includes includes;
	struct graph *graph;
	LIST(const char *) loss_names;
	const char *dump;
	const char *header, *header_text; /* of the C that was emitted last: its name and text */
	struct emitter *parts;		  /* of the code in process, if nothing else was emitted since */
};

/* ---- the pipeline ---- */

/* After each pass: the dump that was asked for, and the check. */
static bool passed(nnc_model *m, const char *pass)
{
	struct context *ctx = &m->ctx;
	if (ctx->errors || !m->graph)
		return false;
	if (m->host.dump && strcmp(m->host.dump, pass) == 0) {
		struct text text = {.arena = &ctx->arena};
		print_graph(m->graph, &text);
		m->dump = text.at ? text.at : "";
	}
	const char *broken = m->host.verify ? verify(m->graph) : NULL;
	if (broken)
		report_error(ctx, (struct span){0}, "internal error after %s: %s", pass, broken);
	return !broken;
}

static bool run_passes(nnc_model *m, const struct source *src)
{
	const struct node *tree = parse_source(&m->ctx, src);
	if (!tree)
		return false;
	m->graph = elaborate(&m->ctx, tree, src);
	if (!passed(m, "elaborate"))
		return false;
	for (int i = 0; i < m->graph->goals.n; i++)
		list_add(&m->ctx.arena, &m->loss_names, m->graph->goals.item[i].name);
	if (m->host.check_loss > 0 && m->host.check_loss <= m->loss_names.n)
		prepare_check(m->graph, m->host.check_loss - 1);
	/* the text of a graph may hold the chain rule's equations already */
	if (m->graph->loss && !m->host.inference_only && !m->graph->part[PART_BACKWARD].n)
		differentiate_loss(m->graph);
	if (!passed(m, "differentiate"))
		return false;
	if (!m->host.no_simplify)
		simplify(m->graph);
	if (!passed(m, "simplify"))
		return false;
	fit_memory(m->graph);
	return passed(m, "fit");
}

/* ---- handles ---- */

static void report_out_of_memory(const nnc_options *host)
{
	nnc_message message = {.severity = NNC_ERROR, .text = "out of memory"};
	if (host->out_of_memory)
		*host->out_of_memory = true;
	if (host->report)
		host->report(host->user, &message);
}

static void forward_report(void *user, const nnc_message *message)
{
	const nnc_model *m = user;
	m->host.report(m->host.user, message);
}

/* A handle without a model. */
static nnc_model *make_handle(const nnc_options *host)
{
	static const nnc_options defaults;
	if (!host)
		host = &defaults;
	allocate_fn *allocate = host->allocate ? host->allocate : allocate_from_c_library;
	nnc_model *m = allocate(host->user, NULL, sizeof *m);
	if (!m) {
		report_out_of_memory(host);
		return NULL;
	}
	*m = (nnc_model){.host = *host, .options = *host};
	m->options.report = host->report ? forward_report : NULL;
	m->options.user = m;
	m->ctx.options = &m->options;
	arena_init(&m->ctx.arena, allocate, host->user);
	m->includes.arena = &m->ctx.arena;
	m->includes.host = &m->host;
	m->ctx.includes = &m->includes;
	return m;
}

void nnc_free(nnc_model *m)
{
	if (!m)
		return;
	allocate_fn *allocate = m->ctx.arena.allocate;
	void *user = m->host.user;
	arena_free(&m->ctx.arena);
	allocate(user, m, 0);
}

/* Call work with a way out; false: memory ran out. */
static bool run_guarded(nnc_model *m, void (*work)(nnc_model *m, void *argument), void *argument)
{
	jmp_buf unwind;
	bool outer = m->ctx.arena.unwind == NULL;
	assert(outer);
	(void)outer;
	m->ctx.arena.unwind = &unwind;
	bool done = setjmp(unwind) == 0;
	if (done)
		work(m, argument);
	else
		report_out_of_memory(&m->host);
	m->ctx.arena.unwind = NULL;
	return done;
}

/* ---- compile ---- */

struct compile_request {
	const char *name, *text;
	size_t size;
	bool ok;
};

/* The report of many errors ends here (report_error dropped the rest). */
static void report_dropped(nnc_model *m)
{
	int dropped = m->ctx.distinct - NNC_MAX_ERRORS;
	nnc_message message = {.severity = NNC_NOTE};
	if (dropped <= 0 || !m->host.report)
		return;
	message.text =
		arena_printf(&m->ctx.arena, "%d more error%s not shown%s", dropped, dropped == 1 ? " is" : "s are",
			     m->ctx.distinct >= ENOUGH_ERRORS ? ", and the rest of the text is not looked at" : "");
	m->host.report(m->host.user, &message);
}

static void compile(nnc_model *m, void *argument)
{
	struct compile_request *request = argument;
	struct arena *arena = &m->ctx.arena;
	m->options.prefix = m->host.prefix ? m->host.prefix : prefix_of_file(arena, request->name);
	struct source *src = add_source(&m->ctx, request->name, request->text, request->size, false);
	request->ok = m->ctx.errors == 0 && run_passes(m, src) && m->ctx.errors == 0;
	report_dropped(m);
}

nnc_model *nnc_compile(const char *name, const char *text, size_t size, const nnc_options *options)
{
	struct compile_request request = {.name = name, .text = text, .size = size};
	nnc_model *m = make_handle(options);
	if (m && run_guarded(m, compile, &request) && request.ok)
		return m;
	nnc_free(m);
	return NULL;
}

nnc_model *nnc_library(const nnc_options *options) { return make_handle(options); }

/* ---- views ---- */

struct view_request {
	const char *text; /* header's name, or definition's */
	const void *weights, *state;
	const nnc_tiles *tiles;
	unsigned functions;
	const char *result;
	const struct nn_model *descriptor;
};

/* Run work, which sets request->result. */
static const char *view(nnc_model *m, void (*work)(nnc_model *m, void *argument), struct view_request request)
{
	return run_guarded(m, work, &request) ? request.result : NULL;
}

static void view_graph(nnc_model *m, void *argument)
{
	struct text text = {.arena = &m->ctx.arena};
	print_graph(m->graph, &text);
	((struct view_request *)argument)->result = text.at ? text.at : "";
}

static void view_dot(nnc_model *m, void *argument)
{
	struct text text = {.arena = &m->ctx.arena};
	print_dot(m->graph, &text);
	((struct view_request *)argument)->result = text.at ? text.at : "";
}

static void view_summary(nnc_model *m, void *argument)
{
	m->parts = NULL; /* it schedules as well */
	((struct view_request *)argument)->result = summary_text(m->graph);
}

static void view_c(nnc_model *m, void *argument)
{
	struct view_request *request = argument;
	m->header = request->text ? arena_copy(&m->ctx.arena, request->text, strlen(request->text)) : NULL;
	m->header_text = NULL;
	m->parts = NULL;
	request->result = emit_text(m->graph, &(struct emit_options){.header = request->text,
								     .weights = request->weights,
								     .state = request->state,
								     .header_text = &m->header_text});
}

static void view_in_process(nnc_model *m, void *argument)
{
	struct view_request *request = argument;
	struct emitter *parts = m->parts;
	if (!parts) {
		/* libtcc does not make forward1 much faster than forward, and writing and compiling it takes long */
		struct emit_options *options = arena_alloc(&m->ctx.arena, sizeof *options);
		*options = (struct emit_options){.freestanding = true, .no_forward1 = true, .tiles = request->tiles};
		parts = begin_parts(m->graph, options);
	}
	m->parts = NULL; /* memory may run out in the middle of a part */
	request->result = emit_part(parts, request->functions);
	m->parts = parts;
}

static void view_descriptor(nnc_model *m, void *argument)
{
	((struct view_request *)argument)->descriptor = m->parts ? describe_parts(m->parts) : NULL;
}

static void view_header(nnc_model *m, void *argument)
{
	struct view_request *request = argument;
	bool made = m->header_text && request->text && strcmp(m->header, request->text) == 0;
	m->parts = made ? m->parts : NULL;
	request->result = made ? m->header_text : emit_header(m->graph, request->text);
}

static void view_library(nnc_model *m, void *argument)
{
	struct view_request *request = argument;
	request->result = describe_library(&m->ctx, request->text);
}

const char *nnc_graph_text(nnc_model *m) { return view(m, view_graph, (struct view_request){0}); }
const char *nnc_dot_text(nnc_model *m) { return view(m, view_dot, (struct view_request){0}); }
const char *nnc_dump_text(nnc_model *m) { return m->dump; }
const char *nnc_summary_text(nnc_model *m) { return view(m, view_summary, (struct view_request){0}); }

const char *nnc_emit_c(nnc_model *m, const char *header, const void *weights, const void *state)
{
	return view(m, view_c, (struct view_request){.text = header, .weights = weights, .state = state});
}

const char *nnc_emit_header(nnc_model *m, const char *header)
{
	return view(m, view_header, (struct view_request){.text = header});
}

const char *nnc_emit_in_process(nnc_model *m, const nnc_tiles *tiles, unsigned functions)
{
	return view(m, view_in_process, (struct view_request){.tiles = tiles, .functions = functions});
}

const int32_t *nnc_words(const nnc_model *m, size_t *n)
{
	*n = 0;
	return m->parts ? words_of_part(m->parts, n) : NULL;
}

const int32_t *nnc_maps_in_process(const nnc_model *m, int *n)
{
	*n = 0;
	return m->parts ? maps_of_part(m->parts, n) : NULL;
}

const struct nn_model *nnc_descriptor(nnc_model *m)
{
	struct view_request request = {0};
	return run_guarded(m, view_descriptor, &request) ? request.descriptor : NULL;
}

const struct nn_tile *nnc_tiles_in_process(const nnc_model *m, int *n) { return part_tiles(m->parts, n); }

const char *nnc_library_help(nnc_model *m, const char *name)
{
	return view(m, view_library, (struct view_request){.text = name});
}

const char *nnc_prefix(const nnc_model *m) { return m->graph->name; }

bool nnc_trains(const nnc_model *m) { return graph_trains(m->graph); }

size_t nnc_memory(const nnc_model *m) { return arena_size(&m->ctx.arena); }

const char *nnc_loss_name(const nnc_model *m, int k) { return k < m->loss_names.n ? m->loss_names.item[k] : NULL; }

const char *const *nnc_dependencies(nnc_model *m)
{
	static const char *const none[] = {NULL};
	return m->includes.path.n ? m->includes.path.item : none;
}

const char *nnc_nearest(const char *name, const char *const *names, int n) { return nearest_name(name, names, n); }
