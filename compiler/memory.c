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

enum { BLOCK_SIZE = 64 * 1024, LARGE_SIZE = BLOCK_SIZE / 4, ALIGNMENT = 16 };

struct arena_block {
	struct arena_block *next;
	size_t size, used; /* bytes of data */
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
	arena->used = 0;
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

void *arena_alloc(struct arena *arena, size_t size)
{
	if (size > SIZE_MAX - ALIGNMENT)
		arena_fail(arena);
	size = size == 0 ? ALIGNMENT : (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	struct arena_block *block = arena->block;
	if (!block || size > block->size - block->used) {
		bool large = block && size >= LARGE_SIZE;
		struct arena_block *fresh = new_block(arena, size > BLOCK_SIZE || large ? size : BLOCK_SIZE);
		struct arena_block **link = large ? &block->next : &arena->block;
		fresh->next = *link;
		*link = fresh;
		block = fresh;
	}
	void *at = block->data + block->used;
	block->used += size;
	arena->used += size;
	return memset(at, 0, size);
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
	return text.at ? text.at : arena_copy(arena, "", 0);
}

void *list_grow(struct arena *arena, void *item, int *room, size_t size)
{
	if (*room > INT_MAX / 2)
		arena_fail(arena);
	int more = *room ? *room * 2 : 4;
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
	size_t room = text->room * 2 > need ? text->room * 2 : need < 64 ? 64 : need;
	char *at = arena_alloc(text->arena, room);
	if (text->n)
		memcpy(at, text->at, text->n);
	text->at = at;
	text->room = room;
}

void text_add_bytes(struct text *text, const char *bytes, size_t n)
{
	text_reserve(text, n);
	if (n)
		memcpy(text->at + text->n, bytes, n);
	text->n += n;
	text->at[text->n] = 0;
}

void text_add(struct text *text, const char *string) { text_add_bytes(text, string, strlen(string)); }

void text_vprintf(struct text *text, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	text_reserve(text, 0);
	int n = vsnprintf(text->at + text->n, text->room - text->n, format, args);
	if (n >= 0 && (size_t)n >= text->room - text->n) {
		text_reserve(text, (size_t)n);
		n = vsnprintf(text->at + text->n, text->room - text->n, format, again);
	}
	va_end(again);
	if (n < 0) /* only a result above INT_MAX or no memory inside the C library */
		arena_fail(text->arena);
	text->n += (size_t)n;
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
#include <uthash.h>

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
