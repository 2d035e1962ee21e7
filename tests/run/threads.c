/* Threads: contexts of their own give what one alone gives, and const params are shared. */
#include "threads.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 4, STEPS = 200 };

struct context {
	threads_params params;
	threads_state state;
	threads_work work;
	uint64_t seed;
};

static void fill(float x[4][8], float t[4], int k)
{
	for (int i = 0; i < 32; i++)
		x[i / 8][i % 8] = (float)((i * 7 + k * 3) % 11) / 11;
	for (int i = 0; i < 4; i++)
		t[i] = x[i][0] - x[i][3];
}

static void *train(void *argument)
{
	struct context *c = argument;
	float x[4][8], t[4];
	threads_init(&c->params, &c->state, c->seed);
	for (int k = 0; k < STEPS; k++) {
		fill(x, t, k);
		threads_step(&c->params, &c->state, x[0], t, 4, &c->work);
	}
	return NULL;
}

static struct reader {
	const threads_params *params;
	float y[STEPS][4];
} readers[THREADS];

static void *predict(void *argument)
{
	struct reader *r = argument;
	threads_work work;
	float x[4][8], t[4];
	for (int k = 0; k < STEPS; k++) {
		fill(x, t, k);
		threads_forward(r->params, x[0], r->y[k], 4, &work);
	}
	return NULL;
}

int main(void)
{
	static struct context together[THREADS], alone;
	pthread_t thread[THREADS];
	int wrong = 0;

	for (int i = 0; i < THREADS; i++) {
		together[i].seed = (uint64_t)(i / 2); /* two of each seed */
		pthread_create(&thread[i], NULL, train, &together[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < THREADS; i++) {
		alone.seed = together[i].seed;
		train(&alone);
		wrong += memcmp(&alone.params, &together[i].params, sizeof alone.params) != 0;
	}
	printf("%d of %d threads went another way than alone\n", wrong, THREADS);
	for (int i = 0; i < THREADS; i++) {
		readers[i].params = &alone.params;
		pthread_create(&thread[i], NULL, predict, &readers[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (int i = 1; i < THREADS; i++)
		wrong += memcmp(readers[0].y, readers[i].y, sizeof readers[0].y) != 0;
	printf("shared params: all readers agree: %s\n", wrong ? "no" : "yes");
	return wrong;
}
