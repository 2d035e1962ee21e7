/* examples.c - run the models that examples.awk made: the outputs left and right agree, or the param w after one step
 * and the output right; to 1e-5 of the value, or 1e-6. models[] comes from the file that is linked with this. */
#include "rows.h"
#include <math.h>
#include <stdio.h>

extern const nn_model *const models[];
extern const char *const example[];
extern const int n_models;

static const nn_tensor *find(const nn_model *m, const char *name, int *place)
{
	*place = 0;
	for (uint32_t i = 0; i < m->n_tensor; i++)
		if (!strcmp(m->tensor[i].name, name)) {
			for (uint32_t k = 0; k < i; k++)
				*place += m->tensor[k].kind == m->tensor[i].kind;
			return &m->tensor[i];
		}
	return NULL;
}

static double element(const nn_tensor *t, const void *at, size_t i)
{
	return t->elem == NN_REAL ? ((const double *)at)[i] : ((const int32_t *)at)[i];
}

static int check(const nn_model *m, const char *text)
{
	int left_place, right_place, ok = 1;
	struct run r = make_run(m);
	const nn_tensor *left = find(m, "left", &left_place), *right = find(m, "right", &right_place);
	double loss;
	m->init(r.params, r.state, 0);
	m->forward(r.params, r.state, NULL, r.output, (int)m->batch, r.work);
	const void *value = left ? r.output[left_place] : NULL;
	if (!left) {
		m->step(r.params, r.state, NULL, NULL, &loss, (int)m->batch, r.work);
		left = find(m, "w", &left_place);
		value = left ? (char *)r.params + left->offset : NULL;
	}
	if (!left || !right || left->count != right->count)
		ok = (printf("%s: %zu elements, not %zu\n", text, left ? left->count : 0, right ? right->count : 0), 0);
	size_t rows = left && left->batched ? m->batch : 1;
	for (size_t i = 0; ok && i < rows * left->count; i++) {
		size_t k = right->batched ? i : i % right->count;
		double a = element(left, value, i), b = element(right, r.output[right_place], k);
		if (!(fabs(a - b) <= fmax(1e-6, 1e-5 * fabs(b))) && a != b)
			ok = (printf("%s: element %zu is %.10g, not %.10g\n", text, i, a, b), 0);
	}
	free_run(&r);
	return ok;
}

int main(void)
{
	int bad = 0;
	for (int i = 0; i < n_models; i++)
		bad += !check(models[i], example[i]);
	return bad != 0;
}
