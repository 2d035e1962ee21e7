/* A step is the same as backward and then update, to the bit, whatever the number of rows. */
#include "sweep.h"
#include "near.h"

enum { ROWS = 13 };

static sweep_params p, q;
static sweep_state s, r;
static sweep_grads g;
static sweep_work w;
static double x[ROWS * 71], t[ROWS * 5];

/* The first that differs is enough. */
static void same(const char *what, const double *a, const double *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(a[i] == b[i])) {
			near(what, a[i], b[i], 0);
			return;
		}
}

int main(void)
{
	sweep_init(&p, &s, 7);
	sweep_init(&q, &r, 7);
	for (int k = 0; k < 2 * ROWS; k++) {
		int n = k < ROWS ? k + 1 : 2 * ROWS - k;
		double loss;

		for (int i = 0; i < n * 71; i++)
			x[i] = sin(i * 1.7 + k);
		for (int i = 0; i < n * 5; i++)
			t[i] = cos(i * 2.3 + k);
		loss = sweep_step(&p, &s, x, t, n, &w);
		near("loss", sweep_backward(&q, &r, x, t, &g, n, &w), loss, 0);
		sweep_update(&q, &r, &g);
		same("params", p.flat, q.flat, sizeof p.flat / sizeof *p.flat);
		same("moments", s.m.flat, r.m.flat, sizeof s.m.flat / sizeof *s.m.flat);
		same("velocities", s.v.flat, r.v.flat, sizeof s.v.flat / sizeof *s.v.flat);
	}
	near("work, smaller than the gradients", sizeof w < sizeof g, 1, 0);
	near_unused();
	return wrong;
}
