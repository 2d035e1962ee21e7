/* data.h - a data set in memory, and the readers that fill it. */
#ifndef NNR_DATA_H
#define NNR_DATA_H

#include "files.h"

/* How the values of a column are kept. Bytes stay bytes, a quarter of a float, until a batch is gathered. */
enum storage { STORED_BYTE, STORED_INT, STORED_REAL /* of the model's size */ };

/* All rows of one input or target: [rows][count], row r starting at element r * stride. */
struct column {
	const nn_tensor *tensor;
	enum storage storage;
	size_t stride; /* count, but in a text */
	const void *at;
	void *owned;  /* at, or NULL where it is the host's, or another column's too */
	double scale; /* of reals, applied when a batch is gathered */
};

struct nnr_data {
	struct host host;
	int64_t rows;
	int n_input, n_target; /* columns: inputs, then targets; n_target 0 where targets were not read */
	struct column column[];
};

/* What is being read: the file, and the columns that it may fill, first to last. */
struct reader {
	const nnr_model *model;
	struct host host;
	const char *file;
	struct bytes bytes;
	struct nnr_data *data;
	int next;	/* first column that no file has filled yet */
	int needed;	/* columns that must be filled in the end: the inputs at least */
	bool last_file; /* this one must fill what is needed */
};

/* Read reader->bytes and move reader->next past the columns that it fills. Rows are checked against data->rows,
 * which is -1 before the first file. */
nnr_status read_csv(struct reader *reader);
nnr_status read_idx(struct reader *reader);
nnr_status read_text(struct reader *reader);
bool looks_like_idx(const struct bytes *bytes);
bool looks_like_text(const struct reader *reader);

/* Check and set the number of rows. */
nnr_status set_rows(struct reader *reader, int64_t rows);
/* Memory for a column; its rows must be known. NULL: out of memory, reported. */
void *allocate_column(struct reader *reader, struct column *column, enum storage storage);
/* "input 'image'", with the tensor's shape; for messages. */
const char *describe_tensor(const nn_tensor *tensor, char *text, size_t size);
/* NULL if value may stand in tensor, else why not, written to text. */
const char *refuse_value(const nn_model *nn, const nn_tensor *tensor, double value, char *text, size_t size);

#endif
