/* safetensors.c - the file format of weights, read with suspicion.
 *
 *   8 bytes   length of the header, little-endian
 *   header    JSON: {"__metadata__": {key: string}, name: {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
 *   the rest  the elements of all tensors, little-endian, row-major, at those offsets
 * The tensors must fill the rest of the file without a gap and without an overlap. */
#include "safetensors.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_SIZE = 8, MAX_HEADER = 16 << 20 };

static const struct {
	const char *name;
	enum dtype dtype;
	unsigned size;
} dtypes[] = {
	{"F64", DTYPE_F64, 8},	  {"F32", DTYPE_F32, 4},       {"F16", DTYPE_F16, 2},	    {"BF16", DTYPE_BF16, 2},
	{"I64", DTYPE_I64, 8},	  {"I32", DTYPE_I32, 4},       {"U64", DTYPE_OTHER, 8},	    {"U32", DTYPE_OTHER, 4},
	{"I16", DTYPE_OTHER, 2},  {"U16", DTYPE_OTHER, 2},     {"I8", DTYPE_OTHER, 1},	    {"U8", DTYPE_OTHER, 1},
	{"BOOL", DTYPE_OTHER, 1}, {"F8_E4M3", DTYPE_OTHER, 1}, {"F8_E5M2", DTYPE_OTHER, 1},
};
enum { DTYPES = sizeof dtypes / sizeof dtypes[0] };

static uint64_t read_bits(const unsigned char *at, int size)
{
	uint64_t bits = 0;
	for (int i = size; i-- > 0;)
		bits = bits << 8 | at[i];
	return bits;
}

static nnr_status fail(const struct safetensors *file, const char *format, const char *name)
{
	char text[500];
	snprintf(text, sizeof text, format, name);
	return host_fail(file->host, NNR_INVALID, file->path, "%s", text);
}

/* One entry of the header; begin and end are the offsets that it claims, within the data of size bytes. */
static nnr_status read_entry(const struct safetensors *file, const char *name, const json_t *entry, size_t size,
			     struct stored *tensor)
{
	const json_t *shape = json_object_get(entry, "shape"), *offsets = json_object_get(entry, "data_offsets");
	const char *dtype = json_string_value(json_object_get(entry, "dtype"));
	*tensor = (struct stored){.name = name, .dtype_name = dtype, .shape = shape, .count = 1};
	if (!dtype || !json_is_array(shape) || json_array_size(offsets) != 2 || json_array_size(shape) > INT16_MAX)
		return fail(file, "tensor '%s' has no proper dtype, shape and data_offsets", name);
	int k = 0;
	while (k < DTYPES && strcmp(dtype, dtypes[k].name) != 0)
		k++;
	if (k == DTYPES)
		return host_fail(file->host, NNR_INVALID, file->path, "tensor '%s' has the unknown dtype '%.40s'", name,
				 dtype);
	tensor->dtype = dtypes[k].dtype;
	tensor->rank = (int)json_array_size(shape);
	for (int i = 0; i < tensor->rank; i++) {
		const json_t *item = json_array_get(shape, (size_t)i);
		json_int_t extent = json_integer_value(item);
		if (!json_is_integer(item) || extent < 0)
			return fail(file, "tensor '%s' has a shape that is not made of extents", name);
		if (extent && tensor->count > UINT64_MAX / 8 / (uint64_t)extent)
			return fail(file, "tensor '%s' has a shape too large to exist", name);
		tensor->count *= (uint64_t)extent;
	}
	const json_t *from = json_array_get(offsets, 0), *to = json_array_get(offsets, 1);
	json_int_t begin = json_integer_value(from), end = json_integer_value(to);
	if (!json_is_integer(from) || !json_is_integer(to) || begin < 0 || begin > end || (uint64_t)end > size)
		return host_fail(file->host, NNR_INVALID, file->path,
				 "tensor '%s' lies outside the file: its data_offsets are %" JSON_INTEGER_FORMAT
				 " to %" JSON_INTEGER_FORMAT ", and there are %zu bytes of data",
				 name, begin, end, size);
	if ((uint64_t)(end - begin) != tensor->count * dtypes[k].size)
		return host_fail(file->host, NNR_INVALID, file->path,
				 "tensor '%s' has %" PRIu64 " elements of %u bytes, but %" JSON_INTEGER_FORMAT
				 " bytes of data",
				 name, tensor->count, dtypes[k].size, end - begin);
	tensor->at = (const unsigned char *)file->bytes.at + file->bytes.size - size + begin;
	return NNR_OK;
}

static unsigned element_bytes(const struct stored *tensor)
{
	for (int k = 0; k < DTYPES; k++)
		if (strcmp(tensor->dtype_name, dtypes[k].name) == 0)
			return dtypes[k].size;
	return 0;
}

static int compare_places(const void *a, const void *b)
{
	const struct stored *left = a, *right = b;
	if (left->at != right->at)
		return left->at < right->at ? -1 : 1;
	return (left->count > right->count) - (left->count < right->count);
}

/* Sort by place; then each tensor must begin where the one before it ends. */
static nnr_status check_gaps(const struct safetensors *file, size_t size)
{
	const unsigned char *end = (const unsigned char *)file->bytes.at + file->bytes.size, *at = end - size;
	if (file->n)
		qsort(file->tensor, file->n, sizeof *file->tensor, compare_places);
	for (size_t i = 0; i < file->n; i++) {
		const struct stored *tensor = &file->tensor[i];
		if (tensor->at < at)
			return host_fail(file->host, NNR_INVALID, file->path, "tensors '%s' and '%s' overlap",
					 file->tensor[i - 1].name, tensor->name);
		if (tensor->at > at)
			return fail(file, "there is a gap before the data of tensor '%s'", tensor->name);
		at += tensor->count * element_bytes(tensor);
	}
	if (at != end)
		return host_fail(file->host, NNR_INVALID, file->path, "%zu bytes behind the last tensor",
				 (size_t)(end - at));
	return NNR_OK;
}

nnr_status open_safetensors(const struct host *host, const char *path, struct safetensors *file)
{
	json_error_t error;
	*file = (struct safetensors){.host = host, .path = path};
	nnr_status status = read_file(host, path, false, &file->bytes);
	if (status != NNR_OK)
		return status;
	if (file->bytes.size < LENGTH_SIZE)
		return fail(file, "is no safetensors file: it is shorter than 8 bytes%s", "");
	uint64_t length = read_bits((const unsigned char *)file->bytes.at, LENGTH_SIZE);
	if (length > MAX_HEADER || length > file->bytes.size - LENGTH_SIZE)
		return host_fail(host, NNR_INVALID, path,
				 "is no safetensors file, or truncated: its header would be %" PRIu64 " bytes long, %s",
				 length,
				 length > MAX_HEADER ? "more than the 16 MiB allowed" : "more than the file has");
	size_t size = file->bytes.size - LENGTH_SIZE - (size_t)length;
	file->head = json_loadb(file->bytes.at + LENGTH_SIZE, (size_t)length, JSON_REJECT_DUPLICATES, &error);
	if (!file->head)
		return host_fail(host, NNR_INVALID, path, "is no safetensors file: its header is no JSON (byte %d: %s)",
				 LENGTH_SIZE + error.position, error.text);
	if (!json_is_object(file->head))
		return fail(file, "is no safetensors file: its header is no JSON object%s", "");
	file->tensor = host_alloc(host, json_object_size(file->head), sizeof *file->tensor);
	if (!file->tensor)
		return NNR_MEMORY;
	const char *name;
	json_t *entry;
	json_object_foreach(file->head, name, entry)
	{
		if (strcmp(name, "__metadata__") == 0)
			continue;
		status = read_entry(file, name, entry, size, &file->tensor[file->n]);
		if (status != NNR_OK)
			return status;
		file->n++;
	}
	return check_gaps(file, size);
}

void close_safetensors(struct safetensors *file)
{
	json_decref(file->head);
	host_free(file->host, file->tensor);
	host_free(file->host, file->bytes.at);
}

const struct stored *find_stored(const struct safetensors *file, const char *name)
{
	for (size_t i = 0; i < file->n; i++)
		if (strcmp(file->tensor[i].name, name) == 0)
			return &file->tensor[i];
	return NULL;
}

const char *stored_metadata(const struct safetensors *file, const char *key)
{
	return json_string_value(json_object_get(json_object_get(file->head, "__metadata__"), key));
}

/* IEEE half precision: 1 sign, 5 exponent, 10 fraction bits. */
static double read_half(unsigned bits)
{
	int exponent = bits >> 10 & 31;
	double fraction = bits & 1023;
	double value = exponent == 31  ? (fraction != 0 ? (double)NAN : (double)INFINITY)
		       : exponent == 0 ? ldexp(fraction, -24)
				       : ldexp(1024 + fraction, exponent - 25);
	return bits >> 15 ? -value : value;
}

double stored_element(const struct stored *tensor, uint64_t i)
{
	uint64_t wide;
	uint32_t bits;
	double value;
	float single;
	switch (tensor->dtype) {
	case DTYPE_F64:
		wide = read_bits(tensor->at + 8 * i, 8);
		memcpy(&value, &wide, sizeof value);
		return value;
	case DTYPE_F32:
	case DTYPE_BF16: /* the upper half of a float */
		bits = tensor->dtype == DTYPE_F32 ? (uint32_t)read_bits(tensor->at + 4 * i, 4)
						  : (uint32_t)read_bits(tensor->at + 2 * i, 2) << 16;
		memcpy(&single, &bits, sizeof single);
		return single;
	case DTYPE_F16: return read_half((unsigned)read_bits(tensor->at + 2 * i, 2));
	case DTYPE_I64: return (double)(int64_t)read_bits(tensor->at + 8 * i, 8);
	case DTYPE_I32: return (int32_t)read_bits(tensor->at + 4 * i, 4);
	case DTYPE_OTHER: break;
	}
	return 0;
}
