#include "batch_norm.h"
#include "near.h"

int main(void)
{
	static const double x[] = {1, 2, 3, 6, 5, 1, 2, 3}, dout[] = {1, 0, 0, 1, -1, 2, .5, -.5};
	static const double out_is[] = {-1.67481988, -.46726086, .3535457,   .60178258,
					2.38191127,  -.73452172, -.66063709, -.2};
	static const double dbeta[] = {.5, 2.5}, dgamma[] = {-2.95803313, -.53452172};
	static batch_norm_params p;
	static batch_norm_state s;
	static batch_norm_grads g;
	static batch_norm_work w;
	double out[8];
	batch_norm_init(&p, &s, 0);
	batch_norm_forward(&p, x, out, 4, &w);
	all_near("out", out, out_is, 8, 5e-9);
	batch_norm_backward(&p, &s, x, dout, &g, 4, &w);
	all_near("dbeta", g.t.beta, dbeta, 2, 1e-12);
	all_near("dgamma", g.t.gamma, dgamma, 2, 5e-9);
	return wrong;
}
