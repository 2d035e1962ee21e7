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
		text_add(e->out, "\t");
}

/* Where to break text so that at most room characters stand before: a blank with no operator behind it. */
static size_t break_point(const char *text, size_t room)
{
	size_t best = 0;
	bool quoted = false;

	for (size_t i = 0; text[i] && text[i] != '\n'; i++) {
		quoted ^= text[i] == '"' && (i == 0 || text[i - 1] != '\\');
		if (text[i] != ' ' || quoted || i == 0 || strchr("+-*/<>=!&|?:%", text[i + 1]))
			continue;
		if (i > room && best)
			return best;
		best = i;
		if (i > room)
			return best;
	}
	return best;
}

static void write_broken(struct emitter *e, const char *text)
{
	int depth = e->depth;

	for (;;) {
		size_t room = (size_t)(WIDTH - TAB * (depth < 8 ? depth : 8)), at;

		indent(e, depth);
		at = strlen(text) > room ? break_point(text, room) : 0;
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

static void write_formatted(struct emitter *e, const char *format, va_list args)
{
	struct text line = {.arena = e->arena};

	text_vprintf(&line, format, args);
	write_broken(e, line.at ? line.at : "");
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
	e->depth++;
}

void close_block(struct emitter *e, const char *line)
{
	e->depth--;
	write_line(e, "%s", line);
}

void write_comment(struct emitter *e, const char *text)
{
	size_t room = (size_t)(WIDTH - TAB * e->depth - 3), length = strlen(text);
	bool single = !strchr(text, '\n') && length + 3 <= room;

	if (single) {
		write_line(e, "/* %s */", text);
		return;
	}
	for (const char *lead = "/* "; *text; lead = " * ") {
		const char *end = strchr(text, '\n');
		size_t n = end ? (size_t)(end - text) : strlen(text);

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

const char *place_text(struct emitter *e, struct span at)
{
	int line, column;

	if (!at.src)
		return "";
	find_place(at.src, at.begin, &line, &column);
	return arena_printf(e->arena, "%s:%d", at.src->name, line);
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
		if (!(a == 0 && t->axis[a].rows))
			text_printf(&text, "[%lld]", (long long)t->axis[a].extent);
		else if (with_rows)
			text_add(&text, "[n]");
	return text.at ? text.at : "";
}
