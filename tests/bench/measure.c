/* measure.c - the clock. All programs of a row are asked in turn for one sample each, again and again, and the peak of
 * the machine is taken once a turn as well: what disturbs the machine for a while disturbs all of them. */
#include "bench.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* An answer is right if it is this near, relatively, to that in double. Float programs that add in different orders
 * come within 5e-6 of it; a gradient left out or updates wrong by a hundredth do not. */
static const double tolerance = 2e-5;

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

struct spread spread_of(const double *value, int n)
{
	double v[MOST_SAMPLES];
	memcpy(v, value, (size_t)n * sizeof *v);
	qsort(v, (size_t)n, sizeof *v, compare);
	return (struct spread){v[0], v[n / 4], v[n / 2], v[n - 1 - n / 4], v[n - 1]};
}

static double expected_answer(const struct row *row, int steps)
{
	int k = 0;
	while (1 << k < steps)
		k++;
	return k < row->answers ? row->answer[k] : (double)NAN;
}

/* One sample; false if the program is gone. */
static bool take_sample(struct program *p, const struct row *row, struct cell *c, double *seconds)
{
	char question[64], answer[256];
	double value;
	snprintf(question, sizeof question, "run %d %d", c->steps, c->times);
	if (!ask_child(&p->child, question, answer, sizeof answer) || sscanf(answer, "%lf %lf", seconds, &value) != 2) {
		c->state = ABSENT;
		snprintf(c->why, sizeof c->why, "stopped");
		return false;
	}
	*seconds /= c->steps;
	double expected = expected_answer(row, c->steps), error = fabs(value - expected) / fabs(expected);
	if (!(error <= c->error)) { /* also if it is no number */
		c->error = error;
		c->answer = value;
	}
	if (!(error <= tolerance))
		c->state = WRONG;
	return true;
}

/* How many steps make a sample: the row's, but fewer where even one sample would take too long; and how often. */
static void choose_steps(const struct bench *b, struct program *p, const struct row *row, struct cell *c)
{
	double seconds, most = b->patience / 3;
	c->steps = row->steps < 2 ? row->steps : 2;
	c->times = 1;
	while (take_sample(p, row, c, &seconds) && c->steps < row->steps && seconds * c->steps * 4 < most)
		c->steps *= c->steps * 4 <= row->steps ? 4 : 2;
	if (c->state == ABSENT)
		return;
	double one = seconds * c->steps;
	if (one > b->patience) /* then this was the only sample */
		c->seconds[c->n++] = seconds;
	c->times = one < b->sample ? (int)ceil(b->sample / one) : 1;
}

static void start_row(const struct bench *b, struct program *p, const struct row *row, struct cell *c)
{
	char question[80], answer[sizeof c->why] = "stopped";
	snprintf(question, sizeof question, "task %s %s %d", row->work, row->train ? "train" : "forward", row->batch);
	c->state = RIGHT;
	if (!ask_child(&p->child, question, answer, sizeof answer) || strcmp(answer, "ready") != 0) {
		c->state = ABSENT;
		snprintf(c->why, sizeof c->why, "%s", strncmp(answer, "no ", 3) == 0 ? answer + 3 : answer);
		return;
	}
	choose_steps(b, p, row, c);
}

/* What the machine can do now. */
static void sample_limits(struct bench *b, const struct row *row, double peak[LIMITS][MOST_SAMPLES], double *pass,
			  int s)
{
	char question[32], answer[256];
	double read, update;
	snprintf(question, sizeof question, "%zu", row->param_bytes);
	for (int k = 0; k < LIMITS; k++) {
		peak[k][s] = 0;
		if (!ask_child(&b->limit[k].child, question, answer, sizeof answer) ||
		    sscanf(answer, "%lf %lf %lf", &peak[k][s], &read, &update) != 3)
			continue;
		peak[k][s] *= 1e9;
		if (k == NATIVE)
			pass[s] = row->train ? update : read;
	}
}

void measure_row(struct bench *b, struct row *row)
{
	double peak[LIMITS][MOST_SAMPLES] = {{0}}, pass[MOST_SAMPLES] = {0};
	for (int p = 0; p < b->programs; p++)
		start_row(b, &b->program[p], row, &row->cell[p]);
	for (int s = 0; s < b->samples; s++) {
		sample_limits(b, row, peak, pass, s);
		for (int p = 0; p < b->programs; p++) {
			struct cell *c = &row->cell[p];
			double spent = 0;
			for (int k = 0; k < c->n; k++)
				spent += c->seconds[k] * c->steps * c->times;
			if (c->state != ABSENT && (c->n == 0 || spent < b->patience) &&
			    take_sample(&b->program[p], row, c, &c->seconds[c->n]))
				c->n++;
		}
	}
	for (int k = 0; k < LIMITS; k++)
		row->peak[k] = spread_of(peak[k], b->samples).median;
	/* What a first-level cache holds is read while the arithmetic goes on. */
	if (row->batch == 1 && row->param_bytes > 48 << 10)
		row->pass = spread_of(pass, b->samples).least;
	for (int p = 0; p < b->programs; p++)
		if (row->cell[p].state != ABSENT)
			row->cell[p].spread = spread_of(row->cell[p].seconds, row->cell[p].n);
}

void measure_commands(struct bench *b, const char *group)
{
	for (int s = 0; s < b->samples; s++)
		for (int k = 0; k < b->commands; k++) {
			struct command *c = &b->command[k];
			double spent = 0, seconds;
			for (int i = 0; i < c->n; i++)
				spent += c->seconds[i];
			if (strcmp(c->group, group) != 0 || c->failed || (c->n && spent > b->patience / 2))
				continue;
			seconds = time_process(c->words);
			c->failed = seconds < 0;
			c->seconds[c->n++] = seconds;
		}
	for (int k = 0; k < b->commands; k++)
		if (strcmp(b->command[k].group, group) == 0)
			b->command[k].spread = spread_of(b->command[k].seconds, b->command[k].n);
}

void record_row(struct bench *b, const struct row *row, FILE *file)
{
	char question[80], answer[256];
	const char *what = row->train ? "train" : "forward";
	struct child *child = &b->program[0].child;
	double seconds, value;
	snprintf(question, sizeof question, "task %s %s %d", row->work, what, row->batch);
	fprintf(file, "%s %s %d", row->work, what, row->batch);
	if (ask_child(child, question, answer, sizeof answer) && strcmp(answer, "ready") == 0)
		for (int steps = 1; steps <= row->steps; steps *= 2) {
			snprintf(question, sizeof question, "run %d 1", steps);
			if (ask_child(child, question, answer, sizeof answer) &&
			    sscanf(answer, "%lf %lf", &seconds, &value) == 2)
				fprintf(file, " %.12g", value);
		}
	fprintf(file, "\n");
	fflush(file);
}
