/* include.c - finding and reading included files: the host's callback, or files in the folder of the model and along
 * include_path. What was found is kept for -MD. */
#include "include.h"

#include <stdio.h>
#include <string.h>

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

/* Try one folder, its name n bytes long with the slash. */
static const char *read_from(struct includes *includes, const char *folder, size_t n, const char *path, size_t *size)
{
	char *whole =
		arena_printf(includes->arena, "%.*s%s%s", (int)n, folder, n && folder[n - 1] != '/' ? "/" : "", path);
	struct text text = {.arena = includes->arena};
	if (!read_stream(whole, &text))
		return NULL;
	remember(includes, whole);
	*size = text.n;
	return text.at;
}

const char *read_include(struct includes *includes, const nnc_options *host, const char *path, size_t *size)
{
	if (host->open) {
		const char *text = host->open(host->user, path, size);
		if (text)
			remember(includes, path);
		return text;
	}
	if (*path == '/')
		return read_from(includes, "", 0, path, size);
	const char *slash = strrchr(includes->beside, '/');
	const char *text =
		read_from(includes, includes->beside, slash ? (size_t)(slash - includes->beside) + 1 : 0, path, size);
	for (int i = 0; !text && host->include_path && host->include_path[i]; i++)
		text = read_from(includes, host->include_path[i], strlen(host->include_path[i]), path, size);
	return text;
}
