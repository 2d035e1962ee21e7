/* A step by a team of threads does what one thread does, with any number of them and of rows: team [STEPS [THREADS]] */
#define _POSIX_C_SOURCE 200112L
#include "team.h"
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 5 };

struct thread {
	nn_team team;
	pthread_t id;
	pthread_barrier_t *barrier;
	float loss;
	int n;
};

static team_params alone, together;
static team_state state, shared;
static team_work work;
static float x[TEAM_BATCH][TEAM_X];
static int32_t y[TEAM_BATCH];

static void meet(const nn_team *team) { pthread_barrier_wait(((const struct thread *)(const void *)team)->barrier); }

static void *run(void *argument)
{
	struct thread *t = argument;
	t->loss = team_team_step(&together, &shared, x[0], y, t->n, &work, &t->team);
	return NULL;
}

static float step_together(int parts, int n)
{
	static struct thread thread[MOST];
	pthread_barrier_t barrier;
	pthread_barrier_init(&barrier, NULL, (unsigned)parts);
	for (int i = 0; i < parts; i++) {
		struct thread *t = &thread[i];
		*t = (struct thread){{i, parts, malloc(team_model.own_size + 1), meet}, t->id, &barrier, 0, n};
		pthread_create(&t->id, NULL, run, t);
	}
	for (int i = 0; i < parts; i++) {
		pthread_join(thread[i].id, NULL);
		free(thread[i].team.own);
	}
	pthread_barrier_destroy(&barrier);
	return thread[0].loss;
}

static int differ(int parts, int steps)
{
	int wrong = 0;
	team_init(&alone, &state, 3);
	team_init(&together, &shared, 3);
	for (int k = 0; k < steps; k++) {
		int n = k % 2 ? 5 + 3 * k : TEAM_BATCH;
		float a = team_step(&alone, &state, x[0], y, n, &work), b = step_together(parts, n);
		wrong += fabsf(a - b) > 1e-5f * fabsf(a);
	}
	for (int i = 0; i < TEAM_NPARAM; i++)
		wrong += fabsf(alone.flat[i] - together.flat[i]) > 1e-4f * (fabsf(alone.flat[i]) + 0.1f);
	return wrong + (state.run.step != shared.run.step);
}

int main(int argc, char **argv)
{
	int wrong = 0, steps = argc > 1 ? atoi(argv[1]) : 6, most = argc > 2 ? atoi(argv[2]) : MOST;
	for (int i = 0; i < TEAM_BATCH; i++) {
		for (int k = 0; k < TEAM_X; k++)
			x[i][k] = (float)((i * 31 + k * 7 + i * k) % 17) / 17 - 0.5f;
		y[i] = i % 7;
	}
	for (int parts = 1; parts <= most; parts += 2)
		wrong += differ(parts, steps);
	printf("%d numbers differ\n", wrong);
	return wrong != 0;
}
