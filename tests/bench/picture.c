/* picture.c - the rows as bars, in SVG. A bar's length is the floor divided by the time: the whole width is as fast as
 * the machine can be. A line across a bar's end goes from the slowest sample to the fastest. Nets so small that their
 * floor says nothing are compared with the fastest program. */
#include "bench.h"
#include <string.h>

enum { NAMES = 270, BARS = 640, TIMES = 130, LINE = 15, GAP = 26, TOP = 50 };

static void show_text(FILE *file, const char *text)
{
	for (; *text; text++)
		if (*text == '&')
			fputs("&amp;", file);
		else if (*text == '<')
			fputs("&lt;", file);
		else
			fputc(*text, file);
}

static const char *color_of(const char *program, const struct cell *c)
{
	if (c->state == WRONG)
		return "#d33";
	return strncmp(program, "nnc", 3) == 0 ? "#2a6fb0" : "#b8b8b8";
}

/* The time of a bar of full width. */
static double full_seconds(const struct bench *b, const struct row *row)
{
	double least = 0;
	if (has_floor(row))
		return floor_seconds(row);
	for (int p = 0; p < b->programs; p++) {
		const struct cell *c = &row->cell[p];
		if (c->state != ABSENT && (least == 0 || c->spread.median < least))
			least = c->spread.median;
	}
	return least;
}

/* Where a time lies on the scale. */
static double place_time(double full, double seconds)
{
	double share = full / seconds;
	return NAMES + BARS * (share > 1 ? 1 : share);
}

static void draw_cell(const struct bench *b, const struct row *row, int p, int y, FILE *file)
{
	const struct cell *c = &row->cell[p];
	double full = full_seconds(b, row), end = place_time(full, c->spread.median);
	char text[16];
	fprintf(file, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", NAMES - 6, y + LINE - 4);
	show_text(file, b->program[p].name);
	fprintf(file, "</text><rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>", NAMES, y + 2,
		end - NAMES, LINE - 4, color_of(b->program[p].name, c));
	fprintf(file, "<path d=\"M%.1f %.1fH%.1f\" stroke=\"#000\"/>", place_time(full, c->spread.most), y + LINE / 2.0,
		place_time(full, c->spread.least));
	fprintf(file, "<text x=\"%d\" y=\"%d\">%s%s</text>\n", NAMES + BARS + 8, y + LINE - 4,
		show_time(c->spread.median, text), c->state == WRONG ? " wrong" : "");
}

static int count_measured(const struct bench *b, const struct row *row)
{
	int n = 0;
	for (int p = 0; p < b->programs; p++)
		n += row->cell[p].state != ABSENT;
	return n;
}

void write_picture(const struct bench *b, FILE *file)
{
	int height = TOP + LINE, y = TOP;
	for (int r = 0; r < b->rows; r++)
		height += GAP + LINE * count_measured(b, &b->row[r]);
	fprintf(file,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" "
		"font-size=\"11\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
		NAMES + BARS + TIMES, height);
	fprintf(file, "<text x=\"8\" y=\"20\" font-size=\"14\">Speed as a share of what one core can do</text>\n");
	for (int k = 0; k <= 4; k++) {
		int x = NAMES + BARS * k / 4;
		fprintf(file,
			"<path d=\"M%d %dV%d\" stroke=\"#ddd\"/><text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%d %%</text>\n",
			x, TOP - 8, height - LINE, x, TOP - 12, 25 * k);
	}
	for (int r = 0; r < b->rows; r++) {
		const struct row *row = &b->row[r];
		fprintf(file, "<text x=\"8\" y=\"%d\" font-weight=\"bold\">%s %s, batch %d%s</text>\n", y + 14,
			row->work, row->train ? "training" : "forward", row->batch,
			has_floor(row) ? "" : " (compared with the fastest)");
		y += GAP - 6;
		for (int p = 0; p < b->programs; p++)
			if (row->cell[p].state != ABSENT) {
				draw_cell(b, row, p, y, file);
				y += LINE;
			}
		y += 6;
	}
	fprintf(file, "</svg>\n");
}
