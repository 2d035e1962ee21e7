/* median.c - run a command 21 times and print the median of its times. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	enum { RUNS = 21 };
	double ms[RUNS];
	if (argc < 2)
		return 2;
	for (int i = 0; i < RUNS; i++) {
		struct timespec from, to;
		int status;
		clock_gettime(CLOCK_MONOTONIC, &from);
		pid_t child = fork();
		if (child == 0) {
			execv(argv[1], argv + 1);
			_exit(127);
		}
		if (child < 0 || waitpid(child, &status, 0) < 0 || status) {
			printf("failed\n");
			return 1;
		}
		clock_gettime(CLOCK_MONOTONIC, &to);
		ms[i] = (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
	}
	qsort(ms, RUNS, sizeof *ms, compare);
	printf("%8.2f ms (%.2f to %.2f)\n", ms[RUNS / 2], ms[0], ms[RUNS - 1]);
	return 0;
}
