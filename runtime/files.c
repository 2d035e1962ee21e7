/* files.c - reading files whole and writing them all at once.
 *
 * Reading never believes a claim about a size: memory grows with the bytes that really came. Writing goes to a
 * temporary file in the same folder, which takes the place of the old one by a rename, the one step that cannot be
 * seen half done. */
#define _XOPEN_SOURCE 700
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { FIRST_ROOM = 1 << 16, PACKED_ROOM = 1 << 17 /* packed bytes that zlib reads at a time */ };

static nnr_status fail_errno(const struct host *host, const char *path, const char *what)
{
	return host_fail(host, NNR_IO, path, "%s: %s", what, strerror(errno));
}

/* The next bytes of a plain file (gz NULL), or of a stream that zlib unpacks; *n 0: the end. */
static nnr_status read_some(const struct host *host, const char *path, int fd, gzFile gz, char *at, size_t room,
			    size_t *n)
{
	unsigned want = room > INT_MAX / 2 ? INT_MAX / 2 : (unsigned)room;
	int code;
	ssize_t got = gz ? gzread(gz, at, want) : read(fd, at, want);
	*n = got > 0 ? (size_t)got : 0;
	if (got > 0 || (!gz && got == 0))
		return NNR_OK;
	if (!gz)
		return fail_errno(host, path, "cannot read");
	const char *why = gzerror(gz, &code);
	if (got == 0 && (code == Z_OK || code == Z_STREAM_END))
		return NNR_OK;
	if (code == Z_ERRNO)
		return fail_errno(host, path, "cannot read");
	if (code == Z_BUF_ERROR)
		return host_fail(host, NNR_INVALID, path, "truncated: its compressed data end too early");
	const char *text = strstr(why, ">: "); /* behind zlib's "<fd:3>: " */
	return host_fail(host, code == Z_MEM_ERROR ? NNR_MEMORY : NNR_INVALID, path, "cannot unpack: %s",
			 text ? text + 3 : why);
}

static nnr_status read_all(const struct host *host, const char *path, int fd, gzFile gz, struct bytes *bytes)
{
	size_t room = 0, n;
	for (;;) {
		if (bytes->size + 1 >= room) {
			room = room ? room * 2 : FIRST_ROOM;
			char *at = host_resize(host, bytes->at, room);
			if (!at)
				return NNR_MEMORY;
			bytes->at = at;
		}
		nnr_status status = read_some(host, path, fd, gz, bytes->at + bytes->size, room - bytes->size - 1, &n);
		if (status != NNR_OK)
			return status;
		bytes->size += n;
		bytes->at[bytes->size] = 0;
		if (n == 0)
			return NNR_OK;
	}
}

nnr_status read_file(const struct host *host, const char *path, bool gz, struct bytes *bytes)
{
	*bytes = (struct bytes){0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(host, path, "cannot open");
	gzFile stream = gz ? gzdopen(fd, "rb") : NULL;
	nnr_status status = NNR_MEMORY;
	if (gz && !stream)
		host_fail(host, status, path, "out of memory");
	else if (stream && gzbuffer(stream, PACKED_ROOM))
		host_fail(host, status, path, "out of memory");
	else
		status = read_all(host, path, fd, stream, bytes);
	if (stream)
		gzclose_r(stream);
	else
		close(fd);
	if (status != NNR_OK) {
		host_free(host, bytes->at);
		*bytes = (struct bytes){0};
	}
	return status;
}

/* The name of a new file in the folder of path: short, so that it fits where path does. */
static int create_temporary(const char *path, char *temporary)
{
	const char *slash = strrchr(path, '/');
	int folder = slash ? (int)(slash - path) + 1 : 0;
	for (int attempt = 0; attempt < 1000; attempt++) {
		sprintf(temporary, "%.*s.nnc-%ld-%d", folder, path, (long)getpid(), attempt);
		int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return -1;
}

static char *copy_text(const struct host *host, const char *text, size_t room)
{
	size_t size = strlen(text) + 1;
	char *copy = host_alloc(host, size + room, 1);
	if (copy)
		memcpy(copy, text, size);
	return copy;
}

nnr_status create_file(const struct host *host, const char *path, struct new_file *file)
{
	struct stat about;
	char real[PATH_MAX];
	*file = (struct new_file){0};
	bool exists = stat(path, &about) == 0;
	if (exists && realpath(path, real)) /* a link stays a link: the file behind it is replaced */
		file->path = copy_text(host, real, 0);
	else
		file->path = copy_text(host, path, 0);
	if (!file->path)
		return NNR_MEMORY;
	int fd;
	if (exists && !S_ISREG(about.st_mode))
		fd = open(file->path, O_WRONLY | O_CLOEXEC);
	else {
		file->temporary = copy_text(host, file->path, 64);
		if (!file->temporary) {
			discard_file(host, file);
			return NNR_MEMORY;
		}
		fd = exists && access(file->path, W_OK) != 0 ? -1 : create_temporary(file->path, file->temporary);
		if (fd < 0)
			*file->temporary = 0;
	}
	if (fd >= 0 && file->temporary && exists)
		(void)!fchmod(fd, about.st_mode & 07777);
	if (fd >= 0 && (file->stream = fdopen(fd, "wb")))
		return NNR_OK;
	nnr_status status = fail_errno(host, path, "cannot write");
	if (fd >= 0)
		close(fd);
	discard_file(host, file);
	return status;
}

/* Make a rename last: the folder's own entry has to reach the disk too. Best effort, as not every file system can. */
static void sync_folder(char *path)
{
	char *slash = strrchr(path, '/');
	if (slash && slash != path)
		*slash = 0;
	int fd = open(!slash ? "." : slash == path ? "/" : path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

nnr_status commit_file(const struct host *host, struct new_file *file, bool durable)
{
	errno = 0;
	bool ok = !ferror(file->stream) && fflush(file->stream) == 0;
	if (!ok && !errno) { /* what failed before fails again, and says why */
		fputc('\n', file->stream);
		fflush(file->stream);
	}
	if (ok && file->temporary && durable)
		ok = fsync(fileno(file->stream)) == 0;
	ok = fclose(file->stream) == 0 && ok;
	file->stream = NULL;
	if (ok && file->temporary)
		ok = rename(file->temporary, file->path) == 0;
	nnr_status status = NNR_OK;
	if (!ok)
		status = errno ? fail_errno(host, file->path, "cannot write")
			       : host_fail(host, NNR_IO, file->path, "cannot write");
	else if (file->temporary) {
		*file->temporary = 0; /* it has its name */
		if (durable)
			sync_folder(file->path);
	}
	discard_file(host, file);
	return status;
}

void discard_file(const struct host *host, struct new_file *file)
{
	if (file->stream)
		fclose(file->stream);
	if (file->temporary && *file->temporary)
		unlink(file->temporary);
	host_free(host, file->temporary);
	host_free(host, file->path);
	*file = (struct new_file){0};
}
