#include "ascent.h"
#include "near.h"

/* Where the derivative -4 x (x^2 - 1) - .3 is 0, by Newton's method. */
static double top(double x)
{
	for (int i = 0; i < 50; i++)
		x -= (-4 * x * (x * x - 1) - .3) / (-12 * x * x + 4);
	return x;
}

int main(void)
{
	ascent_params p;
	ascent_state s;
	ascent_work w;
	ascent_work1 w1;
	double at_x, at_y;
	ascent_init(&p, &s, 0);
	near("x at first", p.t.x, 2, 0);
	near("y at first", p.t.y, -2, 0);
	double first = ascent_step(&p, &s, 1, &w);
	for (int i = 1; i < 2000; i++)
		ascent_step(&p, &s, 1, &w);
	near("first loss: minus both heights", first, 9 + .6 + 9 - .6, 1e-12);
	near("x", p.t.x, top(1), 1e-9);
	near("y", p.t.y, top(-1), 1e-9);
	ascent_forward1(&p, &at_x, &at_y, &w1);
	if (!(at_y > at_x + .5))
		near("the other top is higher", at_y, at_x, 0);
	return wrong;
}
