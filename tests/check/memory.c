/* memory.c - compile a model again and again, and let the n-th allocation fail, n = 1, 2, ... until none does.
 *
 *   memory MODEL.nn      prints how many allocations were made to fail; exit 1 if one was not handled or not freed */
#include "nnc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct counter {
	long until_failure, live;
	int failed;
};

static void *allocate(void *user, void *at, size_t size)
{
	struct counter *c = user;
	if (!size) {
		c->live -= at != NULL;
		free(at);
		return NULL;
	}
	if (--c->until_failure == 0) {
		c->failed = 1;
		return NULL;
	}
	void *now = realloc(at, size);
	c->live += !at;
	return now;
}

/* All views of a model; each may be NULL when memory runs out. */
static int use(nnc_model *m)
{
	return nnc_graph_text(m) && nnc_dot_text(m) && nnc_summary_text(m) && nnc_emit_c(m, "m.h", NULL, NULL) &&
	       nnc_emit_header(m, "m.h") && nnc_dependencies(m) && nnc_library_help(m, NULL);
}

int main(int argc, char **argv)
{
	static char text[1 << 20];
	FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
	if (!file)
		return 2;
	size_t size = fread(text, 1, sizeof text, file);
	fclose(file);
	for (long n = 1;; n++) {
		struct counter c = {.until_failure = n};
		nnc_options options = {.allocate = allocate, .user = &c};
		nnc_model *m = nnc_compile("m.nn", text, size, &options);
		int used = m && use(m);
		nnc_free(m);
		if (c.live) {
			printf("allocation %ld fails: %ld blocks are left\n", n, c.live);
			return 1;
		}
		if (!c.failed) {
			printf("%ld\n", n - 1);
			return 0;
		}
		if (used) {
			printf("allocation %ld fails, and nobody says so\n", n);
			return 1;
		}
	}
}
