/* text.c - strings that grow in an arena, and printf into them.
 *
 * The C library's printf takes longer than all else that the emitter does, so the plain conversions are done here, and
 * it is asked for the others, one at a time. */
#include "memory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Make room for n more bytes and a 0. */
static void text_reserve(struct text *text, size_t n)
{
	if (n > SIZE_MAX / 2 - 1 - text->n)
		arena_fail(text->arena);
	size_t need = text->n + n + 1;
	if (need <= text->room)
		return;
	size_t room = text->room * 2 > need ? text->room * 2 : need < 64 ? 64 : need;
	if (arena_extend(text->arena, text->at, text->room, room)) {
		text->room = room;
		return;
	}
	char *at = arena_take(text->arena, room), *old = text->at;
	if (text->n)
		memcpy(at, old, text->n);
	if (old)
		arena_give(text->arena, old, text->room);
	text->at = at;
	text->room = room;
}

void text_add_bytes(struct text *text, const char *bytes, size_t n)
{
	if (text->n >= text->room || n >= text->room - text->n)
		text_reserve(text, n);
	if (n)
		memcpy(text->at + text->n, bytes, n);
	text->n += n;
	text->at[text->n] = 0;
}

void text_add(struct text *text, const char *string) { text_add_bytes(text, string, strlen(string)); }

/* ---- printf ---- */

static void add_unsigned(struct text *text, uintmax_t value, bool minus)
{
	char digits[24], *at = digits + sizeof digits;
	do
		*--at = (char)('0' + value % 10);
	while (value /= 10);
	if (minus)
		*--at = '-';
	text_add_bytes(text, at, (size_t)(digits + sizeof digits - at));
}

static void add_signed(struct text *text, intmax_t value)
{
	add_unsigned(text, value < 0 ? 0 - (uintmax_t)value : (uintmax_t)value, value < 0);
}

/* One conversion, with its argument, by the C library. */
static void add_converted(struct text *text, const char *conversion, ...)
{
	va_list args, again;
	va_start(args, conversion);
	va_copy(again, args);
	text_reserve(text, 0);
	int n = vsnprintf(text->at + text->n, text->room - text->n, conversion, args);
	if (n >= 0 && (size_t)n >= text->room - text->n) {
		text_reserve(text, (size_t)n);
		n = vsnprintf(text->at + text->n, text->room - text->n, conversion, again);
	}
	va_end(again);
	va_end(args);
	if (n < 0) /* only a result above INT_MAX or no memory inside the C library */
		arena_fail(text->arena);
	text->n += (size_t)n;
}

/* A conversion as printf reads it. */
struct conversion {
	char text[32]; /* all of it but the length; what * stands for is written as digits */
	int n;
	int precision; /* -1: none */
	bool plain;    /* neither flags nor width nor precision, or %.*s */
	char length;   /* 'l', 'q' for ll, 'z', 'j', 't', 'h', 'L', or 0 */
	char kind;
};

static void add_to_conversion(struct conversion *c, char byte)
{
	assert(c->n < (int)sizeof c->text - 3);
	c->text[c->n++] = byte;
}

static void add_star(struct conversion *c, int value)
{
	c->n += snprintf(c->text + c->n, sizeof c->text - (size_t)c->n, "%d", value);
}

static bool is_option(char c) { return (c >= '0' && c <= '9') || (c >= '*' && c <= '.') || c == ' ' || c == '#'; }

/* Read one behind its %; the place behind it. Arguments of stars are taken from args. */
static const char *read_conversion(struct conversion *c, const char *at, va_list *args)
{
	c->text[0] = '%';
	memset(c->text + 1, 0, sizeof c->text - 1);
	c->n = 1;
	c->precision = -1;
	c->plain = true;
	c->length = 0;
	for (bool point = false; is_option(*at); at++) {
		int star = *at == '*' ? va_arg(*args, int) : 0;
		point |= *at == '.';
		c->plain &= point && (*at == '.' || *at == '*');
		if (point && *at == '*')
			c->precision = star;
		if (*at == '*')
			add_star(c, star);
		else
			add_to_conversion(c, *at);
	}
	for (; *at == 'l' || *at == 'z' || *at == 'j' || *at == 't' || *at == 'h' || *at == 'L'; at++)
		c->length = (char)(*at == 'l' && c->length == 'l' ? 'q' : *at);
	c->kind = *at;
	c->plain &= c->precision < 0 ? c->n == 1 : c->kind == 's';
	return at + 1;
}

static intmax_t take_signed(char length, va_list *args)
{
	switch (length) {
	case 'l': return va_arg(*args, long);
	case 'q': return va_arg(*args, long long);
	case 'z':
	case 't': return va_arg(*args, ptrdiff_t);
	case 'j': return va_arg(*args, intmax_t);
	default: return va_arg(*args, int);
	}
}

static uintmax_t take_unsigned(char length, va_list *args)
{
	switch (length) {
	case 'l': return va_arg(*args, unsigned long);
	case 'q': return va_arg(*args, unsigned long long);
	case 'z': return va_arg(*args, size_t);
	case 't': return (uintmax_t)va_arg(*args, ptrdiff_t);
	case 'j': return va_arg(*args, uintmax_t);
	default: return va_arg(*args, unsigned);
	}
}

static void add_integer(struct text *text, struct conversion *c, va_list *args)
{
	bool is_signed = c->kind == 'd' || c->kind == 'i';
	intmax_t value = is_signed ? take_signed(c->length, args) : 0;
	uintmax_t bits = is_signed ? (uintmax_t)value : take_unsigned(c->length, args);
	if (c->plain && is_signed) {
		add_signed(text, value);
	} else if (c->plain && c->kind == 'u') {
		add_unsigned(text, bits, false);
	} else {
		add_to_conversion(c, 'j');
		add_to_conversion(c, c->kind);
		add_converted(text, c->text, bits);
	}
}

static void add_floating(struct text *text, struct conversion *c, va_list *args)
{
	assert(c->kind && strchr("aefgAEFG", c->kind));
	if (c->length == 'L')
		add_to_conversion(c, c->length);
	add_to_conversion(c, c->kind);
	if (c->length == 'L')
		add_converted(text, c->text, va_arg(*args, long double));
	else
		add_converted(text, c->text, va_arg(*args, double));
}

/* At most so many bytes, all of them if that is negative. */
static void add_part(struct text *text, const char *string, int most)
{
	const char *end = most < 0 ? NULL : memchr(string, 0, (size_t)most);
	text_add_bytes(text, string, end ? (size_t)(end - string) : most >= 0 ? (size_t)most : strlen(string));
}

static void add_string(struct text *text, struct conversion *c, const char *string)
{
	if (c->plain) {
		add_part(text, string, c->precision);
		return;
	}
	add_to_conversion(c, 's');
	add_converted(text, c->text, string);
}

void text_vprintf(struct text *text, const char *format, va_list args)
{
	struct conversion c;
	va_list rest;
	va_copy(rest, args);
	text_reserve(text, 0);
	while (*format) {
		size_t n = 0;
		while (format[n] && format[n] != '%')
			n++;
		if (n)
			text_add_bytes(text, format, n);
		format += n;
		if (!*format)
			break;
		if (format[1] == 's' || format[1] == 'd') { /* most are */
			if (format[1] == 's')
				text_add(text, va_arg(rest, const char *));
			else
				add_signed(text, va_arg(rest, int));
			format += 2;
			continue;
		}
		if (strncmp(format, "%.*s", 4) == 0) {
			int most = va_arg(rest, int);
			const char *string = va_arg(rest, const char *);
			add_part(text, string, most);
			format += 4;
			continue;
		}
		format = read_conversion(&c, format + 1, &rest);
		switch (c.kind) {
		case 's': add_string(text, &c, va_arg(rest, const char *)); break;
		case 'c': text_add_bytes(text, &(char){(char)va_arg(rest, int)}, 1); break;
		case '%': text_add_bytes(text, "%", 1); break;
		case 'd':
		case 'i':
		case 'u':
		case 'x':
		case 'o': add_integer(text, &c, &rest); break;
		default: add_floating(text, &c, &rest);
		}
	}
	va_end(rest);
}

void text_printf(struct text *text, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	text_vprintf(text, format, args);
	va_end(args);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	struct text text = {.arena = arena};
	va_list args;
	va_start(args, format);
	text_vprintf(&text, format, args);
	va_end(args);
	if (!text.at)
		return arena_copy(arena, "", 0);
	arena_shrink(arena, text.at, text.room, text.n + 1);
	return text.at;
}
