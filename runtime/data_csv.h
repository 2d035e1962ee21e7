/* data_csv.h - what the files share that read tables of numbers: the line at hand, and which element each field is. */
#ifndef NNR_DATA_CSV_H
#define NNR_DATA_CSV_H

#include "data.h"
#include "decimal.h"

/* The element of a row that a field fills. */
struct field_place {
	int column;
	size_t element;
};

struct line {
	int number;
	const char *at, *end;
};

struct csv {
	struct reader *reader;
	const char *at, *end; /* the rest of the text */
	struct line line;     /* the current one */
	struct line header;   /* number 0: there is none with names of columns */
	char separator;	      /* ' ' stands for any blanks */
	int64_t promised;     /* rows, by the first line; -1: it does not say */
	struct field_place *place;
	int n_place; /* fields of a row */
};

/* Cut the next field, without blanks and quotes around it, off the line at *at; false at the line's end. *at is NULL
 * behind the last field. */
bool next_field(const struct csv *csv, const char **at, struct field *field);
/* The quote of the current line that is not closed; NULL: there is none. */
const char *find_open_quote(const struct csv *csv);
/* Report something about a field of the current line. */
nnr_status fail_field(struct csv *csv, struct field field, const char *text);

/* data_csv_header.c: whether the current line is a header; then what it says is noted. Mixed lines are none: their error
 * is reported as that of data. */
bool is_header(struct csv *csv);
/* What each field of a row fills, of the columns [from, to) of the data, which have as many elements. */
nnr_status place_fields(struct csv *csv, int from, int to);

#endif
