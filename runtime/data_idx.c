/* data_idx.c - IDX files, the format of MNIST: one array of numbers.
 *
 *   byte 0, 1   zero
 *   byte 2      type of the elements: 0x08 u8, 0x09 i8, 0x0b i16, 0x0c i32, 0x0d float, 0x0e double
 *   byte 3      number of axes
 *   then        extent of each axis, 4 bytes; the first is the number of rows
 *   then        the elements, row-major
 * All numbers are big-endian. Every size is checked against the bytes that are there before it is used. */
#include "data.h"

#include <math.h>
#include <string.h>

enum idx_type { IDX_U8 = 0x08, IDX_I8, IDX_I16 = 0x0b, IDX_I32, IDX_FLOAT, IDX_DOUBLE };

static size_t type_size(int type)
{
	switch (type) {
	case IDX_U8:
	case IDX_I8: return 1;
	case IDX_I16: return 2;
	case IDX_I32:
	case IDX_FLOAT: return 4;
	case IDX_DOUBLE: return 8;
	default: return 0;
	}
}

bool looks_like_idx(const struct bytes *bytes) { return bytes->size >= 4 && bytes->at[0] == 0 && bytes->at[1] == 0; }

static uint64_t read_bits(const unsigned char *at, size_t size)
{
	uint64_t bits = 0;
	for (size_t i = 0; i < size; i++)
		bits = bits << 8 | at[i];
	return bits;
}

static double read_element(const unsigned char *at, int type)
{
	uint64_t bits = read_bits(at, type_size(type));
	uint32_t half = (uint32_t)bits;
	float single;
	double value;
	switch (type) {
	case IDX_I8: return (int8_t)bits;
	case IDX_I16: return (int16_t)bits;
	case IDX_I32: return (int32_t)bits;
	case IDX_FLOAT: memcpy(&single, &half, sizeof single); return single;
	case IDX_DOUBLE: memcpy(&value, &bits, sizeof value); return value;
	default: return (double)bits;
	}
}

/* The head of a file, checked. */
struct idx {
	int type;
	uint64_t rows, count; /* count: elements of a row */
	size_t head;	      /* bytes before the elements */
};

static nnr_status read_head(const struct reader *reader, struct idx *idx)
{
	const unsigned char *at = (const unsigned char *)reader->bytes.at;
	size_t size = reader->bytes.size;
	int rank = at[3];
	*idx = (struct idx){.type = at[2], .count = 1, .head = 4 + 4 * (size_t)rank};
	if (type_size(idx->type) == 0)
		return host_fail(&reader->host, NNR_INVALID, reader->file, "byte 2: 0x%02x is no element type of IDX",
				 idx->type);
	if (rank == 0)
		return host_fail(&reader->host, NNR_INVALID, reader->file, "byte 3: an array without axes has no rows");
	if (size < idx->head)
		return host_fail(&reader->host, NNR_INVALID, reader->file,
				 "truncated: %d axes need %zu bytes of header, the file has %zu", rank, idx->head,
				 size);
	idx->rows = read_bits(at + 4, 4);
	uint64_t claimed = idx->rows * type_size(idx->type); /* below 2^35 */
	for (int i = 1; i < rank; i++) {
		uint64_t extent = read_bits(at + 4 + 4 * (size_t)i, 4);
		if (extent && (claimed > UINT64_MAX / extent || idx->count > UINT64_MAX / extent))
			return host_fail(&reader->host, NNR_INVALID, reader->file,
					 "byte %d: the extents multiply to more than 2^64 bytes", 4 + 4 * i);
		claimed *= extent;
		idx->count *= extent;
	}
	if (claimed != size - idx->head)
		return host_fail(&reader->host, NNR_INVALID, reader->file,
				 "%s: the header promises %llu bytes of elements, the file has %zu",
				 claimed > size - idx->head ? "truncated" : "too long", (unsigned long long)claimed,
				 size - idx->head);
	return NNR_OK;
}

static nnr_status read_elements(struct reader *reader, const struct idx *idx, struct column *column)
{
	const nn_model *nn = reader->model->nn;
	const unsigned char *at = (const unsigned char *)reader->bytes.at + idx->head;
	size_t n = (size_t)(idx->rows * idx->count), size = type_size(idx->type);
	char why[400];
	if (column->storage == STORED_BYTE && column->tensor->elem == NN_REAL)
		return NNR_OK; /* nothing can be wrong with it */
	for (size_t i = 0; i < n; i++) {
		double value = read_element(at + i * size, idx->type);
		const char *refused =
			isfinite(value) ? refuse_value(nn, column->tensor, value, why, sizeof why) : "not finite";
		if (refused)
			return host_fail(&reader->host, NNR_INVALID, reader->file, "row %zu (byte %zu): %s",
					 i / idx->count, idx->head + i * size, refused);
		if (column->storage == STORED_INT)
			((int32_t *)column->owned)[i] = (int32_t)value;
		else if (column->storage == STORED_REAL)
			store_real(nn, column->owned, i, value);
	}
	return NNR_OK;
}

nnr_status read_idx(struct reader *reader)
{
	struct idx idx;
	struct column *column = &reader->data->column[reader->next];
	char what[200];
	nnr_status status = read_head(reader, &idx);
	if (status != NNR_OK)
		return status;
	if (idx.count != column->tensor->count)
		return host_fail(&reader->host, NNR_INVALID, reader->file, "a row of %llu, but %s takes %zu",
				 (unsigned long long)idx.count, describe_tensor(column->tensor, what, sizeof what),
				 column->tensor->count);
	status = set_rows(reader, (int64_t)idx.rows);
	if (status != NNR_OK)
		return status;
	if (idx.type == IDX_U8)
		column->storage = STORED_BYTE;
	else if (!allocate_column(reader, column, column->tensor->elem == NN_INT32 ? STORED_INT : STORED_REAL))
		return NNR_MEMORY;
	status = read_elements(reader, &idx, column);
	if (status == NNR_OK && idx.type == IDX_U8) { /* the file's own bytes stay */
		column->owned = reader->bytes.at;
		column->at = reader->bytes.at + idx.head;
		reader->bytes = (struct bytes){0};
	}
	reader->next++;
	return status;
}
