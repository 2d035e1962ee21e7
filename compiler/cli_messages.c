/* cli_messages.c - messages as gcc prints them:
 *
 *   net.nn:3:9: error: shapes [64] and [10] do not agree
 *       3 | y = x + b
 *         |     ~~^~~
 * The caret stands under the first character, tildes under the rest of the range. Tabs are repeated in the line of the
 * caret, so that it stands right whatever the terminal makes of them; characters of other widths are counted as such;
 * bytes that are no text are shown as ?. Of a long line only the part around the caret is shown. */
#define _POSIX_C_SOURCE 200809L
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

void start_messages(struct messages *messages)
{
	const char *term = getenv("TERM");
	messages->colour = isatty(STDERR_FILENO) && !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;
}

static const char *bold(const struct messages *m) { return m->colour ? "\033[1m" : ""; }
static const char *plain(const struct messages *m) { return m->colour ? "\033[m" : ""; }

/* ---- one character of UTF-8 ---- */

struct character {
	const char *at;
	int size, width; /* bytes, columns of a terminal; width 0 too for a mark that combines */
	bool valid;
};

/* Columns of a code point: East Asian wide ones and pictures take two, combining marks none. */
static int width_of(unsigned long code)
{
	static const struct {
		unsigned long first, last;
		int width;
	} range[] = {
		{0x300, 0x36f, 0},   {0x1100, 0x115f, 2}, {0x200b, 0x200f, 0},	 {0x2e80, 0xa4cf, 2},
		{0xac00, 0xd7a3, 2}, {0xf900, 0xfaff, 2}, {0xfe00, 0xfe0f, 0},	 {0xfe30, 0xfe6f, 2},
		{0xff00, 0xff60, 2}, {0xffe0, 0xffe6, 2}, {0x1f300, 0x1faff, 2}, {0x20000, 0x3fffd, 2},
	};
	for (size_t i = 0; i < sizeof range / sizeof range[0]; i++)
		if (code >= range[i].first && code <= range[i].last)
			return range[i].width;
	return 1;
}

/* A byte that begins a character, and the continuation bytes behind it, as columns are counted in messages. */
static struct character next_character(const char *at)
{
	unsigned char lead = (unsigned char)*at;
	struct character c = {.at = at, .size = 1, .width = 1};
	int expected = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
	unsigned long code = expected > 1 ? lead & (0x7fu >> expected) : lead;
	while (((unsigned char)at[c.size] & 0xc0) == 0x80)
		code = code << 6 | (at[c.size++] & 0x3f);
	c.valid = c.size == expected && (lead >= 0x20 || lead == '\t') && lead != 0x7f && (code < 0x80 || code >= 0xa0);
	if (c.valid && expected > 1)
		c.width = width_of(code);
	return c;
}

/* ---- the line with the caret ---- */

enum { MOST_COLUMNS = 160, COLUMNS_BEFORE = 100 };

/* Skip so many characters that the caret is shown; returns how many. */
static int find_start(const char *line, int column)
{
	int characters = 0;
	for (const char *at = line; *at; at += next_character(at).size)
		characters++;
	if (characters <= MOST_COLUMNS || column <= COLUMNS_BEFORE)
		return 0;
	return column - 1 - COLUMNS_BEFORE;
}

static void print_source_line(const struct messages *m, const nnc_message *message)
{
	const char *line = message->source_line, *cut = "...";
	int start = find_start(line, message->column), k = 0;
	const char *at = line, *from, *to;
	for (; k < start && *at; k++)
		at += next_character(at).size;
	from = at;
	fprintf(stderr, "%5d | %s", message->line, start ? cut : "");
	for (; *at && k < start + MOST_COLUMNS; k++) {
		struct character c = next_character(at);
		fprintf(stderr, "%.*s", c.valid ? c.size : 1, c.valid ? c.at : "?");
		at += c.size;
	}
	to = at;
	fprintf(stderr, "%s\n      | %*s", *at ? cut : "", start ? (int)strlen(cut) : 0, "");
	k = start;
	fputs(bold(m), stderr);
	for (at = from; at < to && k + 1 < message->column_end; k++) {
		struct character c = next_character(at);
		at += c.size;
		bool before = k + 1 < message->column, first = k + 1 == message->column;
		if (before && *c.at == '\t')
			fputc('\t', stderr);
		else
			for (int i = 0; i < c.width || (first && i == 0); i++)
				fputc(before ? ' ' : first && i == 0 ? '^' : '~', stderr);
	}
	if (k + 1 <= message->column) /* the place is the end of the line */
		fputc('^', stderr);
	fprintf(stderr, "%s\n", plain(m));
}

/* ---- messages ---- */

/* What the last -W word about a group says: of NAME and no-NAME whether it is shown, of error=NAME and no-error=NAME
 * whether it is an error. error alone is about all groups; without a word it is `on`. */
static bool is_on(const struct messages *m, bool errors, const char *group, bool on)
{
	for (int i = 0; i < m->n_group; i++) {
		bool no = strncmp(m->group[i], "no-", 3) == 0;
		const char *word = m->group[i] + (no ? 3 : 0);
		bool about_errors = strncmp(word, "error", 5) == 0 && (word[5] == 0 || word[5] == '=');
		if (about_errors != errors)
			continue;
		if (about_errors)
			word = word[5] ? word + 6 : "all";
		if (strcmp(word, "all") == 0 || strcmp(word, group) == 0)
			on = !no;
	}
	return on;
}

void print_message(void *user, const nnc_message *message)
{
	static const char *const word[] = {"error", "warning", "note"};
	static const char *const colour[] = {"\033[1;31m", "\033[1;35m", "\033[1;36m"};
	struct messages *m = user;
	enum nnc_severity severity = message->severity;
	if (severity == NNC_NOTE) {
		if (m->dropped)
			return;
	} else {
		const char *group = message->group ? message->group : "";
		m->dropped = severity == NNC_WARNING && (m->no_warnings || !is_on(m, false, group, true));
		if (m->dropped)
			return;
		if (severity == NNC_WARNING && is_on(m, true, group, false))
			severity = NNC_ERROR;
		m->errors += severity == NNC_ERROR;
		m->warnings += severity == NNC_WARNING;
	}
	fflush(stdout);
	fputs(bold(m), stderr);
	if (!message->file)
		fputs(severity == NNC_NOTE ? "" : "nnc: ", stderr); /* a note is about the message before it */
	else if (message->line > 0)
		fprintf(stderr, "%s:%d:%d: ", message->file, message->line, message->column);
	else
		fprintf(stderr, "%s: ", message->file);
	fprintf(stderr, "%s%s%s: ", m->colour ? colour[severity] : "", word[severity], plain(m));
	fprintf(stderr, "%s%s%s", bold(m), message->text, plain(m));
	if (message->group)
		fprintf(stderr, " [-W%s%s]", severity == NNC_ERROR ? "error=" : "", message->group);
	fputc('\n', stderr);
	if (message->line > 0 && message->source_line)
		print_source_line(m, message);
}

void print_count(const struct messages *m)
{
	const char *errors = m->errors == 1 ? "error" : "errors", *warnings = m->warnings == 1 ? "warning" : "warnings";
	if (m->errors && m->warnings)
		fprintf(stderr, "%d %s, %d %s\n", m->errors, errors, m->warnings, warnings);
	else if (m->errors || m->warnings)
		fprintf(stderr, "%d %s\n", m->errors ? m->errors : m->warnings, m->errors ? errors : warnings);
}

int usage_error(const char *format, ...)
{
	va_list args;
	fprintf(stderr, "nnc: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	fprintf(stderr, "\nTry 'nnc --help'.\n");
	va_end(args);
	return EXIT_USAGE;
}

int exit_code_of(nnr_status status)
{
	switch (status) {
	case NNR_OK: return EXIT_OK;
	case NNR_INVALID: return EXIT_ERRORS;
	case NNR_USAGE: return EXIT_USAGE;
	case NNR_IO:
	case NNR_MEMORY: break;
	}
	return EXIT_IO;
}
