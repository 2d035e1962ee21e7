/* object_cache.c - a folder of compiled objects, by a hash of all that they were made of.
 *
 * What lies there will be run, so the folder and the files must be this user's and writable to nobody else; otherwise
 * they are not used. An object is made in a folder of its own and then renamed, so that it is there as a whole or not
 * at all, whatever else runs at the same time. It ends with a seal, a hash of its bytes and its key, which loaders pass
 * over: damaged code is not run. The folder is kept within a size: objects that were not used for the longest time go
 * first. A running program keeps what it has loaded even then. */
#define _XOPEN_SOURCE 700
#include "object_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_BYTES = 64 << 20, /* of all objects */
	MAX_OBJECTS = 1000,
	STALE = 24 * 60 * 60 /* seconds: work folders of programs that were killed */
};

static const char suffix[] = ".so";

/* ---- the key ---- */

/* splitmix64's mixer (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Two chains over blocks of eight bytes that begin apart; the size is a block too, so that pieces do not run together.
 */
void add_to_key(struct object_key *key, const void *bytes, size_t size)
{
	const char *at = bytes;
	uint64_t block = size;
	for (size_t i = 0;; i += sizeof block) {
		key->word[0] = mix(key->word[0] + block) + UINT64_C(0x9e3779b97f4a7c15);
		key->word[1] = mix((key->word[1] ^ block) + UINT64_C(0xd1b54a32d192ed03)) * 3;
		if (i >= size)
			return;
		block = 0;
		memcpy(&block, at + i, size - i < sizeof block ? size - i : sizeof block);
	}
}

/* ---- the folder ---- */

/* Only its owner, this user, can change it. */
static bool is_ours(const struct stat *about)
{
	return about->st_uid == geteuid() && (about->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Make a folder and those above it, for this user only; true if it is there in the end. */
static bool make_folders(char *path)
{
	for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		mkdir(path, 0700);
		*slash = '/';
	}
	return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static bool name_folder(char folder[PATH_MAX], const char *option)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int n;
	if (option)
		n = snprintf(folder, PATH_MAX, "%s", option);
	else if (base && base[0] == '/')
		n = snprintf(folder, PATH_MAX, "%s/nnc", base);
	else if (home && home[0] == '/')
		n = snprintf(folder, PATH_MAX, "%s/.cache/nnc", home);
	else
		return false;
	while (n > 1 && n < PATH_MAX && folder[n - 1] == '/')
		folder[--n] = 0;
	return n > 0 && n < PATH_MAX - 100; /* room for names in it */
}

bool open_cache(struct object_cache *cache, const char *option, const char **why)
{
	struct stat about;
	*why = NULL;
	if (option && strcmp(option, "none") == 0)
		cache->folder[0] = 0;
	else if (!name_folder(cache->folder, option))
		*why = option ? "its name is too long" : "there is no home folder";
	else if (!make_folders(cache->folder) || lstat(cache->folder, &about) < 0)
		*why = strerror(errno);
	else if (!S_ISDIR(about.st_mode))
		*why = "it is no folder";
	else if (!is_ours(&about))
		*why = "others can write to it, or it is another user's";
	else if (access(cache->folder, W_OK | X_OK) < 0)
		*why = strerror(errno);
	if (*why)
		cache->folder[0] = 0;
	return !*why;
}

static void name_object(const struct object_cache *cache, const struct object_key *key, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%.*s/%016llx%016llx%s", PATH_MAX - 100, cache->folder,
		 (unsigned long long)key->word[0], (unsigned long long)key->word[1], suffix);
}

/* The seal of the next `size` bytes of a file; false if there are fewer. */
static bool make_seal(FILE *stream, off_t size, const struct object_key *key, struct object_key *seal)
{
	char block[4096];
	*seal = *key;
	while (size > 0) {
		size_t n = size < (off_t)sizeof block ? (size_t)size : sizeof block;
		if (fread(block, 1, n, stream) != n)
			return false;
		add_to_key(seal, block, n);
		size -= (off_t)n;
	}
	return true;
}

/* Whether an open file is an object as it was kept. */
static bool is_sealed(FILE *stream, const struct object_key *key)
{
	struct object_key seal, found;
	struct stat about;
	return fstat(fileno(stream), &about) == 0 && S_ISREG(about.st_mode) && is_ours(&about) &&
	       make_seal(stream, about.st_size - (off_t)sizeof seal, key, &seal) &&
	       fread(&found, 1, sizeof found, stream) == sizeof found && memcmp(&found, &seal, sizeof seal) == 0;
}

bool find_object(const struct object_cache *cache, const struct object_key *key, char path[PATH_MAX])
{
	if (!cache->folder[0])
		return false;
	name_object(cache, key, path);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	FILE *stream = fd < 0 ? NULL : fdopen(fd, "r");
	bool found = stream && is_sealed(stream, key);
	if (stream)
		fclose(stream);
	else if (fd >= 0)
		close(fd);
	if (found)
		utimensat(AT_FDCWD, path, NULL, 0); /* used now */
	return found;
}

/* ---- its size ---- */

struct entry {
	char name[64];
	time_t used;
	off_t size;
};

static int by_use(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	return (x->used < y->used) - (x->used > y->used);
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);
	return n >= m && strcmp(name + n - m, end) == 0;
}

static const char work_name[] = "work-";

/* Objects in *entry (to be freed), and work folders that were left behind removed. */
static size_t list_objects(const struct object_cache *cache, struct entry **entry)
{
	DIR *stream = opendir(cache->folder);
	size_t n = 0, room = 0;
	struct stat about;
	const struct dirent *item;
	*entry = NULL;
	while (stream && (item = readdir(stream))) {
		if (fstatat(dirfd(stream), item->d_name, &about, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(about.st_mode) && strncmp(item->d_name, work_name, sizeof work_name - 1) == 0 &&
		    about.st_mtime + STALE < time(NULL)) {
			char path[PATH_MAX];
			if (snprintf(path, sizeof path, "%s/%s", cache->folder, item->d_name) < PATH_MAX)
				remove_work_folder(path);
		}
		if (!S_ISREG(about.st_mode) || !ends_with(item->d_name, suffix) ||
		    strlen(item->d_name) >= sizeof entry[0]->name)
			continue;
		if (n == room) {
			room = room ? 2 * room : 64;
			struct entry *larger = realloc(*entry, room * sizeof *larger);
			if (!larger)
				break;
			*entry = larger;
		}
		struct entry *added = &(*entry)[n++];
		strcpy(added->name, item->d_name);
		added->used = about.st_mtime;
		added->size = about.st_size;
	}
	if (stream)
		closedir(stream);
	return n;
}

static void trim_cache(const struct object_cache *cache)
{
	struct entry *entry;
	size_t n = list_objects(cache, &entry);
	off_t total = 0;
	char path[PATH_MAX];
	if (n)
		qsort(entry, n, sizeof *entry, by_use);
	for (size_t i = 0; i < n; i++) {
		total += entry[i].size;
		if (i > 0 && (total > MAX_BYTES || i >= MAX_OBJECTS) &&
		    snprintf(path, sizeof path, "%s/%s", cache->folder, entry[i].name) < PATH_MAX)
			unlink(path);
	}
	free(entry);
}

/* ---- making one ---- */

bool make_work_folder(const struct object_cache *cache, char path[PATH_MAX])
{
	const char *temporary = getenv("TMPDIR");
	if (!temporary || temporary[0] != '/' || strlen(temporary) > PATH_MAX / 2)
		temporary = "/tmp";
	if (cache->folder[0])
		snprintf(path, PATH_MAX, "%.*s/%sXXXXXX", PATH_MAX - 100, cache->folder, work_name);
	else
		snprintf(path, PATH_MAX, "%.*s/nnc-%sXXXXXX", PATH_MAX - 100, temporary, work_name);
	return mkdtemp(path) != NULL;
}

void remove_work_folder(const char *path)
{
	DIR *stream = opendir(path);
	const struct dirent *item;
	while (stream && (item = readdir(stream)))
		unlinkat(dirfd(stream), item->d_name, 0); /* "." and ".." are refused */
	if (stream)
		closedir(stream);
	rmdir(path);
}

bool keep_object(const struct object_cache *cache, const struct object_key *key, const char *from, char path[PATH_MAX])
{
	if (!cache->folder[0])
		return false;
	name_object(cache, key, path);
	struct object_key seal;
	struct stat about;
	FILE *stream = fopen(from, "r+e");
	/* whole on the disk before it has the name, and without rights for others whatever the umask */
	bool whole = stream && fstat(fileno(stream), &about) == 0 && make_seal(stream, about.st_size, key, &seal) &&
		     fseeko(stream, 0, SEEK_END) == 0 && fwrite(&seal, 1, sizeof seal, stream) == sizeof seal &&
		     fflush(stream) == 0 && fchmod(fileno(stream), 0700) == 0 && fsync(fileno(stream)) == 0;
	if (stream && fclose(stream) != 0)
		whole = false;
	if (!whole || rename(from, path) < 0)
		return false;
	trim_cache(cache);
	return true;
}
