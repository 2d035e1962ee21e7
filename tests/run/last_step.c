/* Inference, whose states have memory for one step, agrees with training, which keeps them all. */
#include "last_step.h"
#include <math.h>
#include <stdio.h>

static last_step_params params;
static last_step_grads grads;
static last_step_state state;
static last_step_work work;
static last_step_work1 work1;
static float x[3][40][3], y[3], last[3], one;

int main(void)
{
	int wrong = 0;

	last_step_init(&params, &state, 4);
	for (int b = 0; b < 3; b++)
		for (int t = 0; t < 40; t++)
			for (int k = 0; k < 3; k++)
				x[b][t][k] = (float)((7 * b + 5 * t + 3 * k) % 11 - 5) / 4;
	for (int n = 1; n <= 3; n++) {
		float trained, evaluated, sum = 0;

		trained = last_step_backward(&params, &state, x[0][0], y, &grads, n, &work);
		evaluated = last_step_loss(&params, &state, x[0][0], y, n, &work);
		last_step_forward(&params, x[0][0], last, n, &work);
		for (int b = 0; b < n; b++) {
			last_step_forward1(&params, x[b][0], &one, &work1);
			wrong += !(fabsf(one - last[b]) <= 1e-6f * fabsf(one));
			sum += last[b] * last[b] / (float)n;
		}
		wrong += !(fabsf(evaluated - trained) <= 1e-5f * trained) || !(fabsf(sum - trained) <= 1e-5f * trained);
	}
	printf("%d wrong, the states of a row take %s\n", wrong,
	       sizeof work1 < 40 * 5 * 2 * sizeof(float) ? "little" : "much");
	return 0;
}
