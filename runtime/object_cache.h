/* object_cache.h - a folder of compiled objects, by a hash of all that they were made of. */
#ifndef NNR_OBJECT_CACHE_H
#define NNR_OBJECT_CACHE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 128 bits, fed piece by piece; zeros to begin with. */
struct object_key {
	uint64_t word[2];
};
void add_to_key(struct object_key *key, const void *bytes, size_t size);

/* A folder of this user's that nobody else can write to; "" where nothing is kept. */
struct object_cache {
	char folder[PATH_MAX];
};

/* option: a folder (created if need be), "none", or NULL: nnc in $XDG_CACHE_HOME or in ~/.cache. False if it cannot be
 * used, with the reason (of errno's kind) in *why; nothing is kept then. */
bool open_cache(struct object_cache *cache, const char *option, const char **why);
/* The path of the object of a key, in path; true if it is there as it was kept, and this user's. */
bool find_object(const struct object_cache *cache, const struct object_key *key, char path[PATH_MAX]);
/* Give a new object, which lies in the cache's folder, its name; older ones go if they have become too many. False:
 * it stays where it is. */
bool keep_object(const struct object_cache *cache, const struct object_key *key, const char *from, char path[PATH_MAX]);
/* A new folder to work in, in the cache or, where nothing is kept, in $TMPDIR or /tmp. */
bool make_work_folder(const struct object_cache *cache, char path[PATH_MAX]);
/* Remove it and the files in it. */
void remove_work_folder(const char *path);

#endif
