/* subject.h - what every timed program has in common. It is told on standard input what to do and answers on standard
 * output, a line for a line:
 *
 *   task W2 train 32            ready                or: no REASON
 *   run 64 3                    SECONDS ANSWER
 *
 * `run 64 3` three times goes back to the initial values, which is not timed, and does 64 steps (or forward passes),
 * which is. SECONDS is the mean over the three; ANSWER tells a right program from a wrong one: of `train` the loss that
 * the last step began with, of `forward` the mean of (1 + k % 5) (out[k] - 1)^2 over the outputs of the last pass.
 * Initial values, inputs and targets are files that all programs read: WORK.w, WORK.x, WORK.y, of float and int32. */
#ifndef SUBJECT_H
#define SUBJECT_H

#include <stdbool.h>
#include <stddef.h>

struct task {
	char work[32];
	bool train;
	int batch;
	const void *params, *x, *y; /* x and y have rows for the largest batch */
	size_t n_params;
};

/* The file FOLDER/WORK.SUFFIX, or NULL; *bytes (may be NULL) is its size. */
void *read_file(const char *folder, const char *work, const char *suffix, size_t *bytes);
/* The answer of a forward pass. */
double weigh_outputs(const float *out, size_t n);
double seconds_now(void);

/* What is particular to one program; self is handed back to it. */
struct subject {
	void *self;
	const char *(*prepare)(void *self, const struct task *task); /* NULL when it is ready, or why it is not */
	void (*reset)(void *self);
	void (*run)(void *self, int steps);
	double (*answer)(void *self);
};

/* Do as standard input says until it ends. */
int serve_subject(const struct subject *subject, const char *folder);

/* What is behind this line has seen all memory as it is: a loop over equal passes is not moved or merged. */
#define KEEP_MEMORY() __asm__ volatile("" ::: "memory")

#endif
