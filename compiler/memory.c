/* memory.c - the arena, and lists that grow in it.
 *
 * The arena is a list of blocks. Small requests are cut from the newest block in steps of 16 bytes; a large
 * one gets a block of its own, put behind the newest so that the rest of that one stays in use. Whatever
 * cannot be had, because the host's allocator said no or because a size overflows, ends in arena_fail. */
#define _DEFAULT_SOURCE
#include "memory.h"

#include <assert.h>
#include <limits.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

enum {
	BLOCK_SIZE = 64 * 1024,
	LARGE_SIZE = BLOCK_SIZE / 4,
	ALIGNMENT = 16,
	CLEAR_SIZE = 2048,
	MOST_ASKED = 4 * BLOCK_SIZE,
	SMALLEST_SPARE = 128
};

struct arena_block {
	struct arena_block *next;
	size_t size; /* bytes of data */
	alignas(ALIGNMENT) char data[];
};

/* Pages that a block will need are asked for together: one by one, on first touch, each costs twice to three times as
 * much, and together that was a quarter of the time of a large compilation. Where this cannot be had nothing is lost.
 */
static void ask_for_pages(char *block, size_t size)
{
#ifdef MADV_POPULATE_WRITE
	enum { PAGE = 4096 };
	char *first = block + (PAGE - (uintptr_t)block % PAGE) % PAGE;
	if (size > (size_t)(first - block) + PAGE)
		(void)madvise(first, (size_t)(block + size - first) / PAGE * PAGE, MADV_POPULATE_WRITE);
#else
	(void)block;
	(void)size;
#endif
}

void *allocate_from_c_library(void *user, void *block, size_t size)
{
	(void)user;
	if (size == 0) {
		free(block);
		return NULL;
	}
	bool fresh = !block;
	block = realloc(block, size);
	if (block && fresh && size <= MOST_ASKED)
		ask_for_pages(block, size);
	return block;
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
	arena->spare = NULL;
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

bool arena_extend(struct arena *arena, char *at, size_t size, size_t longer)
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

void arena_shrink(struct arena *arena, char *at, size_t size, size_t shorter)
{
	if (at + round_up(size) == arena->at)
		arena->at = at + round_up(shorter);
}

/* Spare storage holds its own entry in the list. */
struct arena_spare {
	struct arena_spare *next;
	size_t size;
};

void arena_give(struct arena *arena, void *at, size_t size)
{
	struct arena_spare *spare = at;
	/* what is small is not worth it; the end of a block may be given back by arena_shrink, which must be zeroed */
	if (size < SMALLEST_SPARE || (char *)at + round_up(size) == arena->at)
		return;
	*spare = (struct arena_spare){arena->spare, size};
	arena->spare = spare;
}

void *arena_take(struct arena *arena, size_t size)
{
	for (struct arena_spare **at = &arena->spare; size >= SMALLEST_SPARE && *at; at = &(*at)->next) {
		struct arena_spare *spare = *at;
		if (spare->size < size || spare->size / 4 > size)
			continue;
		*at = spare->next;
		return spare;
	}
	return arena_alloc(arena, size);
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

void *list_grow(struct arena *arena, void *item, int *room, size_t size)
{
	if (*room > INT_MAX / 2)
		arena_fail(arena);
	int more = *room ? *room * 2 : 4;
	if (size <= SIZE_MAX / 2 / (size_t)more &&
	    arena_extend(arena, item, (size_t)*room * size, (size_t)more * size)) {
		*room = more;
		return item;
	}
	void *grown = arena_array(arena, (size_t)more, size);
	if (*room)
		memcpy(grown, item, (size_t)*room * size);
	*room = more;
	return grown;
}
