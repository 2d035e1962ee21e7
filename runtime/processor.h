/* processor.h - what this processor can run. */
#ifndef NNR_PROCESSOR_H
#define NNR_PROCESSOR_H

#include <stdbool.h>

/* The instruction sets for which kernels are compiled: "avx512", "avx2", and "base", which every one can. */
bool processor_runs(const char *instructions);

#endif
