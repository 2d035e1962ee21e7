#include "chain_rule.h"
#include "near.h"

int main(void)
{
	chain_rule_params p;
	chain_rule_state s;
	chain_rule_grads g;
	chain_rule_work w;
	double u = 0.7;
	chain_rule_init(&p, &s, 0);
	chain_rule_backward(&p, &s, &g, 1, &w);
	/* dL/dz = 5; x is used twice, so 5 y and 5 meet at it */
	near("dL/dx", g.t.x, 5 * 3 + 5, 1e-12);
	near("dL/dy", g.t.y, 5 * 2, 1e-12);
	near("dL/du", g.t.u, exp(sin(u * u)) * cos(u * u) * 2 * u, 1e-12);
	return wrong;
}
