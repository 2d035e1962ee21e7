/* json.c - the same as the table, for programs. Times are in seconds. */
#include "bench.h"

static void write_string(FILE *file, const char *text)
{
	fputc('"', file);
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			fprintf(file, "\\%c", *text);
		else if ((unsigned char)*text >= ' ')
			fputc(*text, file);
	fputc('"', file);
}

static void write_spread(FILE *file, const struct spread *s, int n)
{
	fprintf(file,
		"\"median\": %.6g, \"least\": %.6g, \"quarter\": %.6g, \"three_quarters\": %.6g, \"most\": %.6g, "
		"\"samples\": %d",
		s->median, s->least, s->quarter, s->three_quarters, s->most, n);
}

static void write_cell(const struct bench *b, const struct row *row, int p, FILE *file)
{
	const struct cell *c = &row->cell[p];
	fprintf(file, "      {\"program\": ");
	write_string(file, b->program[p].name);
	if (c->state == ABSENT) {
		fprintf(file, ", \"absent\": ");
		write_string(file, c->why);
	} else {
		double rate = row->flop * row->batch / c->spread.median, peak = row->peak[b->program[p].limit];
		fprintf(file, ", \"right\": %s, ", c->state == RIGHT ? "true" : "false");
		write_spread(file, &c->spread, c->n);
		fprintf(file, ", \"steps\": %d, \"share_of_peak\": %.4g, \"times_floor\": %.4g, \"error\": ", c->steps,
			peak > 0 ? rate / peak : 0, floor_seconds(row) > 0 ? c->spread.median / floor_seconds(row) : 0);
		fprintf(file, c->error < 1e300 ? "%.3g" : "null", c->error);
	}
	fprintf(file, "}%s\n", p + 1 < b->programs ? "," : "");
}

static void write_row(const struct bench *b, const struct row *row, FILE *file)
{
	fprintf(file,
		"    {\"work\": \"%s\", \"what\": \"%s\", \"batch\": %d, \"flop\": %.0f, \"peak\": %.5g, "
		"\"peak_avx2\": %.5g, \"floor\": %.5g, \"programs\": [\n",
		row->work, row->train ? "train" : "forward", row->batch, row->flop * row->batch, row->peak[NATIVE],
		row->peak[AVX2], floor_seconds(row));
	for (int p = 0; p < b->programs; p++)
		write_cell(b, row, p, file);
	fprintf(file, "    ]}%s\n", row + 1 < b->row + b->rows ? "," : "");
}

static void write_facts(const struct fact *fact, int n, const char *name, FILE *file)
{
	fprintf(file, "  \"%s\": {", name);
	for (int k = 0; k < n; k++) {
		fprintf(file, "%s\n    ", k ? "," : "");
		write_string(file, fact[k].name);
		fprintf(file, ": ");
		write_string(file, fact[k].value);
	}
	fprintf(file, "}");
}

void write_json(const struct bench *b, FILE *file)
{
	fprintf(file, "{\n  \"rows\": [\n");
	for (int r = 0; r < b->rows; r++)
		write_row(b, &b->row[r], file);
	fprintf(file, "  ],\n  \"processes\": [");
	for (int k = 0; k < b->commands; k++) {
		const struct command *c = &b->command[k];
		fprintf(file, "%s\n    {\"group\": ", k ? "," : "");
		write_string(file, c->group);
		fprintf(file, ", \"name\": ");
		write_string(file, c->name);
		fprintf(file, ", ");
		if (c->failed || !c->n)
			fprintf(file, "\"failed\": true");
		else
			write_spread(file, &c->spread, c->n);
		fprintf(file, "}");
	}
	fprintf(file, "\n  ],\n");
	write_facts(b->fact, b->facts, "memory", file);
	fprintf(file, ",\n");
	write_facts(b->missing, b->missings, "missing", file);
	fprintf(file, "\n}\n");
}
