/* diagnose.c - sources with their line starts, and messages on their way to the host.
 *
 * A place is a byte range of a source; it becomes line and column only when a message is sent. Nothing is
 * printed here: the host's callback gets the parts (nnc.h) and lays them out as it likes. */
#include "diagnose.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SOURCE_SIZE = 1 << 28 }; /* byte offsets and the scanner's counters stay far from overflow */

/* Byte offset of each line; start.item[0] is 0. */
struct line_table {
	struct arena *arena;
	LIST(uint32_t) start;
};

struct source *add_source(struct context *ctx, const char *name, const char *text, size_t size, bool builtin)
{
	struct arena *arena = &ctx->arena;
	struct source *src = arena_alloc(arena, sizeof *src);
	bool too_large = size > MAX_SOURCE_SIZE;
	src->name = arena_copy(arena, name, strlen(name));
	src->size = too_large ? 0 : size;
	src->text = builtin ? text : arena_copy(arena, text, src->size);
	src->builtin = builtin;
	src->lines = arena_alloc(arena, sizeof *src->lines);
	src->lines->arena = arena;
	if (too_large)
		report_error(ctx, (struct span){src, 0, 0}, "the file is larger than %d MiB", MAX_SOURCE_SIZE >> 20);
	return src;
}

bool is_within(struct span inner, struct span outer)
{
	return inner.src == outer.src && inner.begin >= outer.begin && inner.end <= outer.end;
}

static const struct line_table *lines_of(const struct source *src)
{
	struct line_table found = *src->lines;
	const char *end = src->text;
	if (found.start.n)
		return src->lines;
	list_add(found.arena, &found.start, 0);
	while ((end = memchr(end, '\n', src->size - (size_t)(end - src->text)))) {
		end++;
		list_add(found.arena, &found.start, (uint32_t)(end - src->text));
	}
	*src->lines = found;
	return src->lines;
}

uint32_t line_begin(const struct source *src, int line) { return lines_of(src)->start.item[line - 1]; }

/* Number, from 0, of the line that holds a byte: the last line that starts at or before it. */
static int find_line(const struct source *src, uint32_t byte)
{
	const struct line_table *lines = lines_of(src);
	int low = 0, high = lines->start.n - 1;
	while (low < high) {
		int middle = low + (high - low + 1) / 2;
		if (lines->start.item[middle] <= byte)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

/* Characters in a range of UTF-8: all bytes but continuation bytes. */
static int count_characters(const char *text, uint32_t begin, uint32_t end)
{
	int n = 0;
	for (uint32_t i = begin; i < end; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

void find_place(const struct source *src, uint32_t byte, int *line, int *column)
{
	if (byte > src->size)
		byte = (uint32_t)src->size;
	int at = find_line(src, byte);
	*line = at + 1;
	*column = count_characters(src->text, line_begin(src, at + 1), byte) + 1;
}

/* Fill in the place of a message: the line's text and the columns; what reaches past the line is clipped. */
static void set_place(struct context *ctx, struct span at, nnc_message *message)
{
	const struct source *src = at.src;
	const struct line_table *lines = lines_of(src);
	message->file = src->name;
	find_place(src, at.begin, &message->line, &message->column);
	uint32_t begin = lines->start.item[message->line - 1];
	uint32_t end = message->line < lines->start.n ? lines->start.item[message->line] - 1 : (uint32_t)src->size;
	if (end > begin && src->text[end - 1] == '\r')
		end--;
	message->source_line = arena_copy(&ctx->arena, src->text + begin, end - begin);
	uint32_t stop = at.end < end ? at.end : end;
	message->column_end = stop > begin ? count_characters(src->text, begin, stop) + 1 : 1;
	if (message->column_end <= message->column)
		message->column_end = message->column + 1;
}

static void send(struct context *ctx, enum nnc_severity severity, struct span at, const char *group, const char *text)
{
	nnc_message message = {.severity = severity, .group = group, .text = text};
	if (at.src)
		set_place(ctx, at, &message);
	ctx->options->report(ctx->options->user, &message);
}

static bool was_reported(const struct context *ctx, struct span at, const char *text)
{
	for (int i = 0; i < ctx->reported.n; i++) {
		const struct reported *r = &ctx->reported.item[i];
		if (r->at.src == at.src && r->at.begin == at.begin && r->at.end == at.end && !strcmp(r->text, text))
			return true;
	}
	return false;
}

/* The way from the model's file to one that it includes, said with the first message about that. */
static void note_include(struct context *ctx, const struct source *src)
{
	for (int i = 0; i < ctx->reported.n; i++)
		if (ctx->reported.item[i].at.src == src)
			return;
	for (; src && src->included_at.src; src = src->included_at.src)
		send(ctx, NNC_NOTE, src->included_at, NULL, "included here");
}

static void report(struct context *ctx, enum nnc_severity severity, struct span at, const char *group,
		   const char *format, va_list args)
{
	struct text text = {.arena = &ctx->arena};
	text_vprintf(&text, format, args);
	if (severity != NNC_NOTE) {
		ctx->muted = was_reported(ctx, at, text.at);
		if (!ctx->muted && severity == NNC_ERROR)
			ctx->muted = ++ctx->distinct > NNC_MAX_ERRORS;
	}
	if (ctx->muted || !ctx->options || !ctx->options->report)
		return;
	send(ctx, severity, at, group, text.at);
	if (severity == NNC_NOTE)
		return;
	note_include(ctx, at.src);
	list_add(&ctx->arena, &ctx->reported, (struct reported){at, text.at});
}

void report_error(struct context *ctx, struct span at, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	ctx->errors++;
	report(ctx, NNC_ERROR, at, NULL, format, args);
	va_end(args);
}

void report_note(struct context *ctx, struct span at, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	report(ctx, NNC_NOTE, at, NULL, format, args);
	va_end(args);
}

void report_warning(struct context *ctx, struct span at, const char *group, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	ctx->warnings++;
	report(ctx, NNC_WARNING, at, group, format, args);
	va_end(args);
}

/* Half edits: another letter case costs 1, everything else (change, insert, delete, swap of neighbours) 2. */
enum { MAX_NAME = 64, HALF = 1, EDIT = 2 };

static int change_cost(char a, char b)
{
	if (a == b)
		return 0;
	return tolower((unsigned char)a) == tolower((unsigned char)b) ? HALF : EDIT;
}

static int least(int a, int b) { return a < b ? a : b; }

/* Edit distance by rows (Damerau's, neighbours swapped once); both names are shorter than MAX_NAME. */
static int name_distance(const char *a, int n, const char *b, int m)
{
	int rows[3][MAX_NAME + 1];
	int *before = rows[0], *last = rows[1], *row = rows[2];
	for (int j = 0; j <= m; j++)
		last[j] = j * EDIT;
	for (int i = 1; i <= n; i++) {
		row[0] = i * EDIT;
		for (int j = 1; j <= m; j++) {
			row[j] =
				least(last[j - 1] + change_cost(a[i - 1], b[j - 1]), least(last[j], row[j - 1]) + EDIT);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + EDIT);
		}
		int *free_row = before;
		before = last;
		last = row;
		row = free_row;
	}
	return last[m];
}

const char *nearest_name(const char *name, const char *const *names, int n)
{
	const char *nearest = NULL;
	size_t size = strlen(name);
	if (size >= MAX_NAME)
		return NULL;
	int length = (int)size;
	/* two edits, or a third of a long name; in short names fewer, so that something of the name is left */
	int limit = length > 6 ? length / 3 * EDIT : length > 1 ? least(length / 2, 2) * EDIT : HALF;
	for (int i = 0; i < n; i++) {
		size_t other = strlen(names[i]);
		if (other >= MAX_NAME)
			continue;
		int distance = name_distance(name, length, names[i], (int)other);
		if (distance <= limit) {
			nearest = names[i];
			limit = distance - 1;
		}
	}
	return nearest;
}
