/* cli_compile.c - the commands that read a model and write text: C and its header, other views, help. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli.h"
#include "files.h"

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int out_of_memory(void)
{
	fprintf(stderr, "nnc: error: out of memory\n");
	return EXIT_IO;
}

nnc_model *compile_model(struct cli *cli, const char *text, size_t size, int *code)
{
	double start = seconds();
	nnc_model *model = nnc_compile(cli->input, text, size, &cli->options);
	*code = EXIT_ERRORS;
	if (model && cli->messages.errors) {
		nnc_free(model);
		model = NULL;
	}
	print_count(&cli->messages);
	if (model && cli->verbose)
		fprintf(stderr, "nnc %s: %s read in %.1f ms\n", NNC_VERSION, cli->input, 1e3 * (seconds() - start));
	return model;
}

/* ---- names of outputs ---- */

char *output_name(const struct cli *cli, const char *suffix)
{
	const char *slash = strrchr(cli->input, '/'), *base = slash ? slash + 1 : cli->input, *dot = strrchr(base, '.');
	size_t n = dot && dot > base ? (size_t)(dot - base) : strlen(base);
	char *name = malloc(n + strlen(suffix) + 1);
	if (name)
		sprintf(name, "%.*s%s", (int)n, base, suffix);
	return name;
}

/* path with another suffix in place of its .c; NULL: out of memory. */
static char *replace_suffix(const char *path, const char *suffix)
{
	size_t n = strlen(path);
	if (n > 2 && strcmp(path + n - 2, ".c") == 0)
		n -= 2;
	char *name = malloc(n + strlen(suffix) + 1);
	if (name)
		sprintf(name, "%.*s%s", (int)n, path, suffix);
	return name;
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat left, right;
	return stat(a, &left) == 0 && stat(b, &right) == 0 && left.st_dev == right.st_dev &&
	       left.st_ino == right.st_ino;
}

int check_replaces(const struct cli *cli, const char *path)
{
	if (is_same_file(path, cli->input))
		return usage_error("the output would replace the model, %s", cli->input);
	for (int i = 0; i < 2; i++) {
		const char *data = i ? cli->test : cli->data;
		if (data && is_same_file(path, data))
			return usage_error("the output would replace the data, %s", data);
	}
	return EXIT_OK;
}

/* Whether path is a place to write to that is no file: a pipe, a terminal, /dev/null. */
static bool is_stream(const char *path)
{
	struct stat about;
	return stat(path, &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode);
}

/* ---- writing ---- */

int write_text(struct cli *cli, const char *text)
{
	struct host host;
	struct new_file file;
	if (!cli->output || strcmp(cli->output, "-") == 0) {
		fputs(text, stdout);
		return EXIT_OK;
	}
	host_init(&host, &cli->options);
	if (check_replaces(cli, cli->output) != EXIT_OK)
		return EXIT_USAGE;
	nnr_status status = create_file(&host, cli->output, &file);
	if (status == NNR_OK) {
		fputs(text, file.stream);
		status = commit_file(&host, &file, false);
	}
	return exit_code_of(status);
}

/* A name in a make rule. */
static void write_make_name(FILE *stream, const char *name)
{
	for (; *name; name++) {
		if (*name == ' ' || *name == '#' || *name == '\\')
			fputc('\\', stream);
		if (*name == '$')
			fputc('$', stream);
		fputc(*name, stream);
	}
}

static void write_make_rule(FILE *stream, const char *c, const char *header, const char *input,
			    const char *const *dependencies)
{
	write_make_name(stream, c);
	fputc(' ', stream);
	write_make_name(stream, header);
	fputs(": ", stream);
	write_make_name(stream, input);
	for (; *dependencies; dependencies++) {
		fputs(" \\\n ", stream);
		write_make_name(stream, *dependencies);
	}
	fputc('\n', stream);
}

/* The files that a compile to C writes; all of them or none. */
enum { FILE_C, FILE_HEADER, FILE_RULE, FILES };

struct outputs {
	char *name[FILES]; /* NULL: not written */
	struct new_file file[FILES];
};

static nnr_status write_outputs(struct cli *cli, nnc_model *model, struct outputs *out, const char *c,
				const char *header_text)
{
	struct host host;
	nnr_status status = NNR_OK;
	host_init(&host, &cli->options);
	for (int k = 0; k < FILES && status == NNR_OK; k++)
		if (out->name[k])
			status = create_file(&host, out->name[k], &out->file[k]);
	if (status == NNR_OK) {
		fputs(c, out->file[FILE_C].stream);
		fputs(header_text, out->file[FILE_HEADER].stream);
		if (out->name[FILE_RULE])
			write_make_rule(out->file[FILE_RULE].stream, out->name[FILE_C], out->name[FILE_HEADER],
					cli->input, nnc_dependencies(model));
	}
	for (int k = 0; k < FILES && status == NNR_OK; k++)
		if (out->name[k])
			status = commit_file(&host, &out->file[k], false);
	for (int k = 0; k < FILES; k++)
		discard_file(&host, &out->file[k]);
	return status;
}

/* The C file; weights: the model that holds those to embed, or NULL. */
static const char *emit_with(nnc_model *model, const char *header, nnr_model *weights)
{
	return nnc_emit_c(model, header, weights ? nnr_params(weights) : NULL, weights ? nnr_state(weights) : NULL);
}

static int write_pair(struct cli *cli, nnc_model *model, const char *path, nnr_model *weights)
{
	struct outputs out = {{replace_suffix(path, ".c"), replace_suffix(path, ".h"),
			       cli->dependencies ? replace_suffix(path, ".d") : NULL},
			      {{0}}};
	/* "-o net" means that very file, with net.h beside it */
	if (out.name[FILE_C])
		out.name[FILE_C][strlen(path)] = 0;
	int code;
	if (!out.name[FILE_C] || !out.name[FILE_HEADER] || (cli->dependencies && !out.name[FILE_RULE]))
		code = out_of_memory();
	else if (strlen(path) > 2 && strcmp(path + strlen(path) - 2, ".h") == 0)
		code = usage_error("-o takes the name of the C file; its header is written beside it");
	else if (check_replaces(cli, out.name[FILE_C]) || check_replaces(cli, out.name[FILE_HEADER]))
		code = EXIT_USAGE;
	else {
		const char *slash = strrchr(out.name[FILE_HEADER], '/');
		const char *include = slash ? slash + 1 : out.name[FILE_HEADER];
		const char *c = emit_with(model, include, weights), *header = nnc_emit_header(model, include);
		code = c && header ? exit_code_of(write_outputs(cli, model, &out, c, header)) : EXIT_ERRORS;
	}
	for (int k = 0; k < FILES; k++)
		free(out.name[k]);
	return code;
}

/* C to the output that was asked for, or a pair of files of the model's name. */
static int write_c(struct cli *cli, nnc_model *model, nnr_model *weights)
{
	if (cli->output && (strcmp(cli->output, "-") == 0 || is_stream(cli->output))) {
		const char *c = emit_with(model, NULL, weights);
		return c ? write_text(cli, c) : EXIT_ERRORS;
	}
	char *name = cli->output ? NULL : output_name(cli, ".c");
	if (!cli->output && !name)
		return out_of_memory();
	int code = write_pair(cli, model, cli->output ? cli->output : name, weights);
	free(name);
	return code;
}

/* The same, with the params of a weights file, which the model in process reads. */
static int write_with_weights(struct cli *cli, nnc_model *model, const char *text, size_t size)
{
	nnr_status status;
	nnc_options options = cli->options;
	options.ram = 0;		  /* code in this process need not fit */
	options.inference_only = false;	  /* averages are the optimiser's */
	cli->messages.no_warnings = true; /* they were given when `model` was compiled */
	nnr_model *running = nnr_open_text(cli->input, text, size, &options, &status);
	cli->messages.no_warnings = false;
	if (running)
		status = nnr_load(running, cli->load);
	int code = exit_code_of(status);
	if (status == NNR_OK)
		nnr_average(running);
	if (status == NNR_OK)
		code = write_c(cli, model, running);
	nnr_close(running);
	return code;
}

int run_compile(struct cli *cli, const char *text, size_t size)
{
	int code;
	const char *view = NULL;
	nnc_model *model = compile_model(cli, text, size, &code);
	if (!model)
		return code;
	if (cli->options.dump)
		view = nnc_dump_text(model);
	else if (cli->emit == EMIT_GRAPH)
		view = nnc_graph_text(model);
	else if (cli->emit == EMIT_DOT)
		view = nnc_dot_text(model);
	if (cli->options.dump || cli->emit != EMIT_C)
		code = view ? write_text(cli, view) : EXIT_ERRORS;
	else if (cli->embed)
		code = write_with_weights(cli, model, text, size);
	else
		code = write_c(cli, model, NULL);
	nnc_free(model);
	return code;
}

int run_summary(struct cli *cli, const char *text, size_t size)
{
	int code;
	nnc_model *model = compile_model(cli, text, size, &code);
	if (!model)
		return code;
	const char *summary = nnc_summary_text(model);
	code = summary ? write_text(cli, summary) : EXIT_ERRORS;
	nnc_free(model);
	return code;
}

int run_library_help(const char *name)
{
	struct messages messages = {0};
	nnc_options options = {.report = print_message, .user = &messages};
	start_messages(&messages);
	nnc_model *library = nnc_library(&options);
	const char *help = library ? nnc_library_help(library, name) : NULL;
	if (help)
		fputs(help, stdout);
	nnc_free(library);
	return help ? EXIT_OK : EXIT_USAGE;
}
