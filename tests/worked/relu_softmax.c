#include "relu_softmax.h"
#include "near.h"

int main(void)
{
	static const double a1_is[] = {.7, .5}, z2_is[] = {.51, -.12}, a2_is[] = {.51, 0}, z3_is[] = {.151, -.102},
			    p_is[] = {.56291476, .43708524};
	static const double dz3[] = {-.43708524, .43708524}, dw3[] = {-.22291347, .22291347, 0, 0},
			    dz2[] = {-.13112557, 0}, dw2[] = {-.0917879, 0, -.06556279, 0},
			    dz1[] = {-.03933767, -.02622511}, dw1[] = {-.03933767, -.02622511, -.03933767, -.02622511},
			    dx[] = {-.02491386, -.00917879};
	static const double dz3_1[] = {.56291476, -.56291476}, dx_1[] = {.03208614, .01182121};
	static relu_softmax_params p;
	static relu_softmax_state s;
	static relu_softmax_grads g;
	static relu_softmax_work w;
	static relu_softmax_work1 work1;
	double a1[2], z2[2], a2[2], z3[2], out[2];
	int32_t k = 0;
	relu_softmax_init(&p, &s, 0);
	relu_softmax_forward1(&p, a1, z2, a2, z3, out, &work1);
	all_near("a1", a1, a1_is, 2, 1e-12);
	all_near("z2", z2, z2_is, 2, 1e-12);
	all_near("a2", a2, a2_is, 2, 1e-12);
	all_near("z3", z3, z3_is, 2, 1e-12);
	all_near("p", out, p_is, 2, 5e-9);
	/* the gradient of a bias is that of the sum it is added to */
	near("loss 0", relu_softmax_backward(&p, &s, &k, &g, 1, &w), .5746270568, 5e-11);
	all_near("dz3", g.t.b3, dz3, 2, 5e-9);
	all_near("dW3", g.t.w3[0], dw3, 4, 5e-9);
	all_near("dz2", g.t.b2, dz2, 2, 5e-9);
	all_near("dW2", g.t.w2[0], dw2, 4, 5e-9);
	all_near("dz1", g.t.b1, dz1, 2, 5e-9);
	all_near("dW1", g.t.w1[0], dw1, 4, 5e-9);
	all_near("dx", g.t.x, dx, 2, 5e-9);
	k = 1;
	near("loss 1", relu_softmax_backward(&p, &s, &k, &g, 1, &w), .8276270568, 5e-11);
	all_near("dz3 of 1", g.t.b3, dz3_1, 2, 5e-9);
	all_near("dx of 1", g.t.x, dx_1, 2, 5e-9);
	return wrong;
}
