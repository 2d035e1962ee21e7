/* XOR, from initial values to a table of truth. */
#include "xor.h"
#include <stdio.h>

int main(void)
{
	static const float pair[4][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}}, odd[4][1] = {{0}, {1}, {1}, {0}};
	xor_params params;
	xor_state state;
	xor_work work;
	xor_totals totals = {0};
	float odds[4][1], accuracy[XOR_NMETRIC], loss = 0;

	xor_init(&params, &state, 3);
	printf("loss %.2f", xor_loss(&params, &state, pair[0], odd[0], 4, &work));
	for (int step = 0; step < 400; step++)
		loss = xor_step(&params, &state, pair[0], odd[0], 4, &work);
	xor_metrics(&params, &state, pair[0], odd[0], &totals, 4, &work);
	xor_metrics_finish(&params, &state, &totals, accuracy, &work);
	printf(", after %d steps %s .01; accuracy %g\n", (int)state.run.step, loss < .01f ? "below" : "above",
	       accuracy[0]);
	xor_forward(&params, pair[0], odds[0], 4, &work);
	for (int row = 0; row < 4; row++)
		printf("%g xor %g = %.0f\n", pair[row][0], pair[row][1], odds[row][0]);
	return 0;
}
