/* data.c - write what all timed programs start from: data MODEL.nn ROWS FOLDER, for as many rows as the largest batch.
 * FOLDER/WORK.w has the params in their order, WORK.x and WORK.y a batch, WORK.layout the params' names and shapes.
 * A matrix is uniform with the variance 1 / fan-in, a vector of weights is near 1, one of biases near 0; inputs are
 * uniform in 0 .. 1. All are exact functions of their place, so that the recorded answers hold on every machine. */
#include "runtime.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct writer {
	const char *folder, *work;
	uint64_t random;
};

/* 0 <= u < 1, of 24 bits: Steele, Lea and Flood's SplitMix64. */
static float next_uniform(struct writer *w)
{
	uint64_t z = w->random += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (float)((z ^ (z >> 31)) >> 40) * 0x1p-24f;
}

static FILE *open_file(const struct writer *w, const char *suffix)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s.%s", w->folder, w->work, suffix);
	return fopen(path, "wb");
}

static void write_param(struct writer *w, const nn_tensor *t, FILE *file)
{
	size_t fan_in = t->rank > 1 ? t->count / (size_t)t->dim[0] : 1, length = strlen(t->name);
	double size = t->rank > 1 ? sqrt(3.0 / (double)fan_in) : 0.125;
	double middle = t->rank == 1 && length > 6 && strcmp(t->name + length - 6, "weight") == 0 ? 1 : 0;
	for (size_t k = 0; k < t->count; k++) {
		float value = (float)(middle + size * (2 * (double)next_uniform(w) - 1));
		fwrite(&value, sizeof value, 1, file);
	}
}

static int write_params(struct writer *w, const nn_model *m)
{
	FILE *file = open_file(w, "w"), *layout = open_file(w, "layout");
	if (!file || !layout)
		return 1;
	for (uint32_t k = 0; k < m->n_tensor; k++) {
		const nn_tensor *t = &m->tensor[k];
		if (t->kind != NN_PARAM)
			continue;
		write_param(w, t, file);
		fprintf(layout, "%s", t->name);
		for (int d = 0; d < t->rank; d++)
			fprintf(layout, " %d", t->dim[d]);
		fprintf(layout, "\n");
	}
	return fclose(file) | fclose(layout);
}

static int write_rows(struct writer *w, const nn_tensor *t, int rows, const char *suffix)
{
	FILE *file = t ? open_file(w, suffix) : NULL;
	if (!file)
		return t != NULL;
	for (size_t k = 0; k < t->count * (size_t)rows; k++) {
		float u = next_uniform(w);
		int32_t label = (int32_t)(u * (float)t->classes);
		if (t->elem == NN_REAL)
			fwrite(&u, sizeof u, 1, file);
		else
			fwrite(&label, sizeof label, 1, file);
	}
	return fclose(file);
}

int main(int argc, char **argv)
{
	nnr_model *model = argc == 4 ? nnr_open(argv[1], NULL, NULL) : NULL;
	if (!model)
		return 1;
	const nn_model *m = nnr_descriptor(model);
	struct writer w = {argv[3], m->name, 1};
	int rows = atoi(argv[2]);
	int failed = write_params(&w, m) || write_rows(&w, nnr_tensor(model, NN_INPUT, 0), rows, "x") ||
		     write_rows(&w, nnr_tensor(model, NN_TARGET, 0), rows, "y");
	nnr_close(model);
	return failed;
}
