/* cli_test.c - the command that runs the examples (#> lines) of definitions: a file's own, or the standard library's.
 *
 * An example `left = right` becomes a small model with two outputs, compiled and run in process in double precision; a
 * tuple on the right becomes an assert; `left error "text"` a model that must be refused with such a message. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "builtin.h"
#include "cli.h"
#include "diagnose.h"
#include "syntax.h"

/* What was reported while one example was tried. */
struct capture {
	char text[512];
	bool any;
};

struct run {
	struct cli *cli;
	struct context *ctx;
	const char *definitions; /* the file's own, before each model */
	int passed, failed;
};

static void capture_message(void *user, const nnc_message *message)
{
	struct capture *c = user;
	if (message->severity != NNC_ERROR || c->any)
		return;
	snprintf(c->text, sizeof c->text, "%s", message->text);
	c->any = true;
}

static void complain(struct run *run, const struct node *example, const char *text)
{
	report_error(run->ctx, example->at, "%s", text);
	run->failed++;
}

static char *source_text(struct run *run, const struct node *n)
{
	return arena_copy(&run->ctx->arena, n->at.src->text + n->at.begin, n->at.end - n->at.begin);
}

/* Values printed as in the language, at most the first eight. */
static const char *values_text(struct run *run, const double *v, size_t n)
{
	struct text t = {.arena = &run->ctx->arena};
	for (size_t i = 0; i < n && i < 8; i++)
		text_printf(&t, "%s%.9g", i ? ", " : n > 1 ? "[" : "", v[i]);
	text_add(&t, n > 8 ? ", ..]" : n > 1 ? "]" : "");
	return t.at;
}

static bool close_enough(double a, double b) { return a == b || fabs(a - b) <= fmax(1e-6, 1e-5 * fabs(b)); }

/* The numbers of both metrics of a model over its rows; one array. */
static double *measure(struct run *run, nnr_model *model)
{
	double *value = arena_array(&run->ctx->arena, (size_t)nnr_metric_count(model), sizeof *value);
	nnr_data *data = NULL;
	nnr_status status = nnr_wrap_data(model, NULL, NULL, nnr_descriptor(model)->batch, &data);
	if (status == NNR_OK)
		status = nnr_evaluate(model, data, NULL, value);
	nnr_free_data(data);
	return status == NNR_OK ? value : NULL;
}

/* Both sides of an example, outputs of a model over its rows or its metrics. */
static void compare_sides(struct run *run, const struct node *example, nnr_model *model, enum nn_kind kind)
{
	const nn_tensor *t[2] = {nnr_tensor(model, kind, 0), nnr_tensor(model, kind, 1)};
	size_t rows = nnr_descriptor(model)->batch, count[2];
	void *out[2];
	double *value[2];
	for (int k = 0; k < 2; k++) {
		count[k] = t[k]->count * (t[k]->batched ? rows : 1);
		out[k] = arena_array(&run->ctx->arena, t[k]->count * rows, sizeof(double));
		value[k] = arena_array(&run->ctx->arena, count[k], sizeof(double));
	}
	double *metric = kind == NN_METRIC ? measure(run, model) : NULL;
	if (kind == NN_METRIC ? !metric : nnr_predict(model, NULL, out, (int64_t)rows) != NNR_OK) {
		complain(run, example, "the example cannot be run");
		return;
	}
	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < count[k]; i++)
			value[k][i] = metric		      ? metric[t[k]->offset + i]
				      : t[k]->elem == NN_REAL ? ((double *)out[k])[i]
							      : ((int32_t *)out[k])[i];
	bool same = count[0] == count[1] && t[0]->rank == t[1]->rank;
	for (int a = 0; same && a < t[0]->rank; a++)
		same = t[0]->dim[a] == t[1]->dim[a];
	for (size_t i = 0; same && i < count[0]; i++)
		same = close_enough(value[0][i], value[1][i]);
	if (same)
		run->passed++;
	else
		complain(run, example,
			 arena_printf(&run->ctx->arena, "the left side is %s, the right %s",
				      values_text(run, value[0], count[0]), values_text(run, value[1], count[1])));
}

/* An example of a formula over a whole set: no output can depend on that, a metric can. */
static bool is_over_data(const struct capture *capture)
{
	return strstr(capture->text, "depends on a total over `data`");
}

static void run_example(struct run *run, const struct node *example)
{
	struct capture capture = {0};
	enum nn_kind kind = NN_OUTPUT;
	nnc_options options = run->cli->options;
	options.report = capture_message;
	options.user = &capture;
	options.real = NNC_DOUBLE;
	const struct node *right = example->n > 1 ? example->kid[1] : NULL;
	const char *left = source_text(run, example->kid[0]);
	bool tuple = right && right->kind == NODE_TUPLE;
	char *text = !right  ? arena_printf(&run->ctx->arena, "%soutput left = %s\n", run->definitions, left)
		     : tuple ? arena_printf(&run->ctx->arena,
					    "%sfound = %s\nassert found == %s, \"the left side is {found}\"\n"
					    "output left = 1.0\n",
					    run->definitions, left, source_text(run, right))
			     : arena_printf(&run->ctx->arena, "%soutput left = %s, right = %s\n", run->definitions,
					    left, source_text(run, right));
	nnr_model *model = nnr_open_text(example->at.src->name, text, strlen(text), &options, NULL);
	if (right && !tuple && !model && is_over_data(&capture)) {
		text = arena_printf(&run->ctx->arena, "%soutput none = 0.0\nmetric left = %s, right = %s\n",
				    run->definitions, left, source_text(run, right));
		kind = NN_METRIC;
		model = nnr_open_text(example->at.src->name, text, strlen(text), &options, NULL);
	}
	if (!right && model)
		complain(run, example, "this should have been an error");
	else if (!right && !strstr(capture.text, example->name))
		complain(run, example, arena_printf(&run->ctx->arena, "another error came: %s", capture.text));
	else if (!right || (tuple && model))
		run->passed++;
	else if (!model)
		complain(run, example, capture.any ? capture.text : "the example does not compile");
	else
		compare_sides(run, example, model, kind);
	nnr_close(model);
}

/* What a file's examples may use: its definitions, constants and includes. */
static const char *collect_definitions(struct run *run, const struct node *tree)
{
	struct text t = {.arena = &run->ctx->arena};
	for (int i = 0; i < tree->n; i++) {
		const struct node *n = tree->kid[i];
		if (n->kind == NODE_DEFINE || n->kind == NODE_INCLUDE ||
		    (n->kind == NODE_DECLARE && !strcmp(n->name, "const")))
			text_printf(&t, "%s\n", source_text(run, n));
	}
	return t.at ? t.at : "";
}

static void run_source(struct run *run, const char *name, const char *text, size_t size, bool builtin)
{
	struct source *src = add_source(run->ctx, name, text, size, builtin);
	const struct node *tree = parse_source(run->ctx, src);
	if (!tree) {
		run->failed++;
		return;
	}
	run->definitions = builtin ? "" : collect_definitions(run, tree);
	for (int i = 0; i < tree->n; i++)
		for (int k = 0; tree->kid[i]->kind == NODE_DEFINE && k < tree->kid[i]->example.n; k++)
			run_example(run, tree->kid[i]->example.item[k]);
}

int run_test(struct cli *cli, const char *text, size_t size)
{
	struct context ctx = {.options = &cli->options};
	struct run run = {.cli = cli, .ctx = &ctx};
	jmp_buf unwind;
	arena_init(&ctx.arena, NULL, NULL);
	ctx.arena.unwind = &unwind;
	if (setjmp(unwind)) {
		arena_free(&ctx.arena);
		return exit_code_of(NNR_MEMORY);
	}
	if (cli->input)
		run_source(&run, cli->input, text, size, false);
	for (int i = 0; !cli->input && i < builtin_source_count; i++)
		run_source(&run, builtin_sources[i].name, builtin_sources[i].text, builtin_sources[i].size, true);
	printf("%d passed, %d failed\n", run.passed, run.failed);
	int code = run.failed ? EXIT_ERRORS : EXIT_OK;
	arena_free(&ctx.arena);
	return code;
}
