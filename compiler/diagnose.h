/* diagnose.h - source texts, places in them, and messages about them. */
#ifndef NNC_DIAGNOSE_H
#define NNC_DIAGNOSE_H

#include "memory.h"
#include "nnc.h"

struct line_table;

/* Bytes [begin, end) of a source. Also Bison's location type. src NULL: no place. */
struct span {
	const struct source *src;
	uint32_t begin, end;
};

/* A text that was read: a file, the library built in, or a string from the host. */
struct source {
	const char *name; /* as shown in messages, e.g. "mnist.nn" or "std/linear.nn" */
	const char *text; /* size bytes and a 0 */
	size_t size;
	bool builtin; /* part of the standard library */
	struct span included_at;
	struct line_table *lines; /* where each line starts; found when first asked for */
};

struct reported {
	struct span at;
	const char *text;
};

/* State of one compile that every pass shares. */
struct context {
	struct arena arena;
	const nnc_options *options;
	struct includes *includes;	/* NULL: `include` finds nothing */
	int errors, warnings;		/* reported so far, repetitions counted */
	int distinct;			/* errors without repetitions; those beyond NNC_MAX_ERRORS are not shown */
	bool muted;			/* the last message was not shown, so its notes are not either */
	LIST(struct reported) reported; /* errors and warnings that were shown */
};
enum { NNC_MAX_ERRORS = 20, ENOUGH_ERRORS = 1000 /* the rest of the text is not looked at */ };

bool is_within(struct span inner, struct span outer);
/* A text to compile. It is copied, but for one that is built in; so is the name. */
struct source *add_source(struct context *ctx, const char *name, const char *text, size_t size, bool builtin);
/* Line and column of a byte, both from 1; the column counts characters (UTF-8), tabs count 1. */
void find_place(const struct source *src, uint32_t byte, int *line, int *column);
/* The first byte of a line, from 1, that exists. */
uint32_t line_begin(const struct source *src, int line);

/* Report to options->report. The message is one sentence without a final period. A note belongs to the
 * error or warning before it. Messages past the 20th error are dropped, with their notes, and so is what was said of
 * the same place before: a definition is gone through once for each of its calls. */
void report_error(struct context *ctx, struct span at, const char *format, ...) __attribute__((format(printf, 3, 4)));
void report_note(struct context *ctx, struct span at, const char *format, ...) __attribute__((format(printf, 3, 4)));
void report_warning(struct context *ctx, struct span at, const char *group, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The nearest of n names (at most 2 edits, or a third of its length) or NULL. */
const char *nearest_name(const char *name, const char *const *names, int n);

#endif
