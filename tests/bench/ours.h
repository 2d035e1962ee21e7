/* ours.h - one model that nnc compiled, built into a timed program. */
#ifndef OURS_H
#define OURS_H

#include "subject.h"

struct ours {
	const char *work;
	int batch;
	bool (*prepare)(const struct task *task); /* false: this model has no such function */
	void (*reset)(void);
	void (*run)(int steps);
	double (*answer)(void);
};

/* All of this program; the last has no work. */
extern const struct ours *const all_ours[];

#endif
