/* weights.c - a model's params and states to and from a safetensors file.
 *
 * The file has a tensor for each param, frozen param and state, by its name, and in its metadata where the run stands.
 * So training that starts from it goes on exactly as if it had not stopped, and other programs read the weights. */
#include "safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_SIZE = 8, ALIGNMENT = 8 };

static bool is_saved(const nn_tensor *tensor) { return tensor->kind <= NN_STATE; }

/* Extents as saved: a state with a row per sample has the batch first. */
static int saved_shape(const nn_model *nn, const nn_tensor *tensor, int64_t shape[9])
{
	int n = 0;
	if (tensor->batched)
		shape[n++] = nn->batch;
	for (int i = 0; i < tensor->rank; i++)
		shape[n++] = tensor->dim[i];
	return n;
}

/* ---- saving ---- */

static const char *saved_dtype(const nn_model *nn, const nn_tensor *tensor)
{
	return tensor->elem == NN_INT32 ? "I32" : nn->real_size == sizeof(float) ? "F32" : "F64";
}

static json_t *make_metadata(const nnr_model *model)
{
	const nn_run *run = model->state;
	char fingerprint[32], seed[32], step[16], epoch[16], loss[32], loss_sum[32];
	snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, model->nn->fingerprint);
	snprintf(seed, sizeof seed, "%" PRIu64, run->seed);
	snprintf(step, sizeof step, "%" PRId32, run->step);
	snprintf(epoch, sizeof epoch, "%" PRId32, run->epoch);
	snprintf(loss, sizeof loss, "%.17g", run->loss);
	snprintf(loss_sum, sizeof loss_sum, "%.17g", run->loss_sum);
	return json_pack("{ss ss ss ss ss ss ss ss}", "format", "pt", "nnc.model", model->nn->name, "nnc.fingerprint",
			 fingerprint, "nnc.seed", seed, "nnc.step", step, "nnc.epoch", epoch, "nnc.loss", loss,
			 "nnc.loss_sum", loss_sum);
}

/* Tensors of 8 bytes an element come before those of 4, so that each is aligned. */
static size_t pass_of(const nn_model *nn, const nn_tensor *tensor) { return element_size(nn, tensor) == 8 ? 0 : 1; }

/* The header's text, padded with blanks; free() it. NULL: out of memory. */
static char *make_header(const nnr_model *model)
{
	const nn_model *nn = model->nn;
	json_t *head = json_object();
	bool ok = json_object_set_new(head, "__metadata__", make_metadata(model)) == 0;
	size_t offset = 0;
	for (size_t pass = 0; pass < 2; pass++)
		for (uint32_t i = 0; i < nn->n_tensor; i++) {
			const nn_tensor *tensor = &nn->tensor[i];
			int64_t extent[9];
			if (!is_saved(tensor) || pass_of(nn, tensor) != pass)
				continue;
			int rank = saved_shape(nn, tensor, extent);
			size_t end = offset + tensor_elements(nn, tensor) * element_size(nn, tensor);
			json_t *shape = json_array();
			for (int k = 0; k < rank; k++)
				ok &= json_array_append_new(shape, json_integer(extent[k])) == 0;
			ok &= json_object_set_new(head, tensor->name,
						  json_pack("{ss so s[II]}", "dtype", saved_dtype(nn, tensor), "shape",
							    shape, "data_offsets", (json_int_t)offset,
							    (json_int_t)end)) == 0;
			offset = end;
		}
	char *text = ok ? json_dumps(head, JSON_COMPACT) : NULL;
	json_decref(head);
	size_t n = text ? strlen(text) : 0, padded = (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	char *whole = text ? realloc(text, padded + 1) : NULL;
	if (!whole) {
		free(text);
		return NULL;
	}
	memset(whole + n, ' ', padded - n);
	whole[padded] = 0;
	return whole;
}

/* Elements in little-endian order. */
static void write_elements(FILE *stream, const void *at, size_t n, size_t size)
{
	const uint16_t one = 1;
	if (*(const unsigned char *)&one) {
		fwrite(at, size, n, stream);
		return;
	}
	const unsigned char *bytes = at;
	for (size_t i = 0; i < n; i++)
		for (size_t k = size; k-- > 0;)
			putc(bytes[i * size + k], stream);
}

nnr_status nnr_save(nnr_model *model, const char *path)
{
	const nn_model *nn = model->nn;
	struct new_file file;
	char *header = make_header(model);
	if (!header)
		return host_fail(&model->host, NNR_MEMORY, path, "out of memory");
	nnr_status status = create_file(&model->host, path, &file);
	if (status == NNR_OK) {
		uint64_t length = strlen(header);
		for (int i = 0; i < LENGTH_SIZE; i++)
			putc((int)(length >> 8 * i & 255), file.stream);
		fwrite(header, 1, (size_t)length, file.stream);
		for (size_t pass = 0; pass < 2; pass++)
			for (uint32_t i = 0; i < nn->n_tensor; i++)
				if (is_saved(&nn->tensor[i]) && pass_of(nn, &nn->tensor[i]) == pass)
					write_elements(file.stream, tensor_memory(model, &nn->tensor[i]),
						       tensor_elements(nn, &nn->tensor[i]),
						       element_size(nn, &nn->tensor[i]));
		status = commit_file(&model->host, &file, true);
	}
	free(header);
	return status;
}

/* ---- loading ---- */

static void print_shape(char *text, size_t size, int rank, const int64_t *extent)
{
	size_t n = (size_t)snprintf(text, size, "[");
	for (int i = 0; i < rank && n < size; i++)
		n += (size_t)snprintf(text + n, size - n, "%s%" PRId64, i ? ", " : "", extent[i]);
	if (n < size)
		snprintf(text + n, size - n, "]");
}

/* Why a tensor of the file does not fit one of the model, or NULL. */
static const char *compare_tensor(const nn_model *nn, const nn_tensor *tensor, const struct stored *stored, char *text,
				  size_t size)
{
	int64_t ours[9], theirs[9];
	char our_shape[200], their_shape[200];
	int rank = saved_shape(nn, tensor, ours);
	bool same = rank == stored->rank, integer = stored->dtype == DTYPE_I64 || stored->dtype == DTYPE_I32;
	int shown = stored->rank < 9 ? stored->rank : 9;
	for (int i = 0; i < shown; i++) {
		theirs[i] = json_integer_value(json_array_get(stored->shape, (size_t)i));
		same = same && theirs[i] == ours[i];
	}
	if (!same) {
		print_shape(our_shape, sizeof our_shape, rank, ours);
		print_shape(their_shape, sizeof their_shape, shown, theirs);
		snprintf(text, size, "'%s' is %s in the model, %s in the file", tensor->name, our_shape, their_shape);
		return text;
	}
	if (stored->dtype == DTYPE_OTHER || integer != (tensor->elem == NN_INT32)) {
		snprintf(text, size, "'%s' is %s in the model, %s in the file", tensor->name, saved_dtype(nn, tensor),
			 stored->dtype_name);
		return text;
	}
	return NULL;
}

struct loading {
	nnr_model *model;
	struct safetensors file;
	int differences;
	int missing_states;
	const char *missing_state;
};

enum { MAX_DIFFERENCES = 20 };

/* The first difference is the error, the others are notes to it. */
static void add_difference(struct loading *loading, const char *text)
{
	const nn_model *nn = loading->model->nn;
	const char *name = stored_metadata(&loading->file, "nnc.model"),
		   *fingerprint = stored_metadata(&loading->file, "nnc.fingerprint");
	char own[32];
	struct place at = {.file = loading->file.path};
	snprintf(own, sizeof own, "%016" PRIx64, nn->fingerprint);
	if (loading->differences++ == 0) {
		if (fingerprint && strcmp(fingerprint, own) != 0)
			host_report(
				&loading->model->host, NNC_ERROR, at,
				"these are the weights of another model: of '%.100s' with fingerprint %.16s, not of '%s' with %s",
				name ? name : "?", fingerprint, nn->name, own);
		else
			host_report(&loading->model->host, NNC_ERROR, at, "the weights do not fit model '%s'",
				    nn->name);
	}
	if (loading->differences <= MAX_DIFFERENCES)
		host_report(&loading->model->host, NNC_NOTE, at, "%s", text);
}

/* "no tensor 'x'", with the nearest name that the model does not use itself. */
static const char *describe_missing(struct loading *loading, const char *name, char *text, size_t size)
{
	const struct safetensors *file = &loading->file;
	const char **names = host_alloc(&loading->model->host, file->n, sizeof *names);
	const char *nearest = NULL;
	int n = 0;
	for (size_t i = 0; names && i < file->n; i++)
		if (!find_tensor(loading->model, file->tensor[i].name))
			names[n++] = file->tensor[i].name;
	if (names)
		nearest = nnc_nearest(name, names, n);
	if (nearest)
		snprintf(text, size, "the file has no tensor '%s'; did you mean its '%.100s'?", name, nearest);
	else
		snprintf(text, size, "the file has no tensor '%s'", name);
	host_free(&loading->model->host, names);
	return text;
}

/* Look at every tensor of the model before any is written. */
static void compare_all(struct loading *loading)
{
	const nn_model *nn = loading->model->nn;
	char text[700];
	for (uint32_t i = 0; i < nn->n_tensor; i++) {
		const nn_tensor *tensor = &nn->tensor[i];
		if (!is_saved(tensor))
			continue;
		const struct stored *stored = find_stored(&loading->file, tensor->name);
		if (stored && compare_tensor(nn, tensor, stored, text, sizeof text))
			add_difference(loading, text);
		else if (!stored && tensor->kind == NN_STATE) {
			if (loading->missing_states++ == 0)
				loading->missing_state = tensor->name;
		} else if (!stored)
			add_difference(loading, describe_missing(loading, tensor->name, text, sizeof text));
	}
}

static void copy_tensor(nnr_model *model, const nn_tensor *tensor, const struct stored *stored)
{
	void *to = tensor_memory(model, tensor);
	for (uint64_t i = 0; i < stored->count; i++) {
		double value = stored_element(stored, i);
		if (tensor->elem != NN_INT32)
			store_real(model->nn, to, (size_t)i, value);
		else
			((int32_t *)to)[i] = value < INT32_MIN	 ? INT32_MIN
					     : value > INT32_MAX ? INT32_MAX
								 : (int32_t)value;
	}
}

static bool read_number(const struct safetensors *file, const char *key, uint64_t limit, uint64_t *value)
{
	const char *text = stored_metadata(file, key);
	char *end;
	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno == 0 && *end == 0 && *value <= limit;
}

/* A number as printf writes it, 0 if there is none. */
static double read_real(const struct safetensors *file, const char *key)
{
	const char *text = stored_metadata(file, key);
	char *end;
	double value = text ? strtod(text, &end) : 0;
	return text && end > text && *end == 0 ? value : 0;
}

/* The run goes on where the file left it. Without that (weights of other programs) it stays at step 0. */
static void copy_run(const struct loading *loading)
{
	nn_run *run = loading->model->state;
	uint64_t seed, step, epoch;
	if (read_number(&loading->file, "nnc.seed", UINT64_MAX, &seed) &&
	    read_number(&loading->file, "nnc.step", INT32_MAX, &step) &&
	    read_number(&loading->file, "nnc.epoch", INT32_MAX, &epoch)) {
		run->seed = seed;
		run->step = (int32_t)step;
		run->epoch = (int32_t)epoch;
		run->loss = read_real(&loading->file, "nnc.loss");
		run->loss_sum = read_real(&loading->file, "nnc.loss_sum");
	}
}

static void report_rest(const struct loading *loading)
{
	const struct host *host = &loading->model->host;
	struct place at = {.file = loading->file.path};
	size_t extra = 0;
	const char *first = NULL;
	for (size_t i = 0; i < loading->file.n; i++) {
		const nn_tensor *tensor = find_tensor(loading->model, loading->file.tensor[i].name);
		if (tensor && is_saved(tensor))
			continue;
		if (extra++ == 0)
			first = loading->file.tensor[i].name;
	}
	if (loading->missing_states)
		host_report(host, NNC_WARNING, at, "the file has no '%s'%s: %s the initial value",
			    loading->missing_state, loading->missing_states > 1 ? " and other states" : "",
			    loading->missing_states > 1 ? "they keep" : "it keeps");
	if (extra)
		host_report(host, NNC_WARNING, at, "%zu tensor%s not used by the model, '%.100s' first", extra,
			    extra > 1 ? "s are" : " is", first);
}

nnr_status nnr_load(nnr_model *model, const char *path)
{
	struct loading loading = {.model = model};
	nnr_status status = open_safetensors(&model->host, path, &loading.file);
	if (status == NNR_OK) {
		compare_all(&loading);
		if (loading.differences)
			status = NNR_INVALID;
	}
	if (loading.differences > MAX_DIFFERENCES)
		host_report(&model->host, NNC_NOTE, (struct place){.file = path}, "and %d differences more",
			    loading.differences - MAX_DIFFERENCES);
	for (uint32_t i = 0; status == NNR_OK && i < model->nn->n_tensor; i++) {
		const nn_tensor *tensor = &model->nn->tensor[i];
		const struct stored *stored = is_saved(tensor) ? find_stored(&loading.file, tensor->name) : NULL;
		if (stored)
			copy_tensor(model, tensor, stored);
	}
	if (status == NNR_OK) {
		copy_run(&loading);
		model->averaged = false;
		report_rest(&loading);
	}
	close_safetensors(&loading.file);
	return status;
}
