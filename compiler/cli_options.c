/* cli_options.c - the command line. One table names every option; parsing, the check that it fits the command, the
 * suggestions for misspelt ones and --help all come from it. */
#define _GNU_SOURCE
#include <getopt.h>
#include <string.h>

#include "cli_options.h"

enum {
	ON_COMPILE = 1 << COMPILE,
	ON_TRAIN = 1 << TRAIN,
	ON_EVAL = 1 << EVAL,
	ON_PREDICT = 1 << PREDICT,
	ON_CHECK = 1 << CHECK,
	ON_SUMMARY = 1 << SUMMARY,
	ON_DATA = ON_TRAIN | ON_EVAL | ON_PREDICT,
	ON_ALL = (1 << COMMANDS) - 1,
};

struct option_row {
	const char *name; /* long name, or NULL */
	int id;		  /* letter, or one of the above */
	int argument;
	int commands;
	const char *shown, *help; /* a help of NULL: the row above explains it too */
};

static const struct option_row table[] = {
	{NULL, 'o', required_argument, ON_ALL, "-o FILE",
	 "write to FILE (and for C its header beside it); - is standard output"},
	{NULL, 'D', required_argument, ON_ALL, "-D NAME=VALUE", "give a const of the model another value"},
	{NULL, 'I', required_argument, ON_ALL, "-I FOLDER", "look for included files there too"},
	{NULL, 'M', required_argument, ON_COMPILE, "-MD", "also write a make rule with the files read, in FILE.d"},
	{NULL, 'W', required_argument, ON_ALL, "-WNAME, -Wno-NAME",
	 "turn a group of warnings on or off: all, example, unreached"},
	{NULL, 0, no_argument, ON_ALL, "-Werror[=NAME]", "make warnings errors; -Wno-error[=NAME] does not"},
	{NULL, 'v', no_argument, ON_ALL, "-v", "say what is done, and how long it takes"},
	{"emit", EMIT, required_argument, ON_COMPILE, "--emit=c|graph|dot",
	 "write C, the graph of equations as text, or Graphviz input"},
	{"dump", DUMP, required_argument, ON_COMPILE, "--dump=PASS",
	 "print the graph after elaborate, differentiate or simplify"},
	{"prefix", PREFIX, required_argument, ON_ALL, "--prefix=NAME", "start every generated name with NAME_"},
	{"batch", BATCH, required_argument, ON_ALL, "--batch=N", "rows of a batch at most"},
	{"real", REAL, required_argument, ON_ALL, "--real=float|double|quad", "type of real numbers"},
	{"unroll", UNROLL, required_argument, ON_ALL, "--unroll=auto|all|none",
	 "which equations are written out without loops"},
	{"fp", FP, required_argument, ON_ALL, "--fp=fast|strict", "strict: the same bits from every compiler"},
	{"target", TARGET, required_argument, ON_COMPILE | ON_SUMMARY, "--target=MACHINE",
	 "C for avx512, avx2, sse2, neon or scalar alone; auto: for all of them"},
	{"ram", RAM, required_argument, ON_COMPILE | ON_SUMMARY, "--ram=BYTES",
	 "params, state and work in no more than so much (4096, 20K, 1M), or say the nearest"},
	{"inference-only", INFERENCE_ONLY, no_argument, ON_COMPILE | ON_SUMMARY, "--inference-only",
	 "leave out everything that trains"},
	{"weights", WEIGHTS, required_argument, ON_COMPILE | ON_DATA, "--weights=none|embed",
	 "embed: the params of --load become constants"},
	{"load", LOAD, required_argument, ON_COMPILE | ON_DATA, "--load FILE",
	 "weights to start from, a safetensors file (--weights FILE too)"},
	{"verify", VERIFY, no_argument, ON_ALL, "--verify", "check the graph after every pass"},
	{"data", DATA, required_argument, ON_DATA, "--data FILES",
	 "CSV, IDX or .txt, plain or .gz, several with commas between; or a folder"},
	{"test", TEST, required_argument, ON_TRAIN, "--test FILES", "data to evaluate after each epoch"},
	{"scale", SCALE, required_argument, ON_DATA, "--scale F", "multiply real inputs by F, a number or A/B (1/255)"},
	{"epochs", EPOCHS, required_argument, ON_TRAIN, "--epochs N",
	 "train until N epochs are done, counting those before --load"},
	{"steps", STEPS, required_argument, ON_TRAIN, "--steps N", "train until N steps are done"},
	{"seed", SEED, required_argument, ON_TRAIN, "--seed N", "initial values, and the order of the rows"},
	{"quiet", QUIET, no_argument, ON_DATA, "--quiet", "no progress"},
	{"jit", JIT, required_argument, ON_DATA, "--jit=tcc|cc|auto",
	 "code at once; by $CC or cc, optimised; or that as soon as it is ready"},
	{"cache", CACHE, required_argument, ON_DATA, "--cache=FOLDER|none",
	 "where code made by a C compiler is kept ($XDG_CACHE_HOME/nnc)"},
	{"average", AVERAGE, no_argument, ON_TRAIN, "--average",
	 "write averaged weights (average= of the train line) in place of the trained ones"},
	{"threads", THREADS, required_argument, ON_COMPILE | ON_SUMMARY | ON_TRAIN, "--threads=N",
	 "train in N threads; in C: with a function for them"},
	{"limit", LIMIT, required_argument, ON_CHECK, "--limit F",
	 "largest error of a gradient, relative to the largest one (1e-5)"},
	{"help", HELP, optional_argument, ON_ALL, "--help[=std|=NAME]",
	 "this text; the standard library; one definition of it"},
	{"version", VERSION, no_argument, ON_ALL, "--version", "the version"},
};
enum { ROWS = sizeof table / sizeof table[0] };

static const char *const command_names[COMMANDS] = {[TRAIN] = "train", [EVAL] = "eval",	      [PREDICT] = "predict",
						    [CHECK] = "check", [SUMMARY] = "summary", [EXAMPLES] = "test"};

const char *command_name(enum command command) { return command == COMPILE ? "nnc" : command_names[command]; }

static void print_help(void)
{
	static const char *const synopsis[] = {
		"nnc MODEL.nn [-o MODEL.c]                 compile to C (and write MODEL.h)",
		"nnc train MODEL.nn --data D [-o W]        train in process, write the weights",
		"nnc eval MODEL.nn --data D --load W       print loss and metrics",
		"nnc predict MODEL.nn --data D --load W    print the outputs of each row as CSV",
		"nnc check MODEL.nn                        compare every gradient with finite differences",
		"nnc summary MODEL.nn                      print shapes, counts, cost and memory",
		"nnc test [FILE.nn]                        run the examples (#>) of definitions; without FILE the library's",
	};
	for (size_t i = 0; i < sizeof synopsis / sizeof synopsis[0]; i++)
		printf("%s%s\n", i ? "       " : "usage: ", synopsis[i]);
	printf("\noptions:\n");
	for (int i = 0; i < ROWS; i++)
		printf("  %-26s %s\n", table[i].shown, table[i].help);
	printf("\nexit codes: 0 done, 1 errors in the input, 2 wrong usage, 3 files that cannot be read or written\n");
}

static int set_option(struct cli *cli, int id, const char *value)
{
	switch (id) {
	case 'o': cli->output = value; return -1;
	case 'D': cli->define[cli->n_define++] = value; return -1;
	case 'I': cli->include[cli->n_include++] = value; return -1;
	case 'M':
	case 'W': return set_letter(cli, id, value);
	case 'v': cli->verbose = true; return -1;
	case EMIT:
	case DUMP:
	case REAL:
	case UNROLL:
	case JIT:
	case TARGET:
	case FP: return set_word(cli, id, value);
	case BATCH:
	case RAM:
	case EPOCHS:
	case THREADS:
	case STEPS:
	case SEED:
	case SCALE:
	case LIMIT: return set_number(cli, id, value);
	case PREFIX: return set_prefix(cli, value);
	case INFERENCE_ONLY: cli->options.inference_only = true; return -1;
	case WEIGHTS: return set_weights(cli, value);
	case LOAD: cli->load = value; return -1;
	case VERIFY: cli->options.verify = true; return -1;
	case DATA: cli->data = value; return -1;
	case TEST: cli->test = value; return -1;
	case QUIET: cli->quiet = true; return -1;
	case CACHE: cli->options.cache = value; return -1;
	case AVERAGE: cli->average = true; return -1;
	case HELP:
		if (value)
			return run_library_help(strcmp(value, "std") == 0	 ? NULL
						: strncmp(value, "std=", 4) == 0 ? value + 4
										 : value);
		print_help();
		return EXIT_OK;
	default: printf("nnc %s\n", NNC_VERSION); return EXIT_OK;
	}
}

/* ---- the line ---- */

static int unknown_option(const char *argument)
{
	const char *names[ROWS];
	char name[64];
	int n = 0;
	for (int i = 0; i < ROWS; i++)
		if (table[i].name)
			names[n++] = table[i].name;
	if (strncmp(argument, "--", 2) != 0)
		return usage_error("unknown option %s", argument);
	size_t size = strcspn(argument + 2, "=");
	snprintf(name, sizeof name, "%.*s", (int)(size < sizeof name ? size : sizeof name - 1), argument + 2);
	const char *near = nnc_nearest(name, names, n);
	if (near && strcmp(near, name) == 0)
		return usage_error("--%s takes no value", name);
	if (near)
		return usage_error("unknown option --%s; did you mean --%s?", name, near);
	return usage_error("unknown option --%s", name);
}

/* The command, if the first word that is no option names one; *words starts behind it. */
static int find_command(struct cli *cli, char ***words, int n)
{
	if (n == 0)
		return -1;
	const char *word = **words, *near;
	for (int k = COMPILE + 1; k < COMMANDS; k++)
		if (strcmp(word, command_names[k]) == 0) {
			cli->command = (enum command)k;
			++*words;
			return -1;
		}
	bool name_only = !strpbrk(word, "./") && n > 1;
	if (!name_only)
		return -1;
	near = nnc_nearest(word, command_names + 1, COMMANDS - 1);
	if (near)
		return usage_error("unknown command '%s'; did you mean '%s'?", word, near);
	return usage_error("unknown command '%s'", word);
}

/* The options of getopt_long; at most ROWS and a zero. Returns the letters. */
static void list_options(char *letters, struct option *options)
{
	*letters++ = ':'; /* tell a missing argument from an unknown option */
	for (int i = 0; i < ROWS; i++)
		if (table[i].name)
			*options++ = (struct option){table[i].name, table[i].argument, NULL, table[i].id};
		else if (table[i].id) {
			*letters++ = (char)table[i].id;
			if (table[i].argument == required_argument)
				*letters++ = ':';
		}
	*letters = 0;
	*options = (struct option){0};
}

static const struct option_row *row_of(int id)
{
	int i = 0;
	while (table[i].id != id)
		i++;
	return &table[i];
}

/* What depends on several options at once. */
static int check_together(const struct cli *cli)
{
	bool runs = cli->command == TRAIN || cli->command == EVAL || cli->command == PREDICT;
	if ((cli->command == EVAL || cli->command == PREDICT) && !cli->load)
		return usage_error("nnc %s needs the weights: --load FILE", command_name(cli->command));
	if (runs && cli->options.real == NNC_QUAD)
		return usage_error("--real=quad is for generated C only: in process there are float and double");
	if (cli->embed != (cli->command == COMPILE && cli->load != NULL))
		return usage_error("--weights=embed and --load FILE go together");
	if (cli->embed && cli->options.real == NNC_QUAD)
		return usage_error("--weights=embed is for float and double");
	if (cli->dependencies && (cli->emit != EMIT_C || (cli->output && strcmp(cli->output, "-") == 0)))
		return usage_error("-MD needs C in a file: -o FILE");
	return -1;
}

static int parse_words(struct cli *cli, char **words, int n)
{
	if (n == 0 && cli->command == EXAMPLES)
		return -1;
	if (n == 0)
		return usage_error("no model given");
	if (n > 1)
		return usage_error("one model expected, %d given: '%s' and '%s'", n, words[0], words[1]);
	cli->input = words[0];
	return -1;
}

int parse_options(int argc, char **argv, struct cli *cli)
{
	char letters[2 * ROWS + 2];
	struct option options[ROWS + 1];
	char **words;
	int id, code;
	list_options(letters, options);
	/* the command first, since what an option means may depend on it; the first pass only sorts words to the end */
	opterr = 0;
	while ((id = getopt_long(argc, argv, letters, options, NULL)) != -1)
		if (id == ':')
			return usage_error("%s needs an argument", argv[optind - 1]);
	words = argv + optind;
	int n = argc - optind;
	if ((code = find_command(cli, &words, n)) >= 0)
		return code;
	n = argc - (int)(words - argv);
	optind = 0;
	while ((id = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		if (id == '?')
			return unknown_option(argv[optind - 1]);
		if (!(row_of(id)->commands & 1 << cli->command))
			return usage_error("%s does nothing %s%s", row_of(id)->shown,
					   cli->command == COMPILE ? "when compiling" : "for nnc ",
					   cli->command == COMPILE ? "" : command_name(cli->command));
		if ((code = set_option(cli, id, optarg)) >= 0)
			return code;
	}
	if ((code = parse_words(cli, words, n)) >= 0)
		return code;
	return check_together(cli);
}
