/* Fifteen steps, three of which are an update, against the same by hand. */
#include "update.h"
#include "near.h"

enum { K = 3, STEPS = 15 };

static double clamp(double x, double limit) { return x > limit ? limit : x < -limit ? -limit : x; }

int main(void)
{
	static update_params p, averaged;
	static update_state s;
	static update_work w;
	double a = 1, b[2] = {0.5, -0.5}, sum[3] = {0}, v[2] = {0}, m = 0, q = 0;
	double mean[3] = {0}, share = 0, best = INFINITY, rate = 0.1;
	int first = 1, clipped = 0, halved = 0;
	update_init(&p, &s, 0);
	for (int step = 0; step < STEPS; step++) {
		double x[2] = {0.3 * step - 1, 1 - 0.2 * step}, t[2] = {step % 5, -1 + 0.5 * step}, g[3] = {0},
		       loss = 0;
		int update = step / K, epoch = step / 4;
		s.run.epoch = epoch;
		if (step % 4 == 0 && step) { /* the plateau: a loss that falls once, and then no more */
			s.run.loss = epoch == 1 ? 2 : 3;
			rate = s.run.loss < best * (1 - 1e-4) ? rate : rate / 2;
			halved += !(s.run.loss < best * (1 - 1e-4));
			best = s.run.loss < best ? s.run.loss : best;
		}
		for (int i = 0; i < 2; i++) {
			double e = a * x[i] + b[0] + b[1] * x[i] * x[i] - t[i];
			loss += e * e / 2;
			g[0] += e * x[i];
			g[1] += e;
			g[2] += e * x[i] * x[i];
		}
		near("loss", update_step(&p, &s, x, t, 2, &w), loss, 1e-12 * loss);
		for (int i = 0; i < 3; i++)
			sum[i] = (step % K ? sum[i] : 0) + g[i];
		if (step % K == K - 1) {
			double d[3], norm = 0, factor, old[2] = {b[0], b[1]};
			for (int i = 0; i < 3; i++) {
				d[i] = clamp(sum[i] / K, 0.8);
				norm += d[i] * d[i];
			}
			factor = 0.9 / (sqrt(norm) + 1e-6);
			factor = factor < 1 ? factor : 1;
			clipped += factor < 1;
			m = 0.9 * m + 0.1 * d[0] * factor;
			q = 0.999 * q + 0.001 * d[0] * factor * d[0] * factor;
			a -= 0.05 * m / (1 - pow(0.9, update + 1)) / (sqrt(q / (1 - pow(0.999, update + 1))) + 1e-8);
			for (int i = 0; i < 2; i++) {
				double h = d[1 + i] * factor + 0.01 * old[i];
				v[i] = first ? h : 0.5 * v[i] + h;
				b[i] -= rate / (1 + update) * v[i];
			}
			first = 0;
			mean[0] = 0.7 * mean[0] + 0.3 * a;
			mean[1] = 0.7 * mean[1] + 0.3 * b[0];
			mean[2] = 0.7 * mean[2] + 0.3 * b[1];
			share = 0.7 * share + 0.3;
		}
		near("a", p.t.a, a, 1e-12);
		near("b0", p.t.b[0], b[0], 1e-12);
		near("b1", p.t.b[1], b[1], 1e-12);
		update_average(&p, &s, &averaged, &w);
		near("average of a", averaged.t.a, share > 0 ? mean[0] / share : 1, 1e-12);
		near("average of b0", averaged.t.b[0], share > 0 ? mean[1] / share : 0.5, 1e-12);
		near("average of b1", averaged.t.b[1], share > 0 ? mean[2] / share : -0.5, 1e-12);
	}
	near("clipped updates, some", clipped > 1 && clipped <= STEPS / K, 1, 0);
	near("rates halved", halved, 2, 0);
	return wrong;
}
