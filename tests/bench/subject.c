/* subject.c - the side of a timed program in the talk that subject.h describes. */
#define _POSIX_C_SOURCE 200809L
#include "subject.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double seconds_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double weigh_outputs(const float *out, size_t n)
{
	double sum = 0;
	for (size_t k = 0; k < n; k++)
		sum += (double)(1 + k % 5) * ((double)out[k] - 1) * ((double)out[k] - 1);
	return sum / (double)n;
}

void *read_file(const char *folder, const char *work, const char *suffix, size_t *bytes)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s.%s", folder, work, suffix);
	FILE *file = fopen(path, "rb");
	if (!file)
		return NULL;
	fseek(file, 0, SEEK_END);
	size_t size = (size_t)ftell(file);
	rewind(file);
	char *data = aligned_alloc(64, (size + 64) / 64 * 64);
	if (data && fread(data, 1, size, file) != size) {
		free(data);
		data = NULL;
	}
	fclose(file);
	if (bytes)
		*bytes = size;
	return data;
}

static void prepare_task(const struct subject *s, const char *folder, const char *line, struct task *task)
{
	char what[16];
	size_t bytes = 0;
	free((void *)task->params);
	free((void *)task->x);
	free((void *)task->y);
	*task = (struct task){.batch = 1};
	sscanf(line, "task %31s %15s %d", task->work, what, &task->batch);
	task->train = strcmp(what, "train") == 0;
	task->params = read_file(folder, task->work, "w", &bytes);
	task->n_params = bytes / sizeof(float);
	task->x = read_file(folder, task->work, "x", NULL);
	task->y = read_file(folder, task->work, "y", NULL);
	const char *reason = task->params && task->x ? s->prepare(s->self, task) : "no data";
	if (reason)
		printf("no %s\n", reason);
	else
		printf("ready\n");
}

static void run_task(const struct subject *s, int steps, int times)
{
	double seconds = 0;
	s->reset(s->self);
	s->run(s->self, 1); /* another program had the caches */
	for (int i = 0; i < times; i++) {
		s->reset(s->self);
		double from = seconds_now();
		s->run(s->self, steps);
		seconds += seconds_now() - from;
	}
	printf("%.9g %.17g\n", seconds / times, s->answer(s->self));
}

int serve_subject(const struct subject *subject, const char *folder)
{
	struct task task = {0};
	char line[256];
	int steps, times;
	while (fgets(line, sizeof line, stdin)) {
		if (sscanf(line, "run %d %d", &steps, &times) == 2)
			run_task(subject, steps, times);
		else
			prepare_task(subject, folder, line, &task);
		fflush(stdout);
	}
	return 0;
}
