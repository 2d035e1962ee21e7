/* moons.c - worked example 8: full-batch gradient descent on the two moons; the curve of its cost.
 *
 *   moons TRAIN.csv TEST.csv SEED      exit 0: a plateau near .693, a fall, cost and accuracy as they should be */
#include "m.h"
#include "runtime.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 900, TESTS = 100, STEPS = 10000 };
static float x[ROWS * 2], label[ROWS];
static m_params params;
static m_state state;
static m_work work;
static m_totals totals;

static int read_rows(nnr_model *model, const char *path, int n)
{
	nnr_data *data;
	void *const input[] = {x}, *const target[] = {label};
	if (nnr_read_data(model, path, NULL, &data) || nnr_rows(data) != n)
		return 1;
	nnr_gather(model, data, NULL, 0, n, input, target);
	nnr_free_data(data);
	return 0;
}

int main(int argc, char **argv)
{
	nnr_model *model = nnr_attach(&m_model, NULL, NULL);
	if (argc != 4 || !model || read_rows(model, argv[1], ROWS))
		return 2;
	int fall = 0;
	float plateau = 0, cost = 0, accuracy;
	m_init(&params, &state, strtoull(argv[3], NULL, 10));
	for (int i = 1; i <= STEPS; i++) {
		cost = m_step(&params, &state, x, label, ROWS, &work);
		if (i == 500)
			plateau = cost;
		if (!fall && cost < 0.6f)
			fall = i;
	}
	if (read_rows(model, argv[2], TESTS))
		return 2;
	m_metrics(&params, &state, x, label, &totals, TESTS, &work);
	m_metrics_finish(&params, &state, &totals, &accuracy, &work);
	nnr_close(model);
	printf("two moons: cost %.3f at step 500, below .6 at step %d, %.3f at the end; accuracy %.2f\n", plateau, fall,
	       cost, accuracy);
	return !(fabsf(plateau - 0.693f) < 0.003f && fall > 1000 && fall < 4500 && cost < 0.1f && accuracy >= 0.96f);
}
