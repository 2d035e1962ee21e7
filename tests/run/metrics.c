/* Totals over 23 rows that come in calls of 5, 8, 1 and 9, against the formulas over all rows at once. */
#include "metrics.h"
#include "near.h"

enum { ROWS = 23 };
static float score[ROWS], x[ROWS][3], hit[ROWS];
static int32_t k[ROWS];

static double draw(void)
{
	static unsigned seed = 12345;
	seed = seed * 1664525u + 1013904223u;
	return (double)(seed >> 8) / (1 << 24);
}

static int guess(const float *row) { return row[0] >= row[1] ? row[0] >= row[2] ? 0 : 2 : row[1] >= row[2] ? 1 : 2; }

int main(void)
{
	static const int calls[] = {5, 8, 1, 9};
	static metrics_params p;
	static metrics_state s;
	static metrics_work w;
	static metrics_totals totals, other;
	float got[METRICS_NMETRIC];
	double won = 0, pairs = 0, mean_hit = 0, mean_score = 0, rest = 0, spread = 0, high = -1e9, low = 1e9, far = 0;
	double confusion[3][3] = {{0}}, recall[3], each[3] = {0}, width = 0;
	for (int i = 0; i < ROWS; i++) {
		score[i] = (float)(int)(draw() * 128) / 64; /* half of it lies on an edge of a bin, or shares one */
		hit[i] = draw() < 0.4;
		k[i] = (int32_t)(draw() * 3);
		for (int c = 0; c < 3; c++)
			x[i][c] = (float)(-3 - draw());
	}
	metrics_init(&p, &s, 0);
	for (int pass = 0; pass < 2; pass++)
		for (int c = 0, at = 0; c < 4; at += calls[c++])
			(pass ? metrics_metrics2 : metrics_metrics)(&p, &s, score + at, x[at], hit + at, k + at,
								    &totals, calls[c], &w);
	metrics_metrics_finish(&p, &s, &totals, got, &w);

	for (int i = 0; i < ROWS; i++) {
		mean_hit += hit[i] / ROWS;
		mean_score += score[i] / ROWS;
		confusion[k[i]][guess(x[i])]++;
		for (int c = 0; c < 3; c++) {
			high = x[i][c] > high ? x[i][c] : high;
			each[c] += x[i][c] * x[i][c] / ROWS;
		}
		low = score[i] < low ? score[i] : low;
		for (int j = 0; j < ROWS; j++) {
			int a = (int)(score[i] * 32), b = (int)(score[j] * 32);
			pairs += hit[i] == 1 && hit[j] == 0;
			won += hit[i] == 1 && hit[j] == 0 ? a > b ? 1 : a == b ? 0.5 : 0 : 0;
		}
	}
	for (int i = 0; i < ROWS; i++) {
		rest += (hit[i] - score[i]) * (hit[i] - score[i]);
		spread += (hit[i] - mean_hit) * (hit[i] - mean_hit);
		far += (score[i] > mean_score ? score[i] - mean_score : mean_score - score[i]) / ROWS;
	}
	for (int i = 0; i < 3; i++) {
		double all = confusion[i][0] + confusion[i][1] + confusion[i][2];
		recall[i] = all ? confusion[i][i] / all : 0;
	}
	width = mean_score; /* each call's mean counts as often as it has rows */
	near("area", got[0], won / pairs, 1e-6);
	near("fit", got[1], 1 - rest / spread, 1e-5);
	for (int i = 0; i < 9; i++)
		near("confusion", got[2 + i], confusion[i / 3][i % 3], 0);
	for (int i = 0; i < 3; i++)
		near("recall", got[11 + i], recall[i], 1e-6);
	near("high", got[14], high, 0);
	near("low", got[15], low, 0);
	near("rows", got[16], ROWS, 0);
	near("far", got[17], far, 1e-6);
	near("over", got[18], 1.5, 0);
	near("width", got[19], width, 1e-6);
	for (int i = 0; i < 3; i++)
		near("each", got[20 + i], each[i], 1e-5);

	metrics_metrics(&p, &s, score, x[0], hit, k, &other, ROWS, &w); /* and in one call */
	metrics_metrics2(&p, &s, score, x[0], hit, k, &other, ROWS, &w);
	metrics_metrics_finish(&p, &s, &other, got, &w);
	near("area at once", got[0], won / pairs, 1e-6);
	near("high at once", got[14], high, 0);
	return wrong;
}
