/* include.h - finding and reading included files. */
#ifndef NNC_INCLUDE_H
#define NNC_INCLUDE_H

#include "memory.h"
#include "nnc.h"

struct includes {
	struct arena *arena;
	const char *beside;	 /* the file whose folder is looked in first */
	LIST(const char *) path; /* where each file was found; a NULL behind the last */
};

/* The text of an included file, in the arena or the host's, or NULL. */
const char *read_include(struct includes *includes, const nnc_options *host, const char *path, size_t *size);

#endif
