/* random.h - what jitted code calls for its random numbers. */
#ifndef NNR_RANDOM_H
#define NNR_RANDOM_H

#include "model.h"

/* The four words of an element of a row, as in generated C (emit_random.c): Philox4x32-10, keyed by the seed and the
 * place in the model. */
void random_words(const nn_run *run, uint64_t place, int row, int element, uint32_t word[4]);

/* to[i] = scale * draw + shift for `count` elements of a row from `first` on; the draws are those of the generated C's
 * `uniform` and `normal`, to the bit. */
void nn_uniformf(const nn_run *run, uint64_t place, int row, int first, int count, float scale, float shift, float *to);
void nn_normalf(const nn_run *run, uint64_t place, int row, int first, int count, float scale, float shift, float *to);
void nn_uniform(const nn_run *run, uint64_t place, int row, int first, int count, double scale, double shift,
		double *to);
void nn_normal(const nn_run *run, uint64_t place, int row, int first, int count, double scale, double shift,
	       double *to);

#endif
