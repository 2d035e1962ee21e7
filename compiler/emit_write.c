/* emit_write.c - the writer: lines of bounded length, comments, literals. */
#include "emit_parts.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 110, TAB = 8 };

static void indent(struct emitter *e, int depth)
{
	for (int i = 0; i < depth; i++)
		text_add_bytes(e->out, "\t", 1);
}

/* How good a blank is to break a line at: after a comma or a binary operator, rather than elsewhere; never before one.
 */
static int break_quality(const char *text, size_t at)
{
	char before = text[at - 1];

	if (strchr("+-*/<>=!&|?:%", text[at + 1]))
		return 0;
	if (before == ',' || before == ';' || before == '=')
		return 4;
	if (at < 2 || text[at - 2] != ' ')
		return before == '&' || before == '|' ? 3 : 1;
	return before == '?' || before == ':' ? 3 : before == '+' || before == '-' ? 2 : 1;
}

/* Where to break text so that at most room characters stand before; 0: nowhere. */
static size_t break_point(const char *text, size_t room)
{
	size_t best = 0, first = 0;
	int quality = 0;
	bool quoted = false;

	for (size_t i = 1; text[i] && text[i] != '\n' && (i <= room || !first); i++) {
		int here;

		quoted ^= text[i] == '"' && text[i - 1] != '\\';
		here = text[i] != ' ' || quoted ? 0 : break_quality(text, i);
		if (!here)
			continue;
		first = first ? first : i;
		if (i <= room && (here >= quality || (i > 2 * room / 3 && best <= room / 2 && here > 1))) {
			best = i;
			quality = here;
		}
	}
	return best ? best : first;
}

static void count_statement(struct emitter *e)
{
	if (e->blocks.n)
		e->blocks.item[e->blocks.n - 1].statements++;
}

static void write_broken(struct emitter *e, const char *text)
{
	int depth = e->depth;

	count_statement(e);
	for (;;) {
		size_t room = (size_t)(WIDTH - TAB * (depth < 8 ? depth : 8)), at;

		indent(e, depth);
		at = memchr(text, 0, room + 1) ? 0 : break_point(text, room);
		if (!at) {
			text_add(e->out, text);
			text_add(e->out, "\n");
			return;
		}
		text_add_bytes(e->out, text, at);
		text_add(e->out, "\n");
		text += at + 1;
		depth = e->depth + 1;
	}
}

/* It is written where it belongs, and taken back if it is too long. */
static void write_formatted(struct emitter *e, const char *format, va_list args)
{
	struct text *out = e->out;
	size_t room = (size_t)(WIDTH - TAB * (e->depth < 8 ? e->depth : 8)), begin = out->n, text;

	if (!e->options->freestanding) /* in process nobody reads it */
		indent(e, e->depth);
	text = out->n;
	text_vprintf(out, format, args);
	if (out->n - text <= room || e->options->freestanding) {
		text_add_bytes(out, "\n", 1);
		count_statement(e);
		return;
	}
	out->n = begin;
	write_broken(e, arena_copy(e->arena, out->at + text, strlen(out->at + text)));
}

void write_line(struct emitter *e, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_formatted(e, format, args);
	va_end(args);
}

void write_blank(struct emitter *e) { text_add(e->out, "\n"); }

void open_block(struct emitter *e, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_formatted(e, format, args);
	va_end(args);
	list_add(e->arena, &e->blocks, (struct block){.end = e->out->n});
	e->depth++;
}

/* Take " {" from the end of the line that ends at `end`. */
static bool drop_brace(struct text *out, size_t end)
{
	if (end < 4 || memcmp(out->at + end - 3, " {\n", 3) != 0)
		return false;
	memmove(out->at + end - 3, out->at + end - 1, out->n - end + 2);
	out->n -= 2;
	return true;
}

void close_block(struct emitter *e, const char *line)
{
	struct block block = e->blocks.item[--e->blocks.n];

	e->depth--;
	if (block.statements == 1 && strcmp(line, "}") == 0 && drop_brace(e->out, block.end))
		return;
	write_line(e, "%s", line);
	if (e->blocks.n) /* the block is one statement, its last line none */
		e->blocks.item[e->blocks.n - 1].statements--;
}

void reopen_block(struct emitter *e, const char *line)
{
	e->depth--;
	write_line(e, "%s", line);
	e->depth++;
	e->blocks.item[e->blocks.n - 1].end = 0; /* stays in braces */
}

void write_comment(struct emitter *e, const char *text)
{
	if (e->options->freestanding) /* nobody reads it */
		return;
	size_t room = (size_t)(WIDTH - TAB * e->depth - 3), length = strlen(text);
	bool single = !strchr(text, '\n') && length + 3 <= room;

	if (single) {
		write_line(e, "/* %s */", text);
		return;
	}
	for (const char *lead = "/* "; *text; lead = " * ") {
		const char *end = strchr(text, '\n');
		size_t n = end ? (size_t)(end - text) : strlen(text);

		if (n == 0 && *text)
			lead = " *";
		if (n > room) {
			n = room;
			while (n > 0 && text[n] != ' ')
				n--;
			if (n == 0)
				n = strcspn(text, " \n");
		}
		indent(e, e->depth);
		text_add(e->out, lead);
		text_add_bytes(e->out, text, n);
		text += n;
		text += *text == '\n' || *text == ' ';
		text_add(e->out, *text ? "\n" : " */\n");
	}
}

const char *source_text(const struct source *src)
{
	const char *slash = strrchr(src->name, '/');

	return slash && !src->builtin ? slash + 1 : src->name;
}

const char *place_text(struct emitter *e, struct span at)
{
	int line, column;

	if (!at.src)
		return "";
	find_place(at.src, at.begin, &line, &column);
	return arena_printf(e->arena, "%s:%d", source_text(at.src), line);
}

const char *real_literal(struct emitter *e, double value)
{
	struct text text = {.arena = e->arena};

	if (e->real_kind == NNC_FLOAT && fabs(value) > (double)FLT_MAX)
		value = value < 0 ? -INFINITY : INFINITY;
	if (e->real_kind == NNC_FLOAT && fabs(value) < 0.5 * 0x1p-149)
		value = 0;
	if (isinf(value)) {
		e->uses_infinity = true;
		return arena_printf(e->arena, "%s%sINFINITY", value < 0 ? "-" : "",
				    e->real_kind == NNC_FLOAT	 ? ""
				    : e->real_kind == NNC_DOUBLE ? "(double)"
								 : "(__float128)");
	}
	if (isnan(value)) /* 0 x infinity */
		return arena_printf(e->arena, "(0.0%s * %s)", e->suffix, real_literal(e, INFINITY));
	text_add_real(&text, value);
	if (!strpbrk(text.at, ".e"))
		text_add(&text, ".0");
	text_add(&text, e->suffix);
	return text.at;
}

const char *float_literal(struct emitter *e, float value)
{
	struct text text = {.arena = e->arena};
	char digits[32];
	double read = 0;

	if (isinf(value) || isnan(value))
		return real_literal(e, (double)value);
	for (int precision = 1; precision <= 9; precision++) {
		snprintf(digits, sizeof digits, "%.*g", precision, (double)value);
		read = strtod(digits, NULL); /* both in the current locale, so they agree */
		if ((float)read == value)
			break;
	}
	text_add_real(&text, read);
	text_add(&text, strpbrk(text.at, ".e") ? "f" : ".0f");
	return text.at;
}

const char *shape_text(struct emitter *e, const struct tensor *t, bool with_rows)
{
	struct text text = {.arena = e->arena};

	for (int a = 0; a < t->rank; a++)
		if (layout_of(t)->once >> a & 1)
			continue;
		else if (!(a == 0 && t->axis[a].rows))
			text_printf(&text, "[%lld]", (long long)t->axis[a].extent);
		else if (with_rows)
			text_add(&text, "[n]");
	return text.at ? text.at : "";
}
