#include "one_weight.h"
#include "near.h"

static const double x[5] = {0, 1, 2, 3, 4}, y[5] = {0, 2, 4, 6, 8};
static one_weight_params p;
static one_weight_state s;
static one_weight_work w;

static double loss_at(double weight)
{
	p.t.w = weight;
	return one_weight_loss(&p, &s, x, y, 5, &w);
}

/* The weight after some steps of gradient descent. */
static double descend(double rate, int steps)
{
	one_weight_init(&p, &s, 0);
	s.rate = rate;
	while (steps-- > 0)
		one_weight_step(&p, &s, x, y, 5, &w);
	return p.t.w;
}

int main(void)
{
	static const double at_01[] = {3, 2.4, 2.16, 2.064, 2.0256, 2.01024, 2.004096};
	static const double want[] = {0, 3, 6, 9, 12};
	double out[5];
	one_weight_grads g;
	one_weight_init(&p, &s, 0);
	one_weight_forward(&p, x, out, 5, &w);
	all_near("out", out, want, 5, 0);
	near("loss", one_weight_backward(&p, &s, x, y, &g, 5, &w), 30, 0);
	near("dE/dW", g.t.w, 60, 0);
	near("loss at 3.0001", loss_at(3.0001), 30.006, 1e-6);
	near("loss at 2.9999", loss_at(2.9999), 29.994, 1e-6);
	for (int i = 0; i < 7; i++)
		near("W at rate .01", descend(0.01, i), at_01[i], 1e-12);
	near("W at rate .001", descend(0.001, 1), 2.94, 1e-12);
	near("W at rate .001", descend(0.001, 2), 2.8836, 1e-12);
	/* converges below 1/30, diverges above it */
	near("W below 1/30", descend(0.0333, 10000), 2, 1e-3);
	if (!(fabs(descend(0.0334, 10000) - 2) > 1))
		near("W above 1/30", 0, INFINITY, 0);
	return wrong;
}
