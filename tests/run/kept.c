/* What states keep: between calls of forward, through a training step, and not over an init. */
#include "kept.h"
#include <stdio.h>
#include <string.h>

static void show(const char *when, const kept_state *s)
{
	printf("%s: mean_x %g %g, calls %g, memory %g %g | %g %g\n", when, s->mean_x[0], s->mean_x[1], s->calls,
	       s->memory[0][0], s->memory[0][1], s->memory[1][0], s->memory[1][1]);
}

int main(void)
{
	static const float x[2][2] = {{1, 2}, {3, 6}}, t[2][1] = {{0}, {1}};
	kept_params params;
	kept_state state, other;
	kept_work work;
	float y[2], level[2];

	kept_init(&params, &state, 0);
	show("at first", &state);
	kept_forward(&params, &state, x[0], y, level, 2, &work);
	show("after forward", &state);
	printf("outputs %g %g\n", y[0], y[1]);
	kept_forward(&params, &state, x[0], y, level, 1, &work); /* one row: the other's memory stays */
	show("after one row", &state);
	other = state;
	printf("loss %g\n", kept_loss(&params, &state, x[0], t[0], 2, &work));
	printf("a loss changes %s\n", memcmp(&other, &state, sizeof state) ? "something" : "nothing");
	printf("step %g\n", kept_step(&params, &state, x[0], t[0], 2, &work));
	show("after step", &state);
	state.rate = 0; /* a setting of the host */
	params.t.w = 7;
	kept_step(&params, &state, x[0], t[0], 2, &work);
	printf("rate 0: w stays %g, %d steps\n", params.t.w, (int)state.run.step);
	kept_init(&params, &state, 0);
	show("init", &state);
	printf("rate %g, step %d\n", state.rate, (int)state.run.step);
	return 0;
}
