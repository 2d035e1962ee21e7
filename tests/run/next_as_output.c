#include "next_as_output.h"
#include "near.h"

int main(void)
{
	next_as_output_params p;
	next_as_output_state s;
	next_as_output_work w;
	float x[] = {1, 2, 10, 20}, y[2];
	near_unused();
	next_as_output_init(&p, &s, 0);
	next_as_output_forward(&p, &s, x, y, 2, &w);
	near("y[0]", y[0], 11, 0);
	next_as_output_forward(&p, &s, x, y, 1, &w);
	near("y[0] later", y[0], 12, 0);
	near("y[1] later", y[1], 24, 0);
	return wrong != 0;
}
