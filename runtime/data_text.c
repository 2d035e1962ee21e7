/* data_text.c - text: its bytes as classes, in windows, for models that guess what comes next.
 *
 * An input of T elements takes T bytes of the file for a row, the next row the T bytes after them, and so on; bytes at
 * the end that fill no row are left out. A class target of n <= T elements behind it takes the last n bytes of the
 * window moved on by one: for n = T each byte's next one, for n = 1 the byte behind the window. Both are views of the
 * file's own bytes:
 *
 *   T = 4, n = 4        input    row 0 [a b c d]   row 1 [e f g h]
 *   a b c d e f g h i   target         [b c d e]         [f g h i] */
#include "data.h"

#include <string.h>

/* Whether a name ends with a suffix, or with it and ".gz". */
static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);
	if (n >= 3 && strcmp(name + n - 3, ".gz") == 0)
		n -= 3;
	return n >= m && strncmp(name + n - m, suffix, m) == 0;
}

bool looks_like_text(const struct reader *reader)
{
	return has_suffix(reader->file, ".txt") && reader->data->column[reader->next].tensor->elem == NN_INT32;
}

/* The target that the same file fills: the next column, if it takes classes and targets are wanted. */
static struct column *next_target(const struct reader *reader)
{
	const struct nnr_data *data = reader->data;
	int next = reader->next + 1;
	if (next != data->n_input || next >= reader->needed || data->column[next].tensor->elem != NN_INT32)
		return NULL;
	return &reader->data->column[next];
}

/* Report a byte that its tensor refuses. */
static nnr_status fail_byte(const struct reader *reader, size_t offset, const char *why)
{
	const char *text = reader->bytes.at;
	struct place at = {reader->file, 1, 1, 0, NULL};
	for (size_t i = 0; i < offset; i++) {
		bool newline = text[i] == '\n';
		at.line += newline;
		at.column = newline ? 1 : at.column + (((unsigned char)text[i] & 0xc0) != 0x80);
	}
	at.column_end = at.column + 1;
	host_report(&reader->host, NNC_ERROR, at, "%s", why);
	return NNR_INVALID;
}

/* Make a column a view of the text, in rows of the window from a byte on, if it may have what stands there. */
static nnr_status view_text(const struct reader *reader, struct column *column, size_t first, size_t window)
{
	const unsigned char *bytes = (const unsigned char *)reader->bytes.at;
	char why[300];
	for (int64_t row = 0; row < reader->data->rows; row++)
		for (size_t i = 0; i < column->tensor->count; i++) {
			size_t at = first + (size_t)row * window + i;
			if (refuse_value(reader->model->nn, column->tensor, bytes[at], why, sizeof why))
				return fail_byte(reader, at, why);
		}
	column->storage = STORED_BYTE;
	column->at = bytes + first;
	column->stride = window;
	return NNR_OK;
}

nnr_status read_text(struct reader *reader)
{
	struct column *input = &reader->data->column[reader->next], *target = next_target(reader);
	size_t window = input->tensor->count, size = reader->bytes.size, ahead = target != NULL;
	char what[200];
	if (target && target->tensor->count > window)
		return host_fail(&reader->host, NNR_INVALID, reader->file,
				 "%zu bytes of a text for %s, but its window has %zu", target->tensor->count,
				 describe_tensor(target->tensor, what, sizeof what), window);
	if (size < window + ahead)
		return host_fail(&reader->host, NNR_INVALID, reader->file, "%zu byte%s of text, but %s takes %zu%s",
				 size, size == 1 ? "" : "s", describe_tensor(input->tensor, what, sizeof what), window,
				 ahead ? " and its target one more" : "");
	nnr_status status = set_rows(reader, (int64_t)((size - ahead) / window));
	if (status == NNR_OK)
		status = view_text(reader, input, 0, window);
	if (status == NNR_OK && target)
		status = view_text(reader, target, window + 1 - target->tensor->count, window);
	if (status != NNR_OK)
		return status;
	input->owned = reader->bytes.at; /* the text stays */
	reader->bytes = (struct bytes){0};
	reader->next += target ? 2 : 1;
	return NNR_OK;
}
