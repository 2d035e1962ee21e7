#include "two_weights.h"
#include "near.h"

int main(void)
{
	two_weights_params p;
	two_weights_state s;
	two_weights_grads g;
	two_weights_work w;
	two_weights_work1 w1;
	double z, out;
	two_weights_init(&p, &s, 0);
	two_weights_forward1(&p, &z, &out, &w1);
	near("z", z, 6, 0);
	near("out", out, 36, 0);
	near("loss", two_weights_backward(&p, &s, &g, 1, &w), 36, 0);
	near("dW2", g.t.w2, 36, 0);
	near("dW1", g.t.w1, 24, 0);
	near("dx", g.t.x, 36, 0);
	return wrong;
}
