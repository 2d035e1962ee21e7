/* include.c - finding and reading included files: the host's callback, or files in the folder of the
 * file that includes them and along include_path. What was found is kept for -MD. */
#define _POSIX_C_SOURCE 200809L
#include "include.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { CHUNK = 1 << 14 };

/* Read all of a file into text; false if it cannot be read. The stream is closed before memory can run out. */
static bool read_stream(const char *path, struct text *text)
{
	char chunk[CHUNK];
	long at = 0;
	size_t n;
	do {
		FILE *stream = fopen(path, "rb");
		if (!stream)
			return false;
		bool ok = fseek(stream, at, SEEK_SET) == 0;
		n = ok ? fread(chunk, 1, sizeof chunk, stream) : 0;
		ok = ok && !ferror(stream);
		fclose(stream);
		if (!ok)
			return false;
		text_add_bytes(text, chunk, n);
		at += (long)n;
	} while (n == sizeof chunk);
	return true;
}

static void remember(struct includes *includes, const char *path)
{
	for (int i = 0; i + 1 < includes->path.n; i++)
		if (strcmp(includes->path.item[i], path) == 0)
			return;
	if (includes->path.n)
		includes->path.n--; /* the NULL */
	list_add(includes->arena, &includes->path, arena_copy(includes->arena, path, strlen(path)));
	list_add(includes->arena, &includes->path, NULL);
}

const char *file_key(struct includes *includes, const char *path)
{
	struct stat s;
	if (includes->host->open || stat(path, &s))
		return path;
	return arena_printf(includes->arena, "%llu:%llu", (unsigned long long)s.st_dev, (unsigned long long)s.st_ino);
}

/* Try one folder, its name n bytes long with the slash. */
static bool read_from(struct includes *includes, const char *folder, size_t n, const char *path, struct included *file)
{
	struct text text = {.arena = includes->arena};
	while (!strncmp(path, "./", 2))
		path += 2;
	const char *slash = n && folder[n - 1] != '/' ? "/" : "";
	const char *whole = arena_printf(includes->arena, "%.*s%s%s", (int)n, folder, slash, path);
	if (!read_stream(whole, &text))
		return false;
	remember(includes, whole);
	*file = (struct included){whole, file_key(includes, whole), text.at ? text.at : "", text.n};
	return true;
}

struct included read_include(struct includes *includes, const char *from, const char *path)
{
	const nnc_options *host = includes->host;
	struct included file = {.path = path, .key = path};
	if (host->open) {
		file.text = host->open(host->user, path, &file.size);
		if (file.text)
			remember(includes, path);
		return file;
	}
	const char *slash = strrchr(from, '/');
	size_t folder = *path != '/' && slash ? (size_t)(slash - from) + 1 : 0;
	bool found = read_from(includes, from, folder, path, &file);
	for (int i = 0; *path != '/' && !found && host->include_path && host->include_path[i]; i++)
		found = read_from(includes, host->include_path[i], strlen(host->include_path[i]), path, &file);
	return file;
}
