/* cli_values.c - the values of options: words of a list, numbers, bytes. Each function sets what an option stands for
 * and gives -1, or complains and gives the exit code. */
#include "cli_options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int bad_value(const char *option, const char *value, const char *expected)
{
	return usage_error("%s: '%s' given, %s expected", option, value, expected);
}

/* A whole number from low to high, or false. */
static bool read_integer(const char *text, int64_t low, int64_t high, int64_t *value)
{
	char *end;
	errno = 0;
	long long read = strtoll(text, &end, 10);
	*value = read;
	return *text && !isspace((unsigned char)*text) && !*end && errno == 0 && read >= low && read <= high;
}

static bool read_seed(const char *text, uint64_t *seed)
{
	char *end;
	errno = 0;
	*seed = strtoull(text, &end, 0);
	return isdigit((unsigned char)*text) && !*end && errno == 0;
}

/* "0.5" or "1/255"; positive and finite. */
static bool read_real(const char *text, double *value)
{
	char *end;
	*value = strtod(text, &end);
	if (end != text && *end == '/') {
		const char *below = end + 1;
		double divisor = strtod(below, &end);
		if (end == below)
			return false;
		*value /= divisor;
	}
	return end != text && !*end && *value > 0 && *value < 1e300;
}

/* The place of a word in a list; -1: not there, complained. */
static int read_word(const char *option, const char *text, const char *const *words, int n)
{
	char expected[200];
	size_t size = 0;
	for (int i = 0; i < n; i++) {
		if (strcmp(text, words[i]) == 0)
			return i;
		size += (size_t)snprintf(expected + size, sizeof expected - size, "%s%s",
					 i == 0	     ? ""
					 : i + 1 < n ? ", "
						     : " or ",
					 words[i]);
	}
	bad_value(option, text, expected);
	return -1;
}

static bool is_identifier(const char *text)
{
	static const char *const keyword[] = {
		"auto",	  "break",    "case",	  "char",     "const", "continue", "default", "do",	"double",
		"else",	  "enum",     "extern",	  "float",    "for",   "goto",	   "if",      "inline", "int",
		"long",	  "register", "restrict", "return",   "short", "signed",   "sizeof",  "static", "struct",
		"switch", "typedef",  "union",	  "unsigned", "void",  "volatile", "while",
	};
	for (size_t i = 0; i < sizeof keyword / sizeof keyword[0]; i++)
		if (strcmp(text, keyword[i]) == 0)
			return false;
	if (!isalpha((unsigned char)*text))
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && *text != '_')
			return false;
	return true;
}

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

int set_letter(struct cli *cli, int letter, const char *value)
{
	if (letter == 'M') {
		cli->dependencies = true;
		return strcmp(value, "D") == 0 ? -1 : usage_error("unknown option -M%s; did you mean -MD?", value);
	}
	static const char *const groups[] = {"all", "example", "unreached"};
	const char *group = strncmp(value, "no-", 3) == 0 ? value + 3 : value;
	if (strncmp(group, "error", 5) == 0 && (group[5] == 0 || group[5] == '='))
		group = group[5] ? group + 6 : "all";
	for (int i = 0; i < COUNT(groups); i++)
		if (strcmp(group, groups[i]) == 0) {
			cli->messages.group[cli->messages.n_group++] = value;
			return -1;
		}
	return usage_error("no warnings are called '%s'; there are all, example and unreached", group);
}

int set_word(struct cli *cli, int id, const char *value)
{
	static const char *const emits[] = {"c", "graph", "dot"};
	static const char *const passes[] = {"elaborate", "differentiate", "simplify"};
	static const char *const reals[] = {"float", "double", "quad"};
	static const char *const unrolls[] = {"auto", "all", "none"};
	static const char *const fps[] = {"fast", "strict"};
	static const char *const targets[] = {"auto", "avx512", "avx2", "sse2", "neon", "scalar"};
	static const char *const jits[] = {"tcc", "cc", "auto"};
	int k;
	switch (id) {
	case EMIT: cli->emit = (enum emit)(k = read_word("--emit", value, emits, COUNT(emits))); break;
	case DUMP:
		k = read_word("--dump", value, passes, COUNT(passes));
		cli->options.dump = value;
		break;
	case REAL: cli->options.real = (enum nnc_real)(k = read_word("--real", value, reals, COUNT(reals))); break;
	case UNROLL:
		cli->options.unroll = (enum nnc_unroll)(k = read_word("--unroll", value, unrolls, COUNT(unrolls)));
		break;
	case TARGET:
		cli->options.target = (enum nnc_target)(k = read_word("--target", value, targets, COUNT(targets)));
		break;
	case JIT: cli->options.jit = (enum nnc_jit)(k = read_word("--jit", value, jits, COUNT(jits))); break;
	default: cli->options.fp = (enum nnc_fp)(k = read_word("--fp", value, fps, COUNT(fps))); break;
	}
	return k < 0 ? EXIT_USAGE : -1;
}

/* Bytes, with K or M behind the number for 1024 of them, or as many K. */
static bool read_bytes(const char *text, int64_t *bytes)
{
	char number[24];
	size_t n = strlen(text);
	int shift = n && (text[n - 1] == 'K' || text[n - 1] == 'k')   ? 10
		    : n && (text[n - 1] == 'M' || text[n - 1] == 'm') ? 20
								      : 0;
	snprintf(number, sizeof number, "%.*s", (int)(n - (shift > 0)), text);
	if (n >= sizeof number || !read_integer(number, 1, INT64_MAX >> 20, bytes))
		return false;
	*bytes <<= shift;
	return true;
}

int set_number(struct cli *cli, int id, const char *value)
{
	int64_t n = 0;
	switch (id) {
	case BATCH:
		if (!read_integer(value, 1, 1 << 24, &n))
			return bad_value("--batch", value, "1 to 16777216");
		cli->options.batch = (int)n;
		return -1;
	case RAM:
		return read_bytes(value, &cli->options.ram) ? -1
							    : bad_value("--ram", value, "bytes as 4096, 20K or 1M");
	case EPOCHS:
		if (!read_integer(value, 1, INT32_MAX, &n))
			return bad_value("--epochs", value, "a number from 1");
		cli->epochs = (int)n;
		return -1;
	case THREADS:
		if (!read_integer(value, 1, 1024, &n))
			return bad_value("--threads", value, "1 to 1024");
		cli->options.threads = (int)n;
		return -1;
	case STEPS:
		if (!read_integer(value, 1, INT32_MAX, &cli->steps))
			return bad_value("--steps", value, "a number from 1");
		return -1;
	case SEED:
		cli->seeded = read_seed(value, &cli->seed);
		return cli->seeded ? -1 : bad_value("--seed", value, "a number from 0 to 2^64 - 1");
	case SCALE:
		return read_real(value, &cli->scale) ? -1
						     : bad_value("--scale", value, "a number or a fraction as 1/255");
	default: return read_real(value, &cli->limit) ? -1 : bad_value("--limit", value, "a number above 0");
	}
}

int set_weights(struct cli *cli, const char *value)
{
	if (cli->command != COMPILE)
		cli->load = value;
	else if (strcmp(value, "embed") == 0)
		cli->embed = true;
	else if (strcmp(value, "none") == 0)
		cli->embed = false;
	else
		return bad_value("--weights", value, "none or embed (and --load FILE)");
	return -1;
}

int set_prefix(struct cli *cli, const char *value)
{
	cli->options.prefix = value;
	return is_identifier(value) ? -1 : bad_value("--prefix", value, "a name that C allows");
}
