#include "stream.h"
#include "near.h"

int main(void)
{
	stream_params p;
	stream_state s;
	stream_work1 w;
	stream_stream kept = {0}, other = {0};
	float x[6][2] = {{1, 2}, {3, 4}, {5, 6}, {-1, 0}, {2, 2}, {0, 1}};
	float seen[6], h[2], later[6], now, then, so_far[2];
	stream_init(&p, &s, 0);
	stream_forward1(&p, x[0], seen, h, later, &w);
	near("h[0] of all", h[0], 1.765625, 0);
	for (int t = 0; t < 6; t++) {
		stream_stream_step(&p, &kept, x[t], &now, so_far, &then, &w);
		near("seen", now, seen[t], 0);
		near("later", then, later[t], 0);
		if (t < 3) /* another sequence at the same time */
			stream_stream_step(&p, &other, x[5 - t], &now, so_far, &then, &w);
	}
	stream_stream_step(&p, &other, x[0], &now, so_far, &then, &w);
	near("two steps back", then, x[4][0], 0);
	all_near("none", NULL, NULL, 0, 0);
	return wrong != 0;
}
