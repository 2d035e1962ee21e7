/* safetensors.h - the head of a safetensors file, parsed and checked. */
#ifndef NNR_SAFETENSORS_H
#define NNR_SAFETENSORS_H

#include <jansson.h>

#include "files.h"

enum dtype { DTYPE_F64, DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_I64, DTYPE_I32, DTYPE_OTHER };

/* One tensor of a file; it exists while the file's head does. */
struct stored {
	const char *name;
	enum dtype dtype;
	const char *dtype_name;
	int rank;
	const json_t *shape; /* rank extents, checked to be integers from 0 */
	uint64_t count;
	const unsigned char *at; /* its elements, in the file's bytes */
};

struct safetensors {
	const struct host *host;
	const char *path;
	struct bytes bytes;
	json_t *head;
	struct stored *tensor;
	size_t n;
};

/* Read and check all of a file. Free it with close_safetensors after errors too. */
nnr_status open_safetensors(const struct host *host, const char *path, struct safetensors *file);
void close_safetensors(struct safetensors *file);
const struct stored *find_stored(const struct safetensors *file, const char *name);
/* A string of the file's __metadata__, or NULL. */
const char *stored_metadata(const struct safetensors *file, const char *key);
/* Element i as a double; exact for every type but I64 beyond 2^53. */
double stored_element(const struct stored *tensor, uint64_t i);

#endif
