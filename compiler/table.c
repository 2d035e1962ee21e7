/* table.c - maps from strings to pointers: uthash, with its memory from the table's arena.
 *
 * The entries stand in a list, in the order in which they came; the hash table only finds their places in it. */
#include "memory.h"

#include <string.h>

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
