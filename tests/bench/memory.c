/* memory.c - print the memory that training W3 at batch 128 takes, and what it cannot do without: parameters, their
 * gradients, and the activations that the backward pass reads. */
#include "W3_128.h"
#include <stdio.h>

int main(void)
{
	const double activations = sizeof(float) * 128.0 * (512 + 512 + 10), params = (double)W3_128_model.params_size;
	double needed = params + (double)W3_128_model.grads_size + activations;
	double taken = params + (double)W3_128_model.state_size + (double)W3_128_model.work_size;
	printf("fact\tW3 at batch 128: params, state and work of a training step\t%.2f\tMB\n", taken / 1e6);
	printf("fact\t  to params, gradients and live activations (%.2f MB)\t%.2f\ttimes\n", needed / 1e6,
	       taken / needed);
	return 0;
}
