/* memory.c - the arena, and what grows in it: lists, texts, tables.
 *
 * The arena is a list of blocks. Small requests are cut from the newest block in steps of 16 bytes; a large
 * one gets a block of its own, put behind the newest so that the rest of that one stays in use. Whatever
 * cannot be had, because the host's allocator said no or because a size overflows, ends in arena_fail. */
#include "memory.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 64 * 1024, LARGE_SIZE = BLOCK_SIZE / 4, ALIGNMENT = 16, CLEAR_SIZE = 2048 };

struct arena_block {
	struct arena_block *next;
	size_t size; /* bytes of data */
	alignas(ALIGNMENT) char data[];
};

void *allocate_from_c_library(void *user, void *block, size_t size)
{
	(void)user;
	if (size == 0) {
		free(block);
		return NULL;
	}
	return realloc(block, size);
}

void arena_init(struct arena *arena, allocate_fn *allocate, void *user)
{
	*arena = (struct arena){.allocate = allocate ? allocate : allocate_from_c_library, .user = user};
}

void arena_free(struct arena *arena)
{
	for (struct arena_block *block = arena->block, *next; block; block = next) {
		next = block->next;
		arena->allocate(arena->user, block, 0);
	}
	arena->block = NULL;
	arena->at = arena->clear = arena->end = NULL;
}

size_t arena_size(const struct arena *arena)
{
	size_t size = 0;
	for (const struct arena_block *block = arena->block; block; block = block->next)
		size += sizeof *block + block->size;
	return size;
}

_Noreturn void arena_fail(struct arena *arena)
{
	assert(arena->unwind);
	longjmp(*arena->unwind, 1);
}

static struct arena_block *new_block(struct arena *arena, size_t size)
{
	if (size > SIZE_MAX - sizeof(struct arena_block))
		arena_fail(arena);
	struct arena_block *block = arena->allocate(arena->user, NULL, sizeof *block + size);
	if (!block)
		arena_fail(arena);
	*block = (struct arena_block){.size = size};
	return block;
}

static size_t round_up(size_t size) { return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

/* A block of its own for a large request, behind the newest one so that the rest of that stays in use. */
static void *allocate_large(struct arena *arena, size_t size)
{
	struct arena_block *block = new_block(arena, size);
	block->next = arena->block->next;
	arena->block->next = block;
	return memset(block->data, 0, size);
}

/* A fresh block to cut from. */
static void start_block(struct arena *arena, size_t size)
{
	struct arena_block *block = new_block(arena, size > BLOCK_SIZE ? size : BLOCK_SIZE);
	block->next = arena->block;
	arena->block = block;
	arena->at = arena->clear = block->data;
	arena->end = block->data + block->size;
}

/* Clear the newest block up to at least `to`, and some more, so that this is not done for every small request. */
static void clear_until(struct arena *arena, const char *to)
{
	size_t n = (size_t)(to - arena->clear), left = (size_t)(arena->end - arena->clear);
	n = n > CLEAR_SIZE ? n : CLEAR_SIZE < left ? CLEAR_SIZE : left;
	memset(arena->clear, 0, n);
	arena->clear += n;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	if (size > SIZE_MAX - ALIGNMENT)
		arena_fail(arena);
	size = size == 0 ? ALIGNMENT : round_up(size);
	if (size > (size_t)(arena->end - arena->at)) {
		if (arena->block && size >= LARGE_SIZE)
			return allocate_large(arena, size);
		start_block(arena, size);
	}
	char *at = arena->at;
	arena->at += size;
	if (arena->at > arena->clear)
		clear_until(arena, arena->at);
	return at;
}

/* Make an allocation longer where it stands; false: something else stands behind it. */
static bool extend(struct arena *arena, char *at, size_t size, size_t longer)
{
	size = round_up(size);
	longer = round_up(longer);
	if (!at || at + size != arena->at || longer - size > (size_t)(arena->end - arena->at))
		return false;
	arena->at = at + longer;
	if (arena->at > arena->clear)
		clear_until(arena, arena->at);
	return true;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	if (size && count > SIZE_MAX / size)
		arena_fail(arena);
	return arena_alloc(arena, count * size);
}

char *arena_copy(struct arena *arena, const char *text, size_t n)
{
	if (n == SIZE_MAX)
		arena_fail(arena);
	char *copy = arena_alloc(arena, n + 1);
	if (n)
		memcpy(copy, text, n);
	return copy;
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
	if (text.at + text.room == arena->at) /* what is given back has never been written to */
		arena->at = text.at + round_up(text.n + 1);
	return text.at;
}

void *list_grow(struct arena *arena, void *item, int *room, size_t size)
{
	if (*room > INT_MAX / 2)
		arena_fail(arena);
	int more = *room ? *room * 2 : 4;
	if (size <= SIZE_MAX / 2 / (size_t)more && extend(arena, item, (size_t)*room * size, (size_t)more * size)) {
		*room = more;
		return item;
	}
	void *grown = arena_array(arena, (size_t)more, size);
	if (*room)
		memcpy(grown, item, (size_t)*room * size);
	*room = more;
	return grown;
}

/* Make room for n more bytes and a 0. */
static void text_reserve(struct text *text, size_t n)
{
	if (n > SIZE_MAX / 2 - 1 - text->n)
		arena_fail(text->arena);
	size_t need = text->n + n + 1;
	if (need <= text->room)
		return;
	size_t room = round_up(text->room * 2 > need ? text->room * 2 : need < 64 ? 64 : need);
	if (extend(text->arena, text->at, text->room, room)) {
		text->room = room;
		return;
	}
	char *at = arena_alloc(text->arena, room);
	if (text->n)
		memcpy(at, text->at, text->n);
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

/* ---- printf into a text. The C library's takes longer than all else that the emitter does, so the plain
 * conversions are done here, and it is asked for the others, one at a time. ---- */

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

static void add_string(struct text *text, struct conversion *c, const char *string)
{
	const char *end = c->precision < 0 ? NULL : memchr(string, 0, (size_t)c->precision);
	if (c->plain) {
		text_add_bytes(text, string,
			       end		   ? (size_t)(end - string)
			       : c->precision >= 0 ? (size_t)c->precision
						   : strlen(string));
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
		text_add_bytes(text, format, n);
		format += n;
		if (!*format)
			break;
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

/* The decimal point of the current locale, one or more bytes: whatever stands between 0 and 5 in "0.5". */
enum { POINT_SIZE = 16 };
static void find_decimal_point(char point[POINT_SIZE])
{
	char half[POINT_SIZE + 2] = "0.5";
	int n = snprintf(half, sizeof half, "%.1f", 0.5);
	if (n < 3 || n >= (int)sizeof half) {
		memcpy(point, ".", 2);
		return;
	}
	memcpy(point, half + 1, (size_t)n - 2);
	point[n - 2] = 0;
}

void text_add_real(struct text *text, double value)
{
	char digits[64], point[POINT_SIZE];
	if (isnan(value)) {
		text_add(text, "nan");
		return;
	}
	if (fabs(value) < 10 && value == floor(value)) { /* most are 0, 1 or 2 */
		text_printf(text, "%s%d", signbit(value) ? "-" : "", (int)fabs(value));
		return;
	}
	for (int precision = 1; precision <= 17; precision++) {
		snprintf(digits, sizeof digits, "%.*g", precision, value);
		if (strtod(digits, NULL) == value) /* both in the current locale, so they agree */
			break;
	}
	find_decimal_point(point);
	char *at = strstr(digits, point);
	if (!at) {
		text_add(text, digits);
		return;
	}
	text_add_bytes(text, digits, (size_t)(at - digits));
	text_add(text, ".");
	text_add(text, at + strlen(point));
}

double read_real(struct arena *arena, const char *digits, size_t n)
{
	char point[POINT_SIZE];
	find_decimal_point(point);
	struct text local = {.arena = arena};
	const char *at = n ? memchr(digits, '.', n) : NULL;
	size_t whole = at ? (size_t)(at - digits) : n;
	text_add_bytes(&local, digits, whole);
	if (at) {
		text_add(&local, point);
		text_add_bytes(&local, at + 1, n - whole - 1);
	}
	return strtod(local.at, NULL);
}

/* uthash takes its memory from the arena of the table at hand, and frees nothing. */
#define uthash_malloc(size) arena_alloc(table->arena, size)
#define uthash_free(pointer, size) ((void)(pointer))
#define uthash_fatal(message) arena_fail(table->arena)
#define HASH_FUNCTION(key, size, hash) ((hash) = hash_bytes(key, size))
/* FNV-1a: a key is a few letters. */
static unsigned hash_bytes(const char *key, size_t size)
{
	unsigned hash = 2166136261u;
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)key[i]) * 16777619u;
	return hash ^ hash >> 16;
}
#include <uthash.h>
/* Most tables are small. */
#undef HASH_INITIAL_NUM_BUCKETS
#undef HASH_INITIAL_NUM_BUCKETS_LOG2
#define HASH_INITIAL_NUM_BUCKETS 8u
#define HASH_INITIAL_NUM_BUCKETS_LOG2 3u

struct table_slot {
	int entry; /* place in table->entries */
	UT_hash_handle hh;
};

static struct table_slot *find_slot(const struct table *table, const char *key)
{
	struct table_slot *slot;
	HASH_FIND_STR(table->index, key, slot);
	return slot;
}

void *table_get(const struct table *table, const char *key)
{
	const struct table_slot *slot = find_slot(table, key);
	return slot ? table->entries.item[slot->entry].value : NULL;
}

void table_set(struct table *table, const char *key, void *value)
{
	struct table_slot *slot = find_slot(table, key);
	if (slot) {
		table->entries.item[slot->entry].value = value;
		return;
	}
	slot = arena_alloc(table->arena, sizeof *slot);
	slot->entry = table->entries.n;
	list_add(table->arena, &table->entries, (struct table_entry){key, value});
	HASH_ADD_KEYPTR(hh, table->index, key, strlen(key), slot);
}
