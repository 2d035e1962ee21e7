/* memory.h - one arena per compile; nothing in it is freed singly.
 *
 * Every allocation of the compiler goes through an arena. When memory runs out the arena
 * unwinds once, by longjmp, to the public call that owns it (nnc.c); that call frees the
 * arena whole and returns an error. So no code between has an allocation failure to handle,
 * and no code between may own anything that is not in an arena. */
#ifndef NNC_MEMORY_H
#define NNC_MEMORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The host's allocator, as Lua's: size 0 frees and returns NULL; otherwise like realloc. */
typedef void *allocate_fn(void *user, void *block, size_t size);

struct arena {
	struct arena_block *block; /* newest block; blocks form a list */
	char *at, *clear, *end;	   /* in it: what is free, from where on it is not zeroed yet, its end */
	allocate_fn *allocate;
	void *user;	 /* passed to allocate */
	jmp_buf *unwind; /* where to go when memory runs out; never NULL while allocating */
	struct arena_spare *spare; /* storage that texts have outgrown, for others */
};

/* The allocator where the host gives none: realloc and free. */
void *allocate_from_c_library(void *user, void *block, size_t size);

/* Set up an empty arena. allocate may be NULL: that of the C library is used. */
void arena_init(struct arena *arena, allocate_fn *allocate, void *user);
void arena_free(struct arena *arena);
/* Bytes of its blocks. */
size_t arena_size(const struct arena *arena);
/* Zeroed, 16-byte aligned memory. Does not return on failure. */
void *arena_alloc(struct arena *arena, size_t size);
/* The same for count items of size bytes; an overflow counts as out of memory. */
void *arena_array(struct arena *arena, size_t count, size_t size);
/* Make the newest allocation longer where it stands; false: something else stands behind it, or there is no room. */
bool arena_extend(struct arena *arena, char *at, size_t size, size_t longer);
/* Give back what the newest allocation has beyond size bytes, which nobody has written to. */
void arena_shrink(struct arena *arena, char *at, size_t size, size_t shorter);
/* Memory that was given to others before, or new: not zeroed. Nothing may point to what is given. */
void *arena_take(struct arena *arena, size_t size);
void arena_give(struct arena *arena, void *at, size_t size);
/* A copy of n bytes with a 0 behind it. */
char *arena_copy(struct arena *arena, const char *text, size_t n);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Leave by arena->unwind, as when memory runs out. */
_Noreturn void arena_fail(struct arena *arena);

/* Growable arrays: LIST(struct node *) kids; list_add(arena, &kids, node); kids.item[i], kids.n.
 * A zeroed list is empty. Old storage stays in the arena. */
#define LIST(type)                                                                                                     \
	struct {                                                                                                       \
		type *item;                                                                                            \
		int n, room;                                                                                           \
	}
#define list_add(arena, list, ...)                                                                                     \
	((list)->n == (list)->room                                                                                     \
		 ? (list)->item = list_grow(arena, (list)->item, &(list)->room, sizeof *(list)->item)                  \
		 : (list)->item,                                                                                       \
	 (list)->item[(list)->n++] = (__VA_ARGS__))
void *list_grow(struct arena *arena, void *item, int *room, size_t size);

/* A string being built, in an arena. Zero but for .arena is empty. */
struct text {
	struct arena *arena;
	char *at; /* 0-terminated once anything was added; may be NULL when empty */
	size_t n, room;
};
void text_add(struct text *text, const char *string);
void text_add_bytes(struct text *text, const char *bytes, size_t n);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vprintf(struct text *text, const char *format, va_list args);
/* The shortest decimal that reads back to the same double, independent of the locale ("0.1", "1e-05", "inf", "-3"). */
void text_add_real(struct text *text, double value);
/* The double nearest to n bytes of decimal digits, with a point in every locale. The arena is for scratch. */
double read_real(struct arena *arena, const char *digits, size_t n);

/* A map from strings to pointers, in insertion order. Zero but for .arena is empty. Keys are not copied. */
struct table_entry {
	const char *key;
	void *value;
};
struct table {
	struct arena *arena;
	LIST(struct table_entry) entries; /* in insertion order */
	struct table_slot *index;	  /* of more than a few: by hash (table.c) */
	uint32_t mask;			  /* its size, a power of 2, less 1 */
};
void *table_get(const struct table *table, const char *key); /* NULL if absent */
void table_set(struct table *table, const char *key, void *value);

#endif
