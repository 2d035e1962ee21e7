/* include.h - finding and reading included files. */
#ifndef NNC_INCLUDE_H
#define NNC_INCLUDE_H

#include "memory.h"
#include "nnc.h"

struct includes {
	struct arena *arena;
	const nnc_options *host;
	LIST(const char *) path; /* where each file was found; a NULL behind the last */
};

struct included {
	const char *path; /* where it was found */
	const char *key;  /* the same for one file, whatever path leads to it */
	const char *text; /* in the arena or the host's; NULL: there is none */
	size_t size;
};

/* Find an included file, named `path` in the text of the file `from`: in the folder of that, then along include_path.
 */
struct included read_include(struct includes *includes, const char *from, const char *path);
/* The key of the file of a path; the path where there is none. */
const char *file_key(struct includes *includes, const char *path);

#endif
