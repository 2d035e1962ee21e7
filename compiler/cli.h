/* cli.h - what the files of the command line share. */
#ifndef NNC_CLI_H
#define NNC_CLI_H

#include <stdio.h>

#include "nnc.h"
#include "runtime.h"

enum command { COMPILE, TRAIN, EVAL, PREDICT, CHECK, SUMMARY, EXAMPLES, COMMANDS };
enum emit { EMIT_C, EMIT_GRAPH, EMIT_DOT };
enum exit_code { EXIT_OK, EXIT_ERRORS, EXIT_USAGE, EXIT_IO };

/* Messages on their way to standard error. */
struct messages {
	bool colour;
	bool no_warnings;
	const char **group; /* the words of -W in order: "NAME", "no-NAME", "error", "error=NAME" ...; the last that
			       fits counts */
	int n_group;
	bool dropped; /* the last error or warning was dropped, and so are its notes */
	int errors, warnings;
};

struct cli {
	enum command command;
	const char *input, *output; /* output NULL: by the model's name */
	nnc_options options;
	struct messages messages;
	const char **define, **include; /* NULL-terminated; room for argc each */
	int n_define, n_include;
	enum emit emit;
	bool dependencies, embed, verbose, quiet, average;
	const char *data, *test, *load;
	double scale;
	int epochs;
	int64_t steps;
	bool seeded;
	uint64_t seed;
	double limit; /* of check */
};

/* Read the command line. -1: go on; else exit with this code, all has been said. */
int parse_options(int argc, char **argv, struct cli *cli);
const char *command_name(enum command command);

/* Print a message as gcc does; a callback for nnc_options, whose user is the struct messages. */
void print_message(void *user, const nnc_message *message);
void start_messages(struct messages *messages);
/* "2 errors, 1 warning"; nothing if there were none. */
void print_count(const struct messages *messages);
/* A complaint about the command line, to be followed by exit code 2. */
int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The exit code for a status. */
int exit_code_of(nnr_status status);

/* The commands; each gets the model's text and returns the exit code. */
int run_compile(struct cli *cli, const char *text, size_t size);
int run_summary(struct cli *cli, const char *text, size_t size);
int run_check(struct cli *cli, const char *text, size_t size);
int run_train(struct cli *cli, const char *text, size_t size);
int run_eval(struct cli *cli, const char *text, size_t size);
int run_predict(struct cli *cli, const char *text, size_t size);
int run_test(struct cli *cli, const char *text, size_t size); /* without cli->input: the standard library's examples */
int run_library_help(const char *name);

/* Compile; NULL with *code set after errors, or after warnings where they are errors. */
nnc_model *compile_model(struct cli *cli, const char *text, size_t size, int *code);
/* Complain and return EXIT_USAGE if path is the model's file or a data file; else EXIT_OK. */
int check_replaces(const struct cli *cli, const char *path);
/* Write a whole text to cli->output, or to standard output if that is NULL or "-". */
int write_text(struct cli *cli, const char *text);
/* The file name of the model without its folder and suffix, and suffix behind; NULL: out of memory. free() it. */
char *output_name(const struct cli *cli, const char *suffix);

#endif
