/* data_csv_header.c - the first line of a table, and what it says of the columns.
 *
 * It may be a header: names only, or, as scikit-learn writes it, the number of rows, the number of feature columns and
 * then names of classes. Columns whose names are all those of the model's inputs and targets, or of elements of them
 * (x, x1, x_1, x[0, 1]), are taken by name, elements in the order in which they stand. All others are taken in the
 * order of inputs and targets; then a column must not be called like one that it does not fill. */
#include "data_csv.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

bool is_header(struct csv *csv)
{
	const char *at = csv->line.at;
	struct field field;
	double first = -1;
	int n = 0, names = 0, leading = 0;
	for (; next_field(csv, &at, &field); n++) {
		double value = -1;
		if (field.at < field.end && read_number(field, &value) == NOT_A_NUMBER)
			names++;
		else if (n < 2 && field.at < field.end && value >= 0 && value == floor(value))
			leading++;
		if (n == 0)
			first = value;
	}
	if (leading == 2 && names == n - 2 && names > 0 && first < 1e15) {
		csv->promised = (int64_t)first;
		return true;
	}
	if (names < n || find_open_quote(csv))
		return false;
	csv->header = csv->line;
	return true;
}

/* 2: the name of a column is the tensor's, 1: of an element of it, 0: neither. */
static int is_called(struct field name, const nn_tensor *tensor)
{
	size_t n = strlen(tensor->name);
	if ((size_t)(name.end - name.at) < n || memcmp(name.at, tensor->name, n) != 0)
		return 0;
	for (const char *p = name.at + n; p < name.end; p++)
		if (isalpha((unsigned char)*p) || (unsigned char)*p >= 0x80)
			return 0;
	return name.at + n == name.end ? 2 : 1;
}

/* The column of the data that a name is of, the likest one; -1: of none. */
static int find_column(const nnr_data *data, struct field name, int from, int to)
{
	int found = -1, like = 0;
	for (int k = from; k < to; k++) {
		int likeness = is_called(name, data->column[k].tensor);
		if (likeness > like) {
			like = likeness;
			found = k;
		}
	}
	return found;
}

/* Places in the order of inputs and targets. */
static void place_in_order(struct csv *csv, int from)
{
	int column = from;
	size_t element = 0;
	for (int i = 0; i < csv->n_place; i++) {
		csv->place[i] = (struct field_place){column, element++};
		if (element == csv->reader->data->column[column].tensor->count) {
			column++;
			element = 0;
		}
	}
}

/* Places as the header, which is the current line, has them; false: it does not name them all. */
static bool place_by_name(struct csv *csv, int from, int to)
{
	const nnr_data *data = csv->reader->data;
	const char *at = csv->line.at;
	struct field name;
	int n = 0;
	bool whole = true;
	for (; whole && n < csv->n_place && next_field(csv, &at, &name); n++) {
		csv->place[n] = (struct field_place){.column = find_column(data, name, from, to)};
		whole = csv->place[n].column >= 0;
	}
	if (!whole || n < csv->n_place || at)
		return false;
	for (int k = from; k < to; k++) {
		size_t elements = 0;
		for (int i = 0; i < n; i++)
			if (csv->place[i].column == k)
				csv->place[i].element = elements++;
		if (elements != data->column[k].tensor->count)
			return false;
	}
	return true;
}

/* Places in order: does a column, by its name, belong elsewhere? The header is the current line. */
static nnr_status check_names(struct csv *csv)
{
	const nnr_data *data = csv->reader->data;
	const char *at = csv->line.at;
	struct field name;
	char text[600], what[200];
	for (int i = 0; i < csv->n_place && next_field(csv, &at, &name); i++) {
		const nn_tensor *filled = data->column[csv->place[i].column].tensor;
		for (int k = 0; k < data->n_input + data->n_target; k++) {
			const nn_tensor *tensor = data->column[k].tensor;
			if (tensor == filled || is_called(name, tensor) < 2)
				continue;
			snprintf(
				text, sizeof text,
				"this column would be read as %s: columns are taken in the order of inputs and targets, "
				"unless each is called like one of them; change the names or remove the header",
				describe_tensor(filled, what, sizeof what));
			return fail_field(csv, name, text);
		}
	}
	return NNR_OK;
}

nnr_status place_fields(struct csv *csv, int from, int to)
{
	struct line row = csv->line;
	nnr_status status = NNR_OK;
	for (int k = from; k < to; k++)
		csv->n_place += (int)csv->reader->data->column[k].tensor->count;
	csv->place = host_alloc(&csv->reader->host, (size_t)csv->n_place, sizeof *csv->place);
	if (!csv->place)
		return NNR_MEMORY;
	csv->line = csv->header;
	if (!csv->header.number || !place_by_name(csv, from, to)) {
		place_in_order(csv, from);
		status = csv->header.number ? check_names(csv) : NNR_OK;
	}
	if (status == NNR_OK)
		csv->line = row;
	return status;
}
