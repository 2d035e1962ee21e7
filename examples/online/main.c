/* main.c - a program that learns while it runs: the C of online.nn, one small step with every new reading.
 *
 *   nnc online.nn && cc -O2 main.c online.c -lm -o online && ./online
 *
 * A sensor gives a wave whose period changes half way. The model forecasts each reading from the eight before it, then
 * sees the reading and learns from it. All memory is in one struct; nothing is allocated, so the same runs on a
 * microcontroller. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "online.h"

enum { READINGS = 4000, REPORT = 500 };

struct forecaster {
	online_params params;
	online_state state;
	online_work work;
	online_work1 work1;
	float past[ONLINE_PAST]; /* oldest first */
};

static float read_sensor(int t)
{
	float period = t < READINGS / 2 ? 20.0f : 13.0f;
	return sinf(6.2831853f * (float)t / period) + 0.3f * sinf(6.2831853f * (float)t / 50.0f);
}

/* Forecast the next reading, then learn from it; returns the error of the forecast. */
static float take_reading(struct forecaster *f, float reading)
{
	float guess;
	online_forward1(&f->params, f->past, &guess, &f->work1);
	online_step(&f->params, &f->state, f->past, &reading, 1, &f->work);
	memmove(f->past, f->past + 1, (ONLINE_PAST - 1) * sizeof f->past[0]);
	f->past[ONLINE_PAST - 1] = reading;
	return fabsf(guess - reading);
}

int main(void)
{
	static struct forecaster f;
	float sum = 0;
	online_init(&f.params, &f.state, 1);
	f.state.rate = 0.03f; /* the setting of the model */
	printf("%d bytes of memory in all\n", (int)sizeof f);
	for (int t = 0; t < READINGS; t++) {
		sum += take_reading(&f, read_sensor(t));
		if ((t + 1) % REPORT == 0) {
			printf("readings %4d to %4d: mean error %.2f\n", t + 2 - REPORT, t + 1, (double)(sum / REPORT));
			sum = 0;
		}
	}
	return 0;
}
