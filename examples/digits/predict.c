/* predict.c - the digits of a data set, by code that nnc generated ahead of time: predict WEIGHTS TEST.csv
 *
 * digits.c has the network; libnnrun reads the weights and the data. One predicted digit a line. */
#include <stdio.h>
#include <stdlib.h>

#include <runtime.h>

#include "digits.h"

static void report(void *user, const nnc_message *m)
{
	(void)user;
	fprintf(stderr, "%s:%d: %s\n", m->file ? m->file : "predict", m->line, m->text);
}

static int largest(const float *p, int n)
{
	int best = 0;
	for (int k = 1; k < n; k++)
		if (p[k] > p[best])
			best = k;
	return best;
}

int main(int argc, char **argv)
{
	enum { PIXELS = 64, CLASSES = 10 };
	nnc_options options = {.report = report};
	nnr_model *model = nnr_attach(&digits_model, &options, NULL);
	nnr_data *data = NULL;
	if (argc != 3 || !model || nnr_load(model, argv[1]) || nnr_read_data(model, argv[2], NULL, &data))
		return 1;
	for (int64_t row = 0; row < nnr_rows(data); row++) {
		float image[PIXELS], probability[CLASSES];
		void *in[] = {image}, *out[] = {probability};
		nnr_gather(model, data, NULL, row, 1, in, NULL);
		if (nnr_predict(model, (const void *const *)in, out, 1))
			return 1;
		printf("%d\n", largest(probability, CLASSES));
	}
	nnr_free_data(data);
	nnr_close(model);
	return 0;
}
