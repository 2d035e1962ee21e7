/* files.h - reading files whole and writing them all at once. */
#ifndef NNR_FILES_H
#define NNR_FILES_H

#include "handle.h"

/* size bytes and a 0 behind them. */
struct bytes {
	char *at;
	size_t size;
};

/* Read a file, through zlib where gz allows it (plain files are read as they are). Errors are reported. Free bytes.at.
 */
nnr_status read_file(const struct host *host, const char *path, bool gz, struct bytes *bytes);

/* A file in the making: what is written to stream stands in a temporary file beside path until commit_file. */
struct new_file {
	FILE *stream;
	char *path, *temporary; /* temporary NULL: path is no ordinary file (a terminal, /dev/null) and is written
				   directly */
};
nnr_status create_file(const struct host *host, const char *path, struct new_file *file);
/* Flush all the way to the disk where durable, then give the file its name. Frees file whatever happens. */
nnr_status commit_file(const struct host *host, struct new_file *file, bool durable);
/* Forget it; harmless after commit_file and on a zeroed struct. */
void discard_file(const struct host *host, struct new_file *file);

#endif
