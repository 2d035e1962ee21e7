/* sweeps.c - a step leaves the same params, to the bit, as backward and then update, for every number of rows. */
#include "rows.h"
#include <stdio.h>

extern const nn_model MODEL;

static void fill(void *const *rows, size_t count)
{
	for (size_t k = 0; k < count; k++)
		((double *)rows[0])[k] = uniform(-1, 1);
}

int main(void)
{
	const nn_model *m = &MODEL;
	struct run one = make_run(m), two = make_run(m);
	size_t count = m->params_size / sizeof(double);
	int wrong = 0, batch = (int)m->batch;
	double loss[2];

	m->init(one.params, one.state, 7);
	m->init(two.params, two.state, 7);
	for (int k = 0; k < 2 * batch && !wrong; k++) {
		int n = k < batch ? k + 1 : 2 * batch - k;
		const double *p = one.params, *q = two.params;

		fill(one.input, m->batch * 71);
		fill(one.target, m->batch * 5);
		m->step(one.params, one.state, (const void *const *)one.input, (const void *const *)one.target,
			&loss[0], n, one.work);
		m->backward(two.params, two.state, (const void *const *)one.input, (const void *const *)one.target,
			    two.grads, &loss[1], n, two.work);
		m->update(two.params, two.state, two.grads);
		wrong += loss[0] != loss[1];
		for (size_t i = 0; i < count; i++)
			wrong += !(p[i] == q[i]);
		if (wrong)
			printf("%d numbers differ after %d rows\n", wrong, n);
	}
	free_run(&one);
	free_run(&two);
	return wrong != 0;
}
