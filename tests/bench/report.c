/* report.c - the table. Under each row its programs stand from the fastest to the slowest. */
#include "bench.h"
#include <string.h>

/* No program can be faster: the multiply-adds at the row's peak or, for one sample, the parameters' way through
 * memory. */
double floor_seconds(const struct row *row)
{
	double compute = row->peak[NATIVE] > 0 ? row->flop * row->batch / row->peak[NATIVE] : 0;
	return compute > row->pass ? compute : row->pass;
}

bool has_floor(const struct row *row) { return row->flop * row->batch >= 10000; }

const char *show_time(double seconds, char text[16])
{
	static const char *const unit[] = {"ns", "us", "ms", "s"};
	double value = seconds * 1e9;
	int k = 0;
	for (; value >= 999.5 && k < 3; k++)
		value /= 1000;
	snprintf(text, 16, "%.*f %s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, unit[k]);
	return text;
}

/* Indices of the measured programs from fast to slow; returns their number. */
static int sort_cells(const struct bench *b, const struct row *row, int *order)
{
	int n = 0;
	for (int p = 0; p < b->programs; p++) {
		const struct cell *c = &row->cell[p];
		if (c->state == ABSENT)
			continue;
		int at = n++;
		for (; at > 0 && row->cell[order[at - 1]].spread.median > c->spread.median; at--)
			order[at] = order[at - 1];
		order[at] = p;
	}
	return n;
}

static void print_cell(const struct bench *b, const struct row *row, int p)
{
	const struct cell *c = &row->cell[p];
	const struct spread *s = &c->spread;
	double rate = row->flop * row->batch / s->median, peak = row->peak[b->program[p].limit];
	char median[16], least[16], most[16];
	printf("  %-34s %9s %9s - %-9s %11.4g", b->program[p].name, show_time(s->median, median),
	       show_time(s->least, least), show_time(s->most, most), row->batch / s->median);
	if (has_floor(row) && peak > 0)
		printf(" %6.1f %4.1f %% %7.2f", rate * 1e-9, 100 * rate / peak, s->median / floor_seconds(row));
	else
		printf(" %6s %6s %7s", "", "", "");
	if (c->state == WRONG)
		printf("  WRONG: %.9g, off by %.2g after %d steps\n", c->answer, c->error, c->steps);
	else
		printf("  %.0e\n", c->error);
}

void print_row(const struct bench *b, const struct row *row)
{
	int order[MOST_PROGRAMS], n = sort_cells(b, row, order);
	char text[16];
	if (row == b->row)
		printf("%-36s %9s %9s - %-9s %11s %6s %6s %7s  %s\n", "", "median", "least", "most", "rows/s", "GF/s",
		       "peak", "/floor", "error");
	printf("%s %s, batch %d: floor %s (%.4g MFLOP at %.1f GFLOP/s%s)\n", row->work,
	       row->train ? "training" : "forward", row->batch, show_time(floor_seconds(row), text),
	       row->flop * row->batch * 1e-6, row->peak[NATIVE] * 1e-9,
	       row->pass > 0 && floor_seconds(row) <= row->pass ? "; memory" : "");
	for (int k = 0; k < n; k++)
		print_cell(b, row, order[k]);
	fflush(stdout);
}

void print_group(const struct bench *b, const char *group)
{
	char median[16], least[16], most[16];
	printf("%s\n", group);
	for (int k = 0; k < b->commands; k++) {
		const struct command *c = &b->command[k];
		if (strcmp(c->group, group) != 0)
			continue;
		if (c->failed)
			printf("  %-60s failed\n", c->name);
		else
			printf("  %-60s %9s %9s - %-9s\n", c->name, show_time(c->spread.median, median),
			       show_time(c->spread.least, least), show_time(c->spread.most, most));
	}
	fflush(stdout);
}

void print_rest(const struct bench *b)
{
	for (int k = 0; k < b->facts; k++)
		printf("%s  %-60s %s %s\n", k ? "" : "Memory\n", b->fact[k].name, b->fact[k].value, b->fact[k].unit);
	for (int k = 0; k < b->missings; k++)
		printf("%s  %-34s %s\n", k ? "" : "Not here\n", b->missing[k].name, b->missing[k].value);
}
