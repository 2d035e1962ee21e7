/* data.c - a data set: which files it is made of, and rows from it for the model.
 *
 * A data set has a column for each input and target of the model. The files are read in the order given, and each
 * fills the next columns: an IDX file one, a CSV file as many as it has fields for, a text an input and its target. */
#define _POSIX_C_SOURCE 200809L
#include "data.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *describe_tensor(const nn_tensor *tensor, char *text, size_t size)
{
	int n = snprintf(text, size, "%s '%s'", tensor->kind == NN_TARGET ? "target" : "input", tensor->name);
	for (int i = 0; i < tensor->rank && n >= 0 && (size_t)n < size; i++)
		n += snprintf(text + n, size - (size_t)n, "%s%d%s", i ? ", " : "[", (int)tensor->dim[i],
			      i + 1 == tensor->rank ? "]" : "");
	return text;
}

const char *refuse_value(const nn_model *nn, const nn_tensor *tensor, double value, char *text, size_t size)
{
	const char *kind = tensor->kind == NN_TARGET ? "target" : "input";
	if (tensor->elem != NN_INT32) {
		if (nn->real_size == sizeof(float) && isinf((float)value)) {
			snprintf(text, size, "%g is too large for a float", value);
			return text;
		}
		return NULL;
	}
	if (value != floor(value))
		snprintf(text, size, "%g is no integer, as %s '%s' has them", value, kind, tensor->name);
	else if (tensor->classes > 0 && (value < 0 || value >= tensor->classes))
		snprintf(text, size, "label %.0f is outside class[%d] of %s '%s': 0 to %d are its classes", value,
			 (int)tensor->classes, kind, tensor->name, (int)tensor->classes - 1);
	else if (value < INT32_MIN || value > INT32_MAX)
		snprintf(text, size, "%.0f does not fit in 32 bits (%s '%s')", value, kind, tensor->name);
	else
		return NULL;
	return text;
}

nnr_status set_rows(struct reader *reader, int64_t rows)
{
	if (rows == 0)
		return host_fail(&reader->host, NNR_INVALID, reader->file, "no rows");
	if (reader->data->rows >= 0 && reader->data->rows != rows)
		return host_fail(&reader->host, NNR_INVALID, reader->file, "%lld rows, but the file before it has %lld",
				 (long long)rows, (long long)reader->data->rows);
	reader->data->rows = rows;
	return NNR_OK;
}

static size_t storage_size(const nn_model *nn, enum storage storage)
{
	return storage == STORED_BYTE ? 1 : storage == STORED_INT ? sizeof(int32_t) : nn->real_size;
}

void *allocate_column(struct reader *reader, struct column *column, enum storage storage)
{
	size_t row = column->tensor->count * storage_size(reader->model->nn, storage);
	column->owned = host_alloc(&reader->host, (size_t)reader->data->rows, row);
	column->at = column->owned;
	column->storage = storage;
	return column->owned;
}

/* A data set with a column for each tensor and no rows yet; NULL: out of memory. */
static nnr_data *make_data(const nnr_model *model, double scale)
{
	int n_input = model->n_kind[NN_INPUT], n_target = model->n_kind[NN_TARGET];
	size_t size = sizeof(nnr_data) + (size_t)(n_input + n_target) * sizeof(struct column);
	nnr_data *data = host_alloc(&model->host, 1, size);
	if (!data)
		return NULL;
	data->host = model->host;
	data->rows = -1;
	data->n_input = n_input;
	data->n_target = n_target;
	for (int i = 0; i < n_input + n_target; i++) {
		struct column *column = &data->column[i];
		column->tensor =
			i < n_input ? nnr_tensor(model, NN_INPUT, i) : nnr_tensor(model, NN_TARGET, i - n_input);
		column->stride = column->tensor->count;
		column->scale = i < n_input && scale != 0 ? scale : 1;
	}
	return data;
}

static nnr_status read_one(struct reader *reader, const char *path)
{
	reader->file = path;
	nnr_status status = read_file(&reader->host, path, true, &reader->bytes);
	if (status != NNR_OK)
		return status;
	if (reader->bytes.size == 0)
		status = host_fail(&reader->host, NNR_INVALID, path, "the file is empty");
	else if (looks_like_text(reader))
		status = read_text(reader);
	else
		status = looks_like_idx(&reader->bytes) ? read_idx(reader) : read_csv(reader);
	host_free(&reader->host, reader->bytes.at);
	return status;
}

/* Read files one after the other; names are separated by 0 and end with two. */
static nnr_status read_list(struct reader *reader, const char *names)
{
	nnr_status status = NNR_OK;
	char what[200];
	int n_column = reader->data->n_input + reader->data->n_target;
	for (; *names && status == NNR_OK; names += strlen(names) + 1) {
		if (reader->next == n_column)
			return host_fail(&reader->host, NNR_INVALID, names,
					 "one file too many: model '%s' has %d input%s and %d "
					 "target%s, and the files before have filled them all",
					 reader->model->nn->name, reader->data->n_input,
					 reader->data->n_input == 1 ? "" : "s", reader->data->n_target,
					 reader->data->n_target == 1 ? "" : "s");
		reader->last_file = names[strlen(names) + 1] == 0;
		status = read_one(reader, names);
	}
	if (status == NNR_OK && reader->next < reader->needed)
		status = host_fail(&reader->host, NNR_INVALID, reader->file,
				   "no data for %s: give its file too, after a comma",
				   describe_tensor(reader->data->column[reader->next].tensor, what, sizeof what));
	return status;
}

/* ---- names of files ---- */

/* Append "folder/name" or "folder/name.gz", whichever exists, and a 0. */
static bool append_existing(char **at, size_t room, const char *folder, const char *name)
{
	static const char *const suffix[] = {"", ".gz"};
	for (int i = 0; i < 2; i++) {
		snprintf(*at, room, "%s/%s%s", folder, name, suffix[i]);
		if (access(*at, F_OK) == 0) {
			*at += strlen(*at) + 1;
			return true;
		}
	}
	**at = 0;
	return false;
}

enum { MAX_NAME = 64 }; /* of the names looked for in a folder, with their suffixes */

/* The files of a split that a folder has: MNIST's four names, in both spellings, or train.csv and test.csv,
 * or train.txt and test.txt. */
static bool list_folder(const char *folder, nnr_split split, char *names, size_t room)
{
	static const char *const image[2][2] = {{"train-images-idx3-ubyte", "train-images.idx3-ubyte"},
						{"t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"}};
	static const char *const label[2][2] = {{"train-labels-idx1-ubyte", "train-labels.idx1-ubyte"},
						{"t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"}};
	for (int i = 0; i < 2; i++) {
		char *at = names;
		if (append_existing(&at, room, folder, image[split][i])) {
			append_existing(&at, room - (size_t)(at - names), folder, label[split][i]);
			*at = 0;
			return true;
		}
	}
	char *at = names;
	bool train = split == NNR_TRAIN;
	bool found = append_existing(&at, room, folder, train ? "train.csv" : "test.csv") ||
		     append_existing(&at, room, folder, train ? "train.txt" : "test.txt");
	*at = 0;
	return found;
}

bool nnr_has_split(const nnr_model *model, const char *path, nnr_split split)
{
	struct stat about;
	size_t room = strlen(path) * 2 + 2 * MAX_NAME + 2;
	if (stat(path, &about) || !S_ISDIR(about.st_mode))
		return false;
	char *names = host_alloc(&model->host, room, 1);
	bool found = names && list_folder(path, split, names, room);
	host_free(&model->host, names);
	return found;
}

/* Turn what the user wrote into a list of file names; NULL after a reported error. */
static char *list_files(const struct host *host, const char *path, nnr_split split, nnr_status *status)
{
	struct stat about;
	size_t size = strlen(path), room = size * 2 + 2 * MAX_NAME + 2;
	char *names = host_alloc(host, room, 1);
	*status = NNR_MEMORY;
	if (!names)
		return NULL;
	if (stat(path, &about) == 0) {
		if (!S_ISDIR(about.st_mode)) {
			memcpy(names, path, size + 1);
			return names;
		}
		if (list_folder(path, split, names, room))
			return names;
		bool train = split == NNR_TRAIN;
		*status = host_fail(host, NNR_IO, path,
				    "the folder has neither %s-images-idx3-ubyte nor %s.csv nor %s.txt, nor one of "
				    "them with .gz",
				    train ? "train" : "t10k", train ? "train" : "test", train ? "train" : "test");
		host_free(host, names);
		return NULL;
	}
	memcpy(names, path, size + 1);
	for (char *at = names; (at = strchr(at, ','));)
		*at++ = 0;
	for (const char *at = names; at <= names + size; at += strlen(at) + 1)
		if (!*at) {
			*status = host_fail(host, NNR_USAGE, path, "a file name is missing beside a comma");
			host_free(host, names);
			return NULL;
		}
	return names;
}

/* Forget targets, of which some may be missing. */
static void drop_targets(nnr_data *data)
{
	for (int i = data->n_input; i < data->n_input + data->n_target; i++)
		host_free(&data->host, data->column[i].owned);
	data->n_target = 0;
}

nnr_status nnr_read_data(nnr_model *model, const char *path, const nnr_data_options *options, nnr_data **data)
{
	static const nnr_data_options defaults;
	nnr_status status;
	*data = NULL;
	if (!options)
		options = &defaults;
	char *names = list_files(&model->host, path, options->split, &status);
	if (!names)
		return status;
	struct reader reader = {.model = model, .host = model->host, .data = make_data(model, options->scale)};
	if (!reader.data) {
		host_free(&model->host, names);
		return NNR_MEMORY;
	}
	reader.needed = reader.data->n_input + (options->inputs_only ? 0 : reader.data->n_target);
	status = read_list(&reader, names);
	host_free(&model->host, names);
	if (status != NNR_OK) {
		nnr_free_data(reader.data);
		return status;
	}
	if (reader.next < reader.data->n_input + reader.data->n_target)
		drop_targets(reader.data);
	*data = reader.data;
	return NNR_OK;
}

/* ---- rows in memory ---- */

static nnr_status check_labels(const nnr_model *model, const struct column *column, int64_t rows)
{
	const nn_tensor *tensor = column->tensor;
	char why[300];
	if (tensor->elem != NN_INT32)
		return NNR_OK;
	for (size_t i = 0; i < (size_t)rows * tensor->count; i++)
		if (refuse_value(model->nn, tensor, ((const int32_t *)column->at)[i], why, sizeof why))
			return host_fail(&model->host, NNR_INVALID, NULL, "row %zu: %s", i / tensor->count, why);
	return NNR_OK;
}

nnr_status nnr_wrap_data(nnr_model *model, const void *const *input, const void *const *target, int64_t rows,
			 nnr_data **data)
{
	nnr_status status = NNR_OK;
	*data = NULL;
	if (rows < 1)
		return host_fail(&model->host, NNR_USAGE, NULL, "%lld rows given", (long long)rows);
	nnr_data *made = make_data(model, 1);
	if (!made)
		return NNR_MEMORY;
	made->rows = rows;
	if (!target)
		made->n_target = 0;
	for (int i = 0; i < made->n_input + made->n_target && status == NNR_OK; i++) {
		struct column *column = &made->column[i];
		column->at = i < made->n_input ? input[i] : target[i - made->n_input];
		column->storage = column->tensor->elem == NN_INT32 ? STORED_INT : STORED_REAL;
		status = check_labels(model, column, rows);
	}
	if (status == NNR_OK)
		*data = made;
	else
		nnr_free_data(made);
	return status;
}

int64_t nnr_rows(const nnr_data *data) { return data->rows; }

void nnr_free_data(nnr_data *data)
{
	if (!data)
		return;
	struct host host = data->host;
	for (int i = 0; i < data->n_input + data->n_target; i++)
		host_free(&host, data->column[i].owned);
	host_free(&host, data);
}

/* What each byte is, scaled: looking it up is faster than a conversion and a product of doubles. */
union scaled_bytes {
	float f[256];
	double d[256];
};

static void scale_bytes(const nn_model *nn, double scale, union scaled_bytes *scaled)
{
	for (size_t i = 0; i < 256; i++)
		store_real(nn, scaled, i, (double)i * scale);
}

static void look_up(const nn_model *nn, const union scaled_bytes *scaled, const unsigned char *bytes, size_t count,
		    void *to)
{
	if (nn->real_size == sizeof(float))
		for (size_t i = 0; i < count; i++)
			((float *)to)[i] = scaled->f[bytes[i]];
	else
		for (size_t i = 0; i < count; i++)
			((double *)to)[i] = scaled->d[bytes[i]];
}

/* One row of a column into the model's own type. scaled: of columns of bytes. */
static void copy_row(const nn_model *nn, const struct column *column, int64_t row, const union scaled_bytes *scaled,
		     void *to, int64_t at)
{
	size_t count = column->tensor->count, from = (size_t)row * column->stride, into = (size_t)at * count;
	if (column->tensor->elem == NN_INT32) {
		const int32_t *ints = column->at;
		const unsigned char *bytes = column->at;
		for (size_t i = 0; i < count; i++)
			((int32_t *)to)[into + i] = column->storage == STORED_INT ? ints[from + i] : bytes[from + i];
		return;
	}
	if (column->storage == STORED_REAL && column->scale == 1) {
		memcpy((char *)to + into * nn->real_size, (const char *)column->at + from * nn->real_size,
		       count * nn->real_size);
		return;
	}
	if (column->storage == STORED_BYTE) {
		look_up(nn, scaled, (const unsigned char *)column->at + from, count, (char *)to + into * nn->real_size);
		return;
	}
	for (size_t i = 0; i < count; i++)
		store_real(nn, to, into + i, load_real(nn, column->at, from + i) * column->scale);
}

void nnr_gather(const nnr_model *model, const nnr_data *data, const int64_t *row, int64_t first, int n,
		void *const *input, void *const *target)
{
	union scaled_bytes scaled;
	for (int k = 0; k < data->n_input + data->n_target; k++) {
		bool is_input = k < data->n_input;
		if (!is_input && !target)
			return;
		void *to = is_input ? input[k] : target[k - data->n_input];
		const struct column *column = &data->column[k];
		if (column->storage == STORED_BYTE && column->tensor->elem == NN_REAL)
			scale_bytes(model->nn, column->scale, &scaled);
		for (int i = 0; i < n; i++)
			copy_row(model->nn, column, row ? row[i] : first + i, &scaled, to, i);
	}
}
