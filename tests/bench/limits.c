/* limits.c - what this core can do at most, for the instruction set that this file is compiled for: multiply-adds on
 * registers, and passes over parameters in memory. For each line of standard input, a number of bytes, it prints
 *
 *   GFLOP/s SECONDS SECONDS
 *
 * of multiply-adds; of one read of so many bytes; of a read and then an update in place. Passes alternate their
 * direction, which is the best that can be done with more bytes than a cache holds. */
#include "subject.h"
#include <stdio.h>
#include <stdlib.h>

#if defined(__AVX512F__)
enum { WIDTH = 16 };
#elif defined(__AVX__)
enum { WIDTH = 8 };
#else
enum { WIDTH = 4 };
#endif
typedef float vector __attribute__((vector_size(WIDTH * sizeof(float))));

#define TWELVE(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

/* Twelve chains hide the latency of two units. They start from *sink, as a compiler finds that one which starts from 1
 * stays there, and does eleven; and *sink keeps the result in use. Steps are unrolled, so that it does not matter where
 * in a line of the cache the jump of the loop comes to lie. */
static double time_multiply_adds(long n, volatile float *sink)
{
	const vector a = (vector){0} + 0.999f, b = (vector){0} + 1e-3f;
	const float start = *sink;
#define DECLARE(i) vector chain##i = (vector){0} + (start + (float)i);
	TWELVE(DECLARE)
	double from = seconds_now();
#pragma GCC unroll 4
	for (long k = 0; k < n; k++) {
#define ADVANCE(i) chain##i = chain##i * a + b;
		TWELVE(ADVANCE)
	}
	double seconds = seconds_now() - from;
	vector sum = {0};
#define GATHER(i) sum += chain##i;
	TWELVE(GATHER)
	*sink = sum[0] + sum[WIDTH - 1];
	return seconds;
}

static void read_pass(const vector *at, long n, int step, volatile float *sink)
{
	vector sum[8] = {{0}};
	for (long k = 0; k < n / 8; k++, at += 8 * step)
		for (int j = 0; j < 8; j++)
			sum[j] += at[j];
	for (int j = 1; j < 8; j++)
		sum[0] += sum[j];
	*sink = sum[0][0] + sum[0][WIDTH - 1];
}

static void update_pass(vector *at, long n, int step)
{
	const vector rate = (vector){0} + 1e-9f;
	for (long k = 0; k < n / 8; k++, at += 8 * step)
		for (int j = 0; j < 8; j++)
			at[j] = at[j] * rate + at[j];
}

/* Seconds of one pass: forth and back, or, with update, a read forth and an update back. */
static double time_passes(vector *data, long n, bool update, double least, volatile float *sink)
{
	vector *last = data + (n / 8 - 1) * 8;
	double from = seconds_now(), seconds;
	long rounds = 0;
	do {
		read_pass(data, n, 1, sink);
		if (update)
			update_pass(last, n, -1);
		else
			read_pass(last, n, -1, sink);
		KEEP_MEMORY();
		rounds++;
	} while ((seconds = seconds_now() - from) < least);
	return seconds / (double)rounds / (update ? 1 : 2);
}

int main(void)
{
	const long n = 1000000;
	const double least = 5e-3;
	volatile float sink = 0;
	size_t bytes;
	while (scanf("%zu", &bytes) == 1) {
		long vectors = (long)((bytes + 8 * sizeof(vector) - 1) / (8 * sizeof(vector)) * 8);
		vector *data = aligned_alloc(4096, ((size_t)vectors * sizeof(vector) + 4095) / 4096 * 4096);
		if (!data)
			return EXIT_FAILURE;
		for (long k = 0; k < vectors; k++)
			data[k] = (vector){0} + 1e-3f;
		double rate = (double)n * 12 * 2 * WIDTH / time_multiply_adds(n, &sink) * 1e-9;
		double read = time_passes(data, vectors, false, least, &sink);
		double update = time_passes(data, vectors, true, least, &sink);
		printf("%.6g %.6g %.6g\n", rate, read, update);
		fflush(stdout);
		free(data);
	}
	return 0;
}
