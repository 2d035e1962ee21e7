/* goals.c - how far the measured figures are from those of goals.txt. A goal whose row, program or peer was not
 * measured is left out. */
#include "bench.h"
#include <string.h>

enum { PARTS = 4 };

/* Split a line at bars; blanks around a part do not count. Returns the number of parts. */
static int split_parts(char *line, char *part[PARTS])
{
	int n = 0;
	for (char *p = strtok(line, "|\n"); p && n < PARTS; p = strtok(NULL, "|\n")) {
		p += strspn(p, " ");
		for (size_t length = strlen(p); length && p[length - 1] == ' ';)
			p[--length] = '\0';
		part[n++] = p;
	}
	return n;
}

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

/* The fastest of the right programs whose names begin so, or -1. */
static int find_fastest(const struct bench *b, const struct row *row, const char *name)
{
	int best = -1;
	for (int p = 0; p < b->programs; p++)
		if (begins(b->program[p].name, name) && row->cell[p].state == RIGHT &&
		    (best < 0 || row->cell[p].spread.median < row->cell[best].spread.median))
			best = p;
	return best;
}

static void print_goal(const char *what, const char *goal, double reached, double wanted, bool at_most,
		       const char *unit)
{
	bool good = at_most ? reached <= wanted : reached >= wanted;
	printf("  %-24s %-52s %s %-5g %9.3g%s  %s\n", what, goal, at_most ? "<=" : ">=", wanted, reached, unit,
	       good ? "yes" : "NO");
}

static void check_row_goal(const struct bench *b, const struct row *row, int n, char *const part[PARTS])
{
	char measure[16], text[96];
	double wanted;
	int ours = find_fastest(b, row, part[1]), peer = n > 3 ? find_fastest(b, row, part[3]) : -1;
	if (ours < 0 || sscanf(part[2], "%15s %lf", measure, &wanted) != 2)
		return;
	const double seconds = row->cell[ours].spread.median, peak = row->peak[b->program[ours].limit];
	if (strcmp(measure, "peak") == 0 && peak > 0) {
		snprintf(text, sizeof text, "%s, of the peak", b->program[ours].name);
		print_goal(part[0], text, 100 * row->flop * row->batch / seconds / peak, wanted, false, " %");
	} else if (strcmp(measure, "floor") == 0) {
		snprintf(text, sizeof text, "%s, over the floor", b->program[ours].name);
		print_goal(part[0], text, seconds / floor_seconds(row), wanted, true, " x");
	} else if (peer >= 0) {
		snprintf(text, sizeof text, "%s, to %s", b->program[ours].name, b->program[peer].name);
		print_goal(part[0], text, row->cell[peer].spread.median / seconds, wanted, false, " x");
	}
}

/* The slowest of the processes that are meant. */
static void check_process_goal(const struct bench *b, char *const part[PARTS])
{
	const struct command *worst = NULL;
	double wanted;
	for (int k = 0; k < b->commands; k++) {
		const struct command *c = &b->command[k];
		if (begins(c->group, part[1]) && begins(c->name, part[2]) && c->n && !c->failed &&
		    (!worst || c->spread.median > worst->spread.median))
			worst = c;
	}
	if (worst && sscanf(part[3], "%lf", &wanted) == 1) {
		char text[96];
		snprintf(text, sizeof text, "%s ...: %s", part[1], worst->name);
		print_goal("process", text, worst->spread.median, wanted, true, " s");
	}
}

void print_goals(const struct bench *b, const char *path)
{
	char line[256], *part[PARTS], name[64];
	FILE *file = fopen(path, "r");
	if (!file)
		return;
	printf("Goals\n");
	while (fgets(line, sizeof line, file)) {
		int n = line[0] == '#' ? 0 : split_parts(line, part);
		if (n == 4 && strcmp(part[0], "process") == 0)
			check_process_goal(b, part);
		for (int r = 0; n >= 3 && r < b->rows; r++) {
			const struct row *row = &b->row[r];
			snprintf(name, sizeof name, "%s %s %d", row->work, row->train ? "train" : "forward",
				 row->batch);
			if (strcmp(name, part[0]) == 0)
				check_row_goal(b, row, n, part);
		}
	}
	fclose(file);
}
