/* ours_main.c - nnc's C for all works, one of the timed programs: ours FOLDER. Of the models of a work it takes the
 * one made for the batch, or, to predict one row, the first. */
#include "ours.h"
#include <stdlib.h>
#include <string.h>

static const char *prepare(void *self, const struct task *task)
{
	const struct ours **chosen = self;
	*chosen = NULL;
	for (int k = 0; all_ours[k]; k++) {
		const struct ours *o = all_ours[k];
		if (strcmp(o->work, task->work) == 0 &&
		    (o->batch == task->batch || (!task->train && task->batch == 1)) && o->prepare(task)) {
			*chosen = o;
			return NULL;
		}
	}
	return "not built";
}

static void reset(void *self) { (*(const struct ours **)self)->reset(); }

static void run(void *self, int steps) { (*(const struct ours **)self)->run(steps); }

static double answer(void *self) { return (*(const struct ours **)self)->answer(); }

int main(int argc, char **argv)
{
	const struct ours *chosen = NULL;
	const struct subject subject = {&chosen, prepare, reset, run, answer};
	return argc == 2 ? serve_subject(&subject, argv[1]) : EXIT_FAILURE;
}
