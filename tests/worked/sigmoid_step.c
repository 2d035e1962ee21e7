#include "sigmoid_step.h"
#include "near.h"

int main(void)
{
	static const double x[] = {.05, .10}, t[] = {.01, .99};
	static const double w1_is[] = {.14978072, .19956143, .24975114, .29950229},
			    w2_is[] = {.35891648, .40866619, .51130127, .56137012};
	sigmoid_step_params p;
	sigmoid_step_state s;
	sigmoid_step_work w;
	sigmoid_step_init(&p, &s, 0);
	near("E", sigmoid_step_step(&p, &s, x, t, 1, &w), .2983711088, 5e-11);
	all_near("W1", p.t.w1[0], w1_is, 4, 5e-9);
	all_near("W2", p.t.w2[0], w2_is, 4, 5e-9);
	near("E after a step", sigmoid_step_loss(&p, &s, x, t, 1, &w), .2910277737, 5e-11);
	for (int i = 1; i < 10000; i++)
		sigmoid_step_step(&p, &s, x, t, 1, &w);
	near("E after 10,000 steps", sigmoid_step_loss(&p, &s, x, t, 1, &w), 3.5102e-5, 5e-10);
	near("b1", p.t.b1, .35, 0);
	near("b2", p.t.b2, .60, 0);
	return wrong;
}
