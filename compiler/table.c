/* table.c - maps from strings to pointers.
 *
 * The entries stand in a list, in the order in which they came. Few are gone through; of more than that a hash index,
 * open addressing with linear probing and half of it free, tells the place in the list. */
#include "memory.h"

#include <string.h>

enum { FEW = 8 };

struct table_slot {
	uint32_t hash;
	int entry; /* its place in the list, from 1; 0: the slot is free */
};

/* FNV-1a: a key is a few letters. */
static uint32_t hash_key(const char *key)
{
	uint32_t hash = 2166136261u;
	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 16777619u;
	return hash ^ hash >> 16;
}

static bool same_key(const char *a, const char *b) { return *a == *b && (a == b || strcmp(a, b) == 0); }

/* The slot of the key, or the free one where it would be. */
static struct table_slot *probe(const struct table *table, const char *key, uint32_t hash)
{
	for (uint32_t i = hash & table->mask;; i = (i + 1) & table->mask) {
		struct table_slot *slot = &table->index[i];
		if (!slot->entry || (slot->hash == hash && same_key(table->entries.item[slot->entry - 1].key, key)))
			return slot;
	}
}

static struct table_entry *find_entry(const struct table *table, const char *key)
{
	if (table->index) {
		const struct table_slot *slot = probe(table, key, hash_key(key));
		return slot->entry ? &table->entries.item[slot->entry - 1] : NULL;
	}
	for (int i = 0; i < table->entries.n; i++)
		if (same_key(table->entries.item[i].key, key))
			return &table->entries.item[i];
	return NULL;
}

/* An index of twice the size, with all entries. */
static void grow_index(struct table *table)
{
	uint32_t size = table->index ? (table->mask + 1) * 2 : 4 * FEW;
	table->index = arena_array(table->arena, size, sizeof *table->index);
	table->mask = size - 1;
	for (int i = 0; i < table->entries.n; i++) {
		uint32_t hash = hash_key(table->entries.item[i].key);
		*probe(table, table->entries.item[i].key, hash) = (struct table_slot){hash, i + 1};
	}
}

void *table_get(const struct table *table, const char *key)
{
	const struct table_entry *entry = find_entry(table, key);
	return entry ? entry->value : NULL;
}

void table_set(struct table *table, const char *key, void *value)
{
	struct table_entry *entry = find_entry(table, key);
	if (entry) {
		entry->value = value;
		return;
	}
	list_add(table->arena, &table->entries, (struct table_entry){key, value});
	if (table->index ? (uint32_t)table->entries.n > table->mask / 2 : table->entries.n > FEW) {
		grow_index(table);
	} else if (table->index) {
		uint32_t hash = hash_key(key);
		*probe(table, key, hash) = (struct table_slot){hash, table->entries.n};
	}
}
