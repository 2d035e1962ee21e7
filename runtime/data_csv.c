/* data_csv.c - tables of numbers as text.
 *
 * A line is a row; its fields fill the elements of the next inputs and targets, in order or as a header names them.
 * Fields are separated by commas, or semicolons, or blanks and tabs: whichever of these the first line has, in this
 * order of preference. Blank lines and lines that start with # are skipped. */
#include "data_csv.h"

#include <ctype.h>
#include <string.h>

/* ---- lines and fields ---- */

/* Advance to the next line that has something in it. */
static bool next_line(struct csv *csv)
{
	while (csv->at < csv->end) {
		const char *newline = memchr(csv->at, '\n', (size_t)(csv->end - csv->at));
		csv->line = (struct line){csv->line.number + 1, csv->at, newline ? newline : csv->end};
		csv->at = newline ? newline + 1 : csv->end;
		while (csv->line.end > csv->line.at && isspace((unsigned char)csv->line.end[-1]) &&
		       csv->line.end[-1] != '\t')
			csv->line.end--;
		const char *first = csv->line.at;
		while (first < csv->line.end && isspace((unsigned char)*first))
			first++;
		if (first < csv->line.end && *first != '#')
			return true;
	}
	return false;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool next_field(const struct csv *csv, const char **at, struct field *field)
{
	const char *p = *at, *end = csv->line.end;
	if (!p)
		return false;
	if (csv->separator == ' ') {
		while (p < end && is_blank(*p))
			p++;
		field->at = p;
		while (p < end && !is_blank(*p))
			p++;
		field->end = p;
		while (p < end && is_blank(*p))
			p++;
		*at = p < end ? p : NULL;
		return field->at < field->end;
	}
	bool quoted = false;
	field->at = p;
	for (; p < end && (quoted || *p != csv->separator); p++)
		quoted ^= *p == '"';
	field->end = p;
	*at = p < end ? p + 1 : NULL;
	while (field->at < field->end && is_blank(*field->at))
		field->at++;
	while (field->end > field->at && is_blank(field->end[-1]))
		field->end--;
	if (field->end - field->at >= 2 && *field->at == '"' && field->end[-1] == '"') {
		field->at++;
		field->end--;
	}
	return true;
}

nnr_status fail_field(struct csv *csv, struct field field, const char *text)
{
	/* the reader owns the text and stops here, so the line may be cut out in place */
	char *line_end = csv->reader->bytes.at + (csv->line.end - csv->reader->bytes.at);
	*line_end = 0;
	struct place at = {csv->reader->file, csv->line.number, 1, 1, csv->line.at};
	for (const char *p = csv->line.at; p < field.end; p++) {
		bool starts = ((unsigned char)*p & 0xc0) != 0x80;
		at.column += starts && p < field.at;
		at.column_end += starts;
	}
	if (at.column_end == at.column)
		at.column_end++;
	host_report(&csv->reader->host, NNC_ERROR, at, "%s", text);
	return NNR_INVALID;
}

static char find_separator(const struct csv *csv)
{
	static const char choice[] = ",;";
	for (const char *c = choice; *c; c++)
		if (memchr(csv->line.at, *c, (size_t)(csv->line.end - csv->line.at)))
			return *c;
	return ' ';
}

const char *find_open_quote(const struct csv *csv)
{
	const char *open = NULL;
	for (const char *p = csv->line.at; p < csv->line.end; p++)
		if (*p == '"')
			open = open ? NULL : p;
	return open;
}

static int count_fields(const struct csv *csv)
{
	const char *at = csv->line.at;
	struct field field;
	int n = 0;
	while (next_field(csv, &at, &field))
		n++;
	return n;
}

/* ---- which columns a file fills ---- */

static int64_t sum_counts(const nnr_data *data, int from, int to)
{
	int64_t sum = 0;
	for (int i = from; i < to; i++)
		sum += (int64_t)data->column[i].tensor->count;
	return sum;
}

/* "64 + 1 = 65 columns expected (input 'image'[8, 8] + target 'digit'), line 7 has 64" */
static nnr_status fail_count(struct csv *csv, int from, int to, int found)
{
	char text[1000], what[200];
	size_t n = 0;
	const char *quote = find_open_quote(csv);
	if (quote)
		return fail_field(csv, (struct field){quote, csv->line.end}, "this quote is not closed");
	const struct reader *reader = csv->reader;
	for (int pass = 0; pass < 2; pass++) {
		for (int i = from; i < to && n < sizeof text / 2; i++) {
			const nn_tensor *tensor = reader->data->column[i].tensor;
			if (pass == 0)
				n += (size_t)snprintf(text + n, sizeof text - n, "%s%zu", i > from ? " + " : "",
						      tensor->count);
			else
				n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i > from ? ", " : " (",
						      describe_tensor(tensor, what, sizeof what));
		}
		if (pass == 0 && to > from + 1)
			n += (size_t)snprintf(text + n, sizeof text - n, " = %lld",
					      (long long)sum_counts(reader->data, from, to));
		if (pass == 0)
			n += (size_t)snprintf(text + n, sizeof text - n, " column%s expected",
					      sum_counts(reader->data, from, to) == 1 ? "" : "s");
	}
	snprintf(text + n, sizeof text - n, "), line %d has %d", csv->line.number, found);
	/* point at the last field */
	const char *at = csv->line.at;
	struct field field = {at, at}, next;
	while (next_field(csv, &at, &next))
		field = next;
	return fail_field(csv, field, text);
}

/* Decide by the first row how many columns this file fills; *to is the first one that it does not. */
static nnr_status match_columns(struct csv *csv, int found, int *to)
{
	const struct reader *reader = csv->reader;
	const nnr_data *data = reader->data;
	int all = data->n_input + data->n_target;
	int shortest = reader->last_file ? reader->needed : reader->next + 1;
	for (*to = all; *to >= shortest && *to > reader->next; --*to)
		if (sum_counts(data, reader->next, *to) == found)
			return NNR_OK;
	int expected = reader->last_file && reader->needed > reader->next && reader->needed < all &&
				       found < sum_counts(data, reader->next, all)
			       ? reader->needed
			       : all;
	return fail_count(csv, reader->next, expected, found);
}

/* ---- rows ---- */

static nnr_status read_field(struct csv *csv, struct field field, struct column *column, size_t at)
{
	const nn_model *nn = csv->reader->model->nn;
	char text[400];
	double value = 0;
	enum number number = field.at == field.end ? NOT_A_NUMBER : read_number(field, &value);
	int n = field.end - field.at > 40 ? 40 : (int)(field.end - field.at);
	if (field.at == field.end)
		return fail_field(csv, field, "the field is empty");
	if (number != IS_NUMBER && field.at == find_open_quote(csv))
		return fail_field(csv, field, "this quote is not closed");
	if (number != IS_NUMBER) {
		snprintf(text, sizeof text, "'%.*s' is %s", n, field.at,
			 number == NOT_FINITE ? "not finite" : "not a number");
		return fail_field(csv, field, text);
	}
	if (refuse_value(nn, column->tensor, value, text, sizeof text))
		return fail_field(csv, field, text);
	if (column->storage == STORED_INT)
		((int32_t *)column->owned)[at] = (int32_t)value;
	else
		store_real(nn, column->owned, at, value);
	return NNR_OK;
}

static nnr_status read_row(struct csv *csv, int64_t row, int from, int to)
{
	const char *at = csv->line.at;
	struct field field;
	for (int i = 0; i < csv->n_place; i++) {
		struct column *column = &csv->reader->data->column[csv->place[i].column];
		if (!next_field(csv, &at, &field))
			return fail_count(csv, from, to, count_fields(csv));
		nnr_status status =
			read_field(csv, field, column, (size_t)row * column->tensor->count + csv->place[i].element);
		if (status != NNR_OK)
			return status;
	}
	return next_field(csv, &at, &field) ? fail_count(csv, from, to, count_fields(csv)) : NNR_OK;
}

/* Rows from the current line on. */
static int64_t count_rows(struct csv csv)
{
	int64_t rows = 1;
	while (next_line(&csv))
		rows++;
	return rows;
}

static nnr_status check_text(const struct reader *reader)
{
	const char *zero = memchr(reader->bytes.at, 0, reader->bytes.size);
	if (!zero)
		return NNR_OK;
	return host_fail(&reader->host, NNR_INVALID, reader->file, "neither CSV nor IDX: byte %zu is 0",
			 (size_t)(zero - reader->bytes.at));
}

/* Leave the first row of data as the current line. */
static nnr_status find_first_row(struct csv *csv)
{
	if (next_line(csv)) {
		csv->separator = find_separator(csv);
		if (!is_header(csv) || next_line(csv))
			return NNR_OK;
	}
	return host_fail(&csv->reader->host, NNR_INVALID, csv->reader->file, "no rows");
}

static nnr_status read_rows(struct csv *csv, int from, int to)
{
	struct reader *reader = csv->reader;
	int64_t rows = count_rows(*csv);
	if (csv->promised >= 0 && csv->promised != rows)
		return host_fail(&reader->host, NNR_INVALID, reader->file,
				 "the first line promises %lld rows, the file has %lld", (long long)csv->promised,
				 (long long)rows);
	nnr_status status = set_rows(reader, rows);
	for (int k = from; k < to && status == NNR_OK; k++) {
		struct column *column = &reader->data->column[k];
		if (!allocate_column(reader, column, column->tensor->elem == NN_INT32 ? STORED_INT : STORED_REAL))
			return NNR_MEMORY;
	}
	for (int64_t row = 0; row < rows && status == NNR_OK; row++) {
		status = read_row(csv, row, from, to);
		next_line(csv);
	}
	return status;
}

nnr_status read_csv(struct reader *reader)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	struct csv csv = {
		.reader = reader, .at = reader->bytes.at, .end = reader->bytes.at + reader->bytes.size, .promised = -1};
	int from = reader->next, to;
	if (reader->bytes.size >= 3 && memcmp(csv.at, byte_order_mark, 3) == 0)
		csv.at += 3;
	nnr_status status = check_text(reader);
	if (status == NNR_OK)
		status = find_first_row(&csv);
	if (status == NNR_OK)
		status = match_columns(&csv, count_fields(&csv), &to);
	if (status == NNR_OK)
		status = place_fields(&csv, from, to);
	if (status == NNR_OK) {
		status = read_rows(&csv, from, to);
		reader->next = to;
	}
	host_free(&reader->host, csv.place);
	return status;
}
