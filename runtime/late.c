/* late.c - a compiled model's code by libtcc, function by function.
 *
 * A program that trains waits for init and step; one that predicts for forward. What else the descriptor promises is
 * often never called, and writing and compiling it takes as long again. So a handle begins with the functions that are
 * called first, and keeps the graph; the others come when they are needed. The library asks before it calls
 * (late_need), and can so return a status. A host may also call what the descriptor points to: there stands a function
 * that asks nn_late for the one to call.
 *
 * The graph of a large model takes more memory than its code is worth. There all is compiled at once, and the graph
 * goes. */
#include "late.h"

#include <stddef.h>
#include <string.h>

#include "jit.h"
#include "tile_set.h"

enum {
	KEEP_LIMIT = 8 << 20, /* bytes of a graph that is kept */
	MOST_IN_CODE = 28     /* rows or columns of a tile, where only registers are a limit */
};

/* The fields of nn_model that functions have, and what they are called in the text. */
static const struct {
	const char *name;
	size_t offset;
} fields[CODE_COUNT] = {
	{"any_init", offsetof(nn_model, init)},
	{"any_forward", offsetof(nn_model, forward)},
	{"any_forward1", offsetof(nn_model, forward1)},
	{"any_loss", offsetof(nn_model, loss)},
	{"any_metrics", offsetof(nn_model, metrics)},
	{"any_metrics2", offsetof(nn_model, metrics2)},
	{"any_metrics_finish", offsetof(nn_model, metrics_finish)},
	{"any_backward", offsetof(nn_model, backward)},
	{"any_update", offsetof(nn_model, update)},
	{"any_step", offsetof(nn_model, step)},
	{"any_stream_step", offsetof(nn_model, stream_step)},
	{"any_average", offsetof(nn_model, average)},
	{"any_team_step", offsetof(nn_model, team_step)},
};

static void set_function(nn_model *code, int k, void *function)
{
	memcpy((char *)code + fields[k].offset, &function, sizeof function);
}

struct late *late_compile(const struct host *host, const char *name, const char *text, size_t size,
			  const nnc_options *options, nnr_status *status)
{
	nnc_options with = options ? *options : (nnc_options){0};
	struct late *late = host_alloc(host, 1, sizeof *late);
	*status = NNR_MEMORY;
	if (!late)
		return NULL;
	late->host = *host;
	if (pthread_mutex_init(&late->lock, NULL)) {
		host_free(host, late);
		return NULL;
	}
	with.out_of_memory = &late->out_of_memory;
	late->compiled = nnc_compile(name, text, size, &with);
	*status = late->compiled ? NNR_OK : late->out_of_memory ? NNR_MEMORY : NNR_INVALID;
	if (late->compiled)
		return late;
	late_free(late);
	return NULL;
}

static void free_part(struct late *late, struct code_part *part)
{
	jit_free(part->jit);
	host_free(&late->host, part->tile);
	free_tile_code(part->code);
	host_free(&late->host, part->maps);
	free_map_code(part->map_code);
	host_free(&late->host, part->words);
}

void late_free(struct late *late)
{
	if (!late)
		return;
	for (int i = 0; i < late->n_part; i++)
		free_part(late, &late->part[i]);
	nnc_free(late->compiled);
	host_free(&late->host, late->descriptor);
	pthread_mutex_destroy(&late->lock);
	host_free(&late->host, late);
}

/* ---- compiling ---- */

struct listener {
	const struct host *host;
	nnr_status status;
};

static void report_jit(void *user, const char *message)
{
	struct listener *to = user;
	if (jit_lacks_memory(message))
		to->status = host_fail(to->host, NNR_MEMORY, NULL, "out of memory");
	else
		to->status = host_fail(to->host, NNR_INVALID, NULL,
				       "internal error: the generated C does not compile: %s", message);
}

/* Functions for the tiles of the text that was written last. */
static nnr_status make_tiles(struct late *late, struct code_part *part)
{
	int n;
	const nn_tile *shape = nnc_tiles_in_process(late->compiled, &n);
	if (n == 0)
		return NNR_OK;
	part->tile = host_alloc(&late->host, (size_t)n, sizeof *part->tile);
	if (!part->tile)
		return NNR_MEMORY;
	memcpy(part->tile, shape, (size_t)n * sizeof *part->tile);
	part->code = make_tile_code(late->tile_set, part->tile, n);
	return NNR_OK;
}

/* The same for the maps; the part has its words. */
static nnr_status make_maps(struct late *late, struct code_part *part)
{
	int n;
	const int32_t *start = nnc_maps_in_process(late->compiled, &n);
	if (n == 0)
		return NNR_OK;
	part->maps = host_alloc(&late->host, (size_t)n, sizeof *part->maps);
	if (!part->maps)
		return NNR_MEMORY;
	part->map_code = make_map_code(late->tile_set, part->words, start, n, part->maps);
	return NNR_OK;
}

static nnr_status copy_words(struct late *late, struct code_part *part)
{
	size_t n;
	const int32_t *words = nnc_words(late->compiled, &n);
	if (n == 0)
		return NNR_OK;
	part->words = host_alloc(&late->host, n, sizeof *words);
	if (!part->words)
		return NNR_MEMORY;
	memcpy(part->words, words, n * sizeof *words);
	return NNR_OK;
}

/* One more part, with these functions. */
static nnr_status compile_part(struct late *late, unsigned functions)
{
	struct listener listener = {&late->host, NNR_INVALID};
	struct jit_host host = {.tiles = late->tile_set, .parts = late};
	struct code_part part = {.jit = NULL};
	const char *text = nnc_emit_in_process(late->compiled, &late->tiles, functions);
	nnr_status status = NNR_OK;
	if (!text)
		return late->out_of_memory ? NNR_MEMORY : NNR_INVALID;
	if (!jit_has_room(text))
		return host_fail(&late->host, NNR_MEMORY, NULL, "out of memory");
	status = copy_words(late, &part);
	if (status == NNR_OK)
		status = make_tiles(late, &part);
	if (status == NNR_OK)
		status = make_maps(late, &part);
	host.maps = part.maps;
	host.tile = part.tile;
	host.words = part.words;
	if (status == NNR_OK)
		part.jit = jit_compile(text, &host, report_jit, &listener);
	if (part.jit) {
		late->part[late->n_part++] = part;
		return NNR_OK;
	}
	free_part(late, &part);
	return status != NNR_OK ? status : late->out_of_memory ? NNR_MEMORY : listener.status;
}

static size_t room_of(const char *text) { return text ? strlen(text) + 1 : 0; }

static const char *put(char **at, const char *text)
{
	size_t n = room_of(text);
	char *copy = *at;
	*at += n;
	return n ? memcpy(copy, text, n) : NULL;
}

/* With all that it points to, in one block; NULL: out of memory, which is reported. */
static nn_model *copy_descriptor(const struct host *host, const nn_model *from)
{
	size_t size = sizeof *from + from->n_tensor * sizeof *from->tensor;
	size += room_of(from->name) + room_of(from->source) + room_of(from->coupling);
	for (uint32_t i = 0; i < from->n_tensor; i++)
		size += room_of(from->tensor[i].name);
	nn_model *model = host_alloc(host, 1, size);
	if (!model)
		return NULL;
	nn_tensor *tensor = (nn_tensor *)(model + 1);
	char *at = (char *)(tensor + from->n_tensor);
	*model = *from;
	model->tensor = tensor;
	model->name = put(&at, from->name);
	model->source = put(&at, from->source);
	model->coupling = put(&at, from->coupling);
	for (uint32_t i = 0; i < from->n_tensor; i++) {
		tensor[i] = from->tensor[i];
		tensor[i].name = put(&at, from->tensor[i].name);
	}
	return model;
}

nnr_status late_start(struct late *late, const nnc_options *options, unsigned functions, const nn_model **descriptor)
{
	const struct tile_set *set = select_tile_set(options->real == NNC_DOUBLE ? sizeof(double) : sizeof(float),
						     options->fp == NNC_FP_STRICT);
	late->tile_set = set;
	late->tiles = (nnc_tiles){.lanes = set->width,
				  .registers = set->registers,
				  .rows = set->makes_code ? MOST_IN_CODE : NN_TILE_ROWS,
				  .columns = set->makes_code ? MOST_IN_CODE : NN_TILE_VECTORS,
				  .dot_rows = set->makes_code ? MOST_IN_CODE : NN_DOT_ROWS,
				  .dot_columns = set->makes_code ? MOST_IN_CODE : NN_DOT_VECTORS,
				  .sums = NN_TILE_SUMS,
				  .code = set->makes_code,
				  .maps = options->fp != NNC_FP_STRICT};
	if (nnc_memory(late->compiled) > KEEP_LIMIT)
		functions = CODE_ALL;
	nnr_status status = compile_part(late, functions);
	const nn_model *said = status == NNR_OK ? nnc_descriptor(late->compiled) : NULL;
	if (said)
		late->descriptor = copy_descriptor(&late->host, said);
	if (!late->descriptor)
		return status == NNR_OK ? NNR_MEMORY : status;
	for (int k = 0; k < CODE_COUNT; k++) {
		void *function = jit_symbol(late->part[0].jit, fields[k].name);
		set_function(late->descriptor, k, function);
		if (!function || functions >> k & 1) {
			late->ready |= 1u << k;
			late->function[k] = function;
		}
	}
	late->code = *late->descriptor;
	if (late->ready == CODE_ALL) {
		nnc_free(late->compiled);
		late->compiled = NULL;
	}
	*descriptor = late->descriptor;
	return NNR_OK;
}

/* Compile those of the functions that are not there, of such as the model has. The lock is held. */
static nnr_status compile_missing(struct late *late, unsigned functions)
{
	for (int k = 0; k < CODE_COUNT; k++)
		if (late->function[k])
			functions &= ~(1u << k);
	nnr_status status = functions ? compile_part(late, functions) : NNR_OK;
	for (int k = 0; k < CODE_COUNT && functions && status == NNR_OK; k++)
		if (functions >> k & 1)
			late->function[k] = jit_symbol(late->part[late->n_part - 1].jit, fields[k].name);
	return status;
}

nnr_status late_need(struct late *late, unsigned functions)
{
	functions &= ~late->ready;
	if (!functions)
		return NNR_OK;
	pthread_mutex_lock(&late->lock);
	nnr_status status = compile_missing(late, functions);
	for (int k = 0; k < CODE_COUNT && status == NNR_OK; k++)
		if (functions >> k & 1)
			set_function(&late->code, k, late->function[k]);
	pthread_mutex_unlock(&late->lock);
	late->ready |= status == NNR_OK ? functions : 0;
	return status;
}

void *nn_late(struct late *late, int number)
{
	pthread_mutex_lock(&late->lock);
	compile_missing(late, 1u << number);
	void *function = late->function[number];
	pthread_mutex_unlock(&late->lock);
	return function;
}
