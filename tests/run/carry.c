#include "carry.h"
#include "near.h"

#include <string.h>

static carry_params p;
static carry_state state, fresh, trained;
static carry_work w;
static carry_work1 w1;
static carry_stream stream[2];

int main(void)
{
	double x[2][2][3][2], y[2][3][4], step[4];
	carry_init(&p, &state, 3);
	fresh = trained = state;
	for (int k = 0; k < 24; k++)
		(&x[0][0][0][0])[k] = (k * 37 % 11) / 7.0 - 0.6;
	for (int half = 0; half < 2; half++) {
		double before = carry_loss(&p, &trained, x[half][0][0], 2, &w), mean = 0;
		carry_forward(&p, &state, x[half][0][0], y[0][0], 2, &w);
		for (int row = 0; row < 2; row++)
			for (int t = 0; t < 3; t++) {
				carry_stream_step(&p, &fresh, &stream[row], x[half][row][t], step, &w1);
				all_near("y", y[row][t], step, 4, 1e-12);
				for (int i = 0; i < 4; i++)
					mean += step[i] * step[i] / 24;
			}
		/* training goes on from the same states */
		near("loss before", before, mean, 1e-12);
		near("training loss", carry_step(&p, &trained, x[half][0][0], 2, &w), mean, 1e-12);
	}
	if (memcmp(state.net_h0_l0, fresh.net_h0_l0, sizeof state.net_h0_l0) == 0)
		near("the state has moved on", 0, 1, 0);
	all_near("h0 after training", &trained.net_h0_l0[0][0], &state.net_h0_l0[0][0], 8, 1e-12);
	return wrong != 0;
}
