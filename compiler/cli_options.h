/* cli_options.h - what the table of options (cli_options.c) and the reading of their values (cli_values.c) share. */
#ifndef NNC_CLI_OPTIONS_H
#define NNC_CLI_OPTIONS_H

#include "cli.h"

/* Options without a letter, above all letters. */
enum {
	EMIT = 256,
	DUMP,
	PREFIX,
	BATCH,
	REAL,
	UNROLL,
	INFERENCE_ONLY,
	WEIGHTS,
	LOAD,
	FP,
	TARGET,
	RAM,
	VERIFY,
	DATA,
	TEST,
	SCALE,
	EPOCHS,
	STEPS,
	SEED,
	QUIET,
	JIT,
	CACHE,
	AVERAGE,
	THREADS,
	LIMIT,
	HELP,
	VERSION
};

/* Each sets what an option stands for; -1, or after a complaint the exit code. */
int set_letter(struct cli *cli, int letter, const char *value); /* -M and -W, which have words for arguments as gcc's have */
int set_word(struct cli *cli, int id, const char *value);	/* a word of a list */
int set_number(struct cli *cli, int id, const char *value);
int set_weights(struct cli *cli, const char *value);
int set_prefix(struct cli *cli, const char *value);

#endif
