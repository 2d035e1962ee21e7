/* random_kernels.h - random words for many elements at a time, compiled for each instruction set. */
#ifndef NNR_RANDOM_KERNELS_H
#define NNR_RANDOM_KERNELS_H

#include <stdint.h>

enum { RANDOM_BLOCK = 64 };

/* The first two words (random.h) of elements first, first + 1, ... of a row. */
typedef void random_block(uint64_t key, uint32_t row, uint32_t step, uint32_t first, uint32_t word0[RANDOM_BLOCK],
			  uint32_t word1[RANDOM_BLOCK]);
random_block random_block_base;
#if defined(__x86_64__)
random_block random_block_avx2, random_block_avx512;
#endif

#endif
