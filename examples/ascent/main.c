/* main.c - climb: the C of ascent.nn, 300 steps and where they lead.
 *
 *   nnc ascent.nn && cc main.c ascent.c -lm -o ascent && ./ascent */
#include <stdio.h>

#include "ascent.h"

int main(void)
{
	static ascent_params params;
	static ascent_state state;
	static ascent_work work;
	float x, f;

	ascent_init(&params, &state, 0);
	for (int step = 0; step <= 300; step++) {
		ascent_forward(&params, &x, &f, 1, &work);
		if (step % 100 == 0)
			printf("step %3d: f(%.4f) = %.4f\n", step, (double)x, (double)f);
		ascent_step(&params, &state, 1, &work);
	}
	return 0;
}
