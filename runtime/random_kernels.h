/* random_kernels.h - random words for many elements at a time, compiled for each instruction set. */
#ifndef NNR_RANDOM_KERNELS_H
#define NNR_RANDOM_KERNELS_H

#include <stdint.h>

enum { RANDOM_BLOCK = 512 };

/* The first words (random.h) of elements first, first + 1, ... of a row, n of them, at most RANDOM_BLOCK; and the second
 * ones, if word1 is not NULL. More may be written behind those, as far as the arrays go. */
typedef void random_block(uint64_t key, uint32_t row, uint32_t step, uint32_t first, int n,
			  uint32_t word0[RANDOM_BLOCK], uint32_t word1[RANDOM_BLOCK]);
random_block random_block_base;
#if defined(__x86_64__)
random_block random_block_avx2, random_block_avx512;
#endif

#endif
