/* stream.c - a sequence gone through step by step, with what the model keeps from one step to the next. */
#include "late.h"

#include <string.h>

struct nnr_stream {
	nnr_model *model;
	const nn_model *code; /* always the same: another compiler's may keep other things */
	void *kept;	      /* the model's generated struct */
};

nnr_stream *nnr_stream_open(nnr_model *model, nnr_status *status)
{
	const nn_model *nn = model->nn;
	nnr_status ignored;
	nnr_stream *stream = NULL;
	if (!status)
		status = &ignored;
	*status = NNR_OK;
	if (!nn->stream_step) {
		*status = host_fail(&model->host, NNR_USAGE, NULL,
				    "model '%s' cannot go through a sequence step by step", nn->name);
		return NULL;
	}
	if (model->late && (*status = late_need(model->late, CODE_STREAM)) != NNR_OK)
		return NULL;
	/* the struct behind the handle, on a cache line of its own */
	enum { LINE = 64 };
	stream = host_alloc(&model->host, sizeof *stream + nn->stream_size + LINE, 1);
	if (!stream) {
		*status = NNR_MEMORY;
		return NULL;
	}
	char *end = (char *)(stream + 1);
	stream->model = model;
	stream->code = model->late ? &model->late->code : nn;
	stream->kept = end + (LINE - (uintptr_t)end % LINE) % LINE;
	return stream;
}

void nnr_stream_close(nnr_stream *stream)
{
	if (stream)
		host_free(&stream->model->host, stream);
}

void nnr_stream_restart(nnr_stream *stream) { memset(stream->kept, 0, stream->model->nn->stream_size); }

void nnr_stream_step(nnr_stream *stream, const void *const *input, void *const *output)
{
	nnr_model *model = stream->model;
	stream->code->stream_step(model->params, model->state, stream->kept, input, output, model->work1);
}
