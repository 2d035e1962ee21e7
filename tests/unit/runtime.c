/* runtime.c - the run-time library on a model written by hand (a linear fit with momentum): data files, weights,
 * training, the in-process compiler, and memory that runs out anywhere. */
#define _POSIX_C_SOURCE 200809L
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "files.h"
#include "jit.h"
#include "random.h"
#include "random_kernels.h"
#include "runtime.h"
#include "suite.h"
#include "tile_set.h"

/* ---- the model: y = w x + b, loss = mean (y - t)^2 ---- */

struct params {
	float w[3], b, f[2]; /* f is frozen */
};
struct state {
	nn_run run;
	float m[4]; /* momentum of w and b */
	int32_t calls;
	float rate; /* a setting */
};

static void hand_init(void *params, void *state, uint64_t seed)
{
	struct params *p = params;
	struct state *s = state;
	*p = (struct params){{0.1f, -0.2f, (float)(seed % 7)}, 0, {5, 6}};
	*s = (struct state){.run = {.seed = seed}, .rate = 0.05f};
}

static float hand_output(const struct params *p, const float *x)
{
	return p->w[0] * x[0] + p->w[1] * x[1] + p->w[2] * x[2] + p->b;
}

static void hand_forward(const void *params, void *state, const void *const *input, void *const *output, int n,
			 void *work)
{
	(void)state, (void)work;
	for (int i = 0; i < n; i++)
		((float *)output[0])[i] = hand_output(params, (const float *)input[0] + 3 * i);
}

static void hand_loss(const void *params, void *state, const void *const *input, const void *const *target, void *loss,
		      int n, void *work)
{
	float sum = 0;
	(void)work;
	((struct state *)state)->calls += 1; /* evaluation must not keep this */
	for (int i = 0; i < n; i++) {
		float e = hand_output(params, (const float *)input[0] + 3 * i) - ((const float *)target[0])[i];
		sum += e * e;
	}
	*(float *)loss = sum / (float)n;
}

struct totals {
	int rows, hits, after;
};

/* The share of rows whose label is 1; and, in a second pass, that of the rows whose label is above it. */
static void hand_metrics(const void *params, void *state, const void *const *input, const void *const *target,
			 void *totals, int n, void *work)
{
	struct totals *t = totals;
	(void)params, (void)state, (void)input, (void)work;
	for (int i = 0; i < n; i++)
		t->hits += ((const int32_t *)target[1])[i] == 1;
	t->rows += n;
}

static void hand_metrics2(const void *params, void *state, const void *const *input, const void *const *target,
			  void *totals, int n, void *work)
{
	struct totals *t = totals;
	(void)params, (void)state, (void)input, (void)work;
	for (int i = 0; i < n; i++)
		t->after += ((const int32_t *)target[1])[i] * t->rows > t->hits;
}

static void hand_metrics_finish(const void *params, void *state, const void *totals, void *metric, void *work)
{
	const struct totals *t = totals;
	(void)params, (void)state, (void)work;
	((float *)metric)[0] = (float)t->hits / (float)t->rows;
	((float *)metric)[1] = (float)t->after / (float)t->rows;
}

static void hand_backward(const void *params, void *state, const void *const *input, const void *const *target,
			  void *grads, void *loss, int n, void *work)
{
	float *g = grads;
	memset(g, 0, 4 * sizeof *g);
	for (int i = 0; i < n; i++) {
		const float *x = (const float *)input[0] + 3 * i;
		float e = 2 * (hand_output(params, x) - ((const float *)target[0])[i]) / (float)n;
		for (int k = 0; k < 3; k++)
			g[k] += e * x[k];
		g[3] += e;
	}
	hand_loss(params, state, input, target, loss, n, work);
}

static void hand_update(void *params, void *state, const void *grads)
{
	struct state *s = state;
	float *w = ((struct params *)params)->w; /* b follows */
	for (int k = 0; k < 4; k++) {
		s->m[k] = 0.5f * s->m[k] + ((const float *)grads)[k];
		w[k] -= s->rate * s->m[k];
	}
	s->run.step++;
}

static void hand_step(void *params, void *state, const void *const *input, const void *const *target, void *loss, int n,
		      void *work)
{
	hand_backward(params, state, input, target, work, loss, n, NULL);
	hand_update(params, state, work);
}

static const nn_tensor tensors[] = {
	{"w", NN_PARAM, NN_REAL, 0, 0, 1, {3}, 3, offsetof(struct params, w), -1},
	{"bias", NN_PARAM, NN_REAL, 0, 0, 0, {0}, 1, offsetof(struct params, b), -1},
	{"f", NN_FROZEN, NN_REAL, 0, 0, 1, {2}, 2, offsetof(struct params, f), -1},
	{"m", NN_STATE, NN_REAL, 0, 0, 1, {4}, 4, offsetof(struct state, m), -1},
	{"calls", NN_STATE, NN_INT32, 0, 0, 0, {0}, 1, offsetof(struct state, calls), -1},
	{"rate", NN_SETTING, NN_REAL, 0, 0, 0, {0}, 1, offsetof(struct state, rate), -1},
	{"x", NN_INPUT, NN_REAL, 0, 1, 1, {3}, 3, 0, -1},
	{"t", NN_TARGET, NN_REAL, 0, 1, 0, {0}, 1, 0, -1},
	{"k", NN_TARGET, NN_INT32, 4, 1, 0, {0}, 1, 1, -1},
	{"y", NN_OUTPUT, NN_REAL, 0, 1, 0, {0}, 1, 0, -1},
	{"ones", NN_METRIC, NN_REAL, 0, 0, 0, {0}, 1, 0, -1},
	{"above", NN_METRIC, NN_REAL, 0, 0, 0, {0}, 1, 1, -1},
};
static const nn_model hand_model = {
	.abi = NN_MODEL_ABI,
	.real_size = 4,
	.batch = 4,
	.n_tensor = sizeof tensors / sizeof tensors[0],
	.tensor = tensors,
	.params_size = sizeof(struct params),
	.grads_size = 4 * sizeof(float),
	.state_size = sizeof(struct state),
	.work_size = 4 * sizeof(float),
	.work1_size = 0,
	.totals_size = sizeof(struct totals),
	.name = "hand",
	.source = "hand.nn",
	.fingerprint = 0x1234,
	.epochs = 3,
	.seed = 5,
	.init = hand_init,
	.forward = hand_forward,
	.loss = hand_loss,
	.metrics = hand_metrics,
	.metrics2 = hand_metrics2,
	.metrics_finish = hand_metrics_finish,
	.backward = hand_backward,
	.update = hand_update,
	.step = hand_step,
};

/* ---- a host that keeps messages, counts memory and may run out of it ---- */

struct host_state {
	char text[4000];
	int blocks;  /* live ones */
	int allowed; /* allocations until memory runs out; -1: never */
};

static void keep_message(void *user, const nnc_message *message)
{
	static const char *const word[] = {"error", "warning", "note"};
	struct host_state *h = user;
	size_t n = strlen(h->text);
	const char *slash = message->file ? strrchr(message->file, '/') : NULL;
	const char *file = !message->file ? "-" : slash ? slash + 1 : message->file;
	if (message->line)
		snprintf(h->text + n, sizeof h->text - n, "%s:%d:%d-%d: %s: %s\n", file, message->line, message->column,
			 message->column_end, word[message->severity], message->text);
	else
		snprintf(h->text + n, sizeof h->text - n, "%s: %s: %s\n", file, word[message->severity], message->text);
}

static void *count_memory(void *user, void *block, size_t size)
{
	struct host_state *h = user;
	if (size == 0) {
		h->blocks -= block != NULL;
		free(block);
		return NULL;
	}
	if (h->allowed == 0)
		return NULL;
	h->allowed -= h->allowed > 0;
	h->blocks += block == NULL;
	return realloc(block, size);
}

static nnc_options host_options(struct host_state *h)
{
	*h = (struct host_state){.allowed = -1};
	return (nnc_options){.report = keep_message, .allocate = count_memory, .user = h};
}

static nnr_model *attach(struct host_state *h, const nn_model *nn)
{
	nnc_options options = host_options(h);
	nnr_model *model = nnr_attach(nn, &options, NULL);
	ck_assert_ptr_nonnull(model);
	return model;
}

static nnr_model *open_hand(struct host_state *h) { return attach(h, &hand_model); }

/* A file in a folder of its own, which each test leaves behind in the current one. */
static const char *write_file(const char *name, const void *bytes, size_t n)
{
	FILE *f = fopen(name, "wb");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
	fclose(f);
	return name;
}

/* ---- CSV ---- */

static const struct {
	const char *text, *message;
} csv_cases[] = {
	/* fine: no message */
	{"1,2,3,4,0\n5,6,7,8,3\n", ""},
	{"1 2\t3 4 0", ""},
	{"1;2;3;4;0\r\n\r\n# a comment\r\n5;6;7;8;3\r\n", ""},
	{"a,b,\"c, d\",e,label\n1,2,3,4,0\n", ""},
	{"\xef\xbb\xbf"
	 "1,2,3,4,0\n",
	 ""},
	{"2,3,zero,one,two\n1,2,3,4,0\n1,2,3,4,0\n", ""},
	{" \"1\" , +2 , -3.5e-1 , .5 , 3.0 \n", ""},
	{"1e-300,123456789012345678901234567890,3,4,0\n", ""},
	/* wrong */
	{"", "c.csv: error: the file is empty\n"},
	{"\n\n# only\n", "c.csv: error: no rows\n"},
	{"a,b,c,d,e\n", "c.csv: error: no rows\n"},
	{"1,2,3,4\n",
	 "c.csv:1:7-8: error: 3 + 1 + 1 = 5 columns expected (input 'x'[3], target 't', target 'k'), line 1 has 4\n"},
	{"1,2,3,4,0\n1,2,3,4\n",
	 "c.csv:2:7-8: error: 3 + 1 + 1 = 5 columns expected (input 'x'[3], target 't', target 'k'), line 2 has 4\n"},
	{"1,2,3,4,0\n1,2,3,4,0,0\n",
	 "c.csv:2:11-12: error: 3 + 1 + 1 = 5 columns expected (input 'x'[3], target 't', target 'k'), line 2 has 6\n"},
	{"1,2,3,4,0\n1,2,,4,0\n", "c.csv:2:5-6: error: the field is empty\n"},
	{"1,2,3,4,0\n1,two,3,4,0\n", "c.csv:2:3-6: error: 'two' is not a number\n"},
	{"1,2,3,x,0\n", "c.csv:1:7-8: error: 'x' is not a number\n"},
	{"\"1,2,3,4,0\n5,6,7,8,3\n", "c.csv:1:1-11: error: this quote is not closed\n"},
	{"1,2,3,4,0\n5,\"6,7,8,3\n", "c.csv:2:3-11: error: this quote is not closed\n"},
	{"1,2,0x3,4,0\n", "c.csv:1:5-8: error: '0x3' is not a number\n"},
	{"1,2,3.1.2,4,0\n", "c.csv:1:5-10: error: '3.1.2' is not a number\n"},
	{"1,2,3e,4,0\n", "c.csv:1:5-7: error: '3e' is not a number\n"},
	{"1,2,nan,4,0\n", "c.csv:1:5-8: error: 'nan' is not finite\n"},
	{"1,2,-Inf,4,0\n", "c.csv:1:5-9: error: '-Inf' is not finite\n"},
	{"1,2,1e999,4,0\n", "c.csv:1:5-10: error: '1e999' is not finite\n"},
	{"1,2,1e99,4,0\n", "c.csv:1:5-9: error: 1e+99 is too large for a float\n"},
	{"1,2,3,4,4\n", "c.csv:1:9-10: error: label 4 is outside class[4] of target 'k': 0 to 3 are its classes\n"},
	{"1,2,3,4,-1\n", "c.csv:1:9-11: error: label -1 is outside class[4] of target 'k': 0 to 3 are its classes\n"},
	{"1,2,3,4,0.5\n", "c.csv:1:9-12: error: 0.5 is no integer, as target 'k' has them\n"},
	{"3,3,zero,one,two\n1,2,3,4,0\n", "c.csv: error: the first line promises 3 rows, the file has 1\n"},
	{"ü,2,3,ü,0\n", "c.csv:1:1-2: error: 'ü' is not a number\n"},
};

START_TEST(csv)
{
	struct host_state h;
	nnr_model *model = open_hand(&h);
	nnr_data *data;
	const char *text = csv_cases[_i].text;
	int blocks = h.blocks;
	write_file("c.csv", text, strlen(text));
	nnr_status status = nnr_read_data(model, "c.csv", NULL, &data);
	ck_assert_str_eq(h.text, csv_cases[_i].message);
	ck_assert_int_eq(status, *csv_cases[_i].message ? NNR_INVALID : NNR_OK);
	nnr_free_data(data);
	ck_assert_int_eq(h.blocks, blocks);
	nnr_close(model);
	ck_assert_int_eq(h.blocks, 0);
}
END_TEST

START_TEST(csv_values)
{
	struct host_state h;
	nnr_model *model = open_hand(&h);
	nnr_data *data;
	static const char text[] = "1,-2.5,3e2,0.1,3\n.5,6.,7,1e-7,0\n";
	float x[2][3], t[2];
	int32_t k[2];
	void *in[] = {x}, *target[] = {t, k};
	nnr_data_options options = {.scale = 0.5};
	write_file("v.csv", text, sizeof text - 1);
	ck_assert_int_eq(nnr_read_data(model, "v.csv", &options, &data), NNR_OK);
	ck_assert_int_eq(nnr_rows(data), 2);
	nnr_gather(model, data, NULL, 0, 2, in, target);
	ck_assert(x[0][0] == 0.5f && x[0][1] == -1.25f && x[0][2] == 150 && x[1][0] == 0.25f && x[1][1] == 3);
	ck_assert(t[0] == 0.1f && t[1] == 1e-7f && k[0] == 3 && k[1] == 0); /* targets are not scaled */
	int64_t order[] = {1, 0};
	nnr_gather(model, data, order, 0, 2, in, target);
	ck_assert(k[0] == 0 && k[1] == 3);
	nnr_free_data(data);
	nnr_close(model);
}
END_TEST

/* Inputs and targets from files of their own, and inputs alone. */
START_TEST(csv_files)
{
	struct host_state h;
	nnr_model *model = open_hand(&h);
	nnr_data *data;
	nnr_data_options inputs = {.inputs_only = true};
	write_file("x.csv", "1,2,3\n4,5,6\n", 12);
	write_file("tk.csv", "1,2\n4,3\n", 8);
	write_file("long.csv", "1,2\n4,3\n4,3\n", 12);
	ck_assert_int_eq(nnr_read_data(model, "x.csv,tk.csv", NULL, &data), NNR_OK);
	nnr_free_data(data);
	ck_assert_int_eq(nnr_read_data(model, "x.csv", &inputs, &data), NNR_OK);
	nnr_free_data(data);
	ck_assert_str_eq(h.text, "");
	ck_assert_int_eq(nnr_read_data(model, "x.csv,long.csv", NULL, &data), NNR_INVALID);
	ck_assert_str_eq(h.text, "long.csv: error: 3 rows, but the file before it has 2\n");
	*h.text = 0;
	ck_assert_int_eq(nnr_read_data(model, "x.csv,tk.csv,x.csv", NULL, &data), NNR_INVALID);
	ck_assert_ptr_nonnull(strstr(h.text, "one file too many"));
	*h.text = 0;
	ck_assert_int_eq(nnr_read_data(model, "x.csv", NULL, &data), NNR_INVALID);
	ck_assert_ptr_nonnull(strstr(h.text, "3 + 1 + 1 = 5 columns expected"));
	*h.text = 0;
	ck_assert_int_eq(nnr_read_data(model, "x.csv,", NULL, &data), NNR_USAGE);
	ck_assert_int_eq(nnr_read_data(model, "nowhere.csv", NULL, &data), NNR_IO);
	ck_assert_int_eq(nnr_read_data(model, ".", NULL, &data), NNR_IO);
	nnr_close(model);
	ck_assert_int_eq(h.blocks, 0);
}
END_TEST

START_TEST(csv_gz)
{
	struct host_state h;
	nnr_model *model = open_hand(&h);
	nnr_data *data;
	gzFile gz = gzopen("z.csv.gz", "wb");
	for (int i = 0; i < 20000; i++)
		gzprintf(gz, "%d,2,3,4,%d\n", i, i % 4);
	gzclose(gz);
	ck_assert_int_eq(nnr_read_data(model, "z.csv.gz", NULL, &data), NNR_OK);
	ck_assert_int_eq(nnr_rows(data), 20000);
	nnr_free_data(data);
	struct stat about;
	stat("z.csv.gz", &about);
	ck_assert_int_eq(truncate("z.csv.gz", about.st_size / 2), 0);
	ck_assert_int_eq(nnr_read_data(model, "z.csv.gz", NULL, &data), NNR_INVALID);
	ck_assert_ptr_nonnull(strstr(h.text, "truncated"));
	nnr_close(model);
}
END_TEST

/* ---- IDX ---- */

#define HEAD(type, rank) "\0\0" type rank
#define N(n) "\0\0\0" n

static const struct {
	const char *bytes;
	size_t size;
	const char *message;
} idx_cases[] = {
#define CASE(bytes, message)                                                                                           \
	{                                                                                                              \
		bytes, sizeof bytes - 1, message                                                                       \
	}
	CASE(HEAD("\x08", "\2") N("\2") N("\3") "\1\2\3\4\5\6", ""),
	CASE(HEAD("\x0b", "\2") N("\1") N("\3") "\0\1\0\2\xff\xff", ""),
	CASE(HEAD("\x08", "\3") N("\1") N("\3") N("\1") "\1\2\3", ""),
	CASE(HEAD("\x07", "\2") N("\1") N("\3") "\1\2\3", "x.idx: error: byte 2: 0x07 is no element type of IDX\n"),
	CASE(HEAD("\x08", "\0"), "x.idx: error: byte 3: an array without axes has no rows\n"),
	CASE(HEAD("\x08", "\2") N("\1"), "x.idx: error: truncated: 2 axes need 12 bytes of header, the file has 8\n"),
	CASE(HEAD("\x08", "\2") N("\2") N("\3") "\1\2\3",
	     "x.idx: error: truncated: the header promises 6 bytes of elements, the file has 3\n"),
	CASE(HEAD("\x08", "\2") N("\1") N("\3") "\1\2\3\4",
	     "x.idx: error: too long: the header promises 3 bytes of elements, the file has 4\n"),
	CASE(HEAD("\x08", "\2") N("\1") N("\2") "\1\2", "x.idx: error: a row of 2, but input 'x'[3] takes 3\n"),
	CASE(HEAD("\x08", "\2") N("\0") N("\3"), "x.idx: error: no rows\n"),
	CASE(HEAD("\x08", "\4") "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
				"1",
	     "x.idx: error: byte 12: the extents multiply to more than 2^64 bytes\n"),
	CASE(HEAD("\x08", "\2") "\xff\xff\xff\xff\xff\xff\xff\xff"
				"1",
	     "x.idx: error: truncated: the header promises 18446744065119617025 bytes of elements, the file has 1\n"),
	CASE(HEAD("\x0d", "\2") N("\1") N("\3") "\0\0\0\0\x7f\xc0\0\0\0\0\0\0",
	     "x.idx: error: row 0 (byte 16): not finite\n"),
#undef CASE
};

START_TEST(idx)
{
	struct host_state h;
	nnr_model *model = open_hand(&h);
	nnr_data *data;
	nnr_data_options inputs = {.inputs_only = true};
	int blocks = h.blocks;
	write_file("x.idx", idx_cases[_i].bytes, idx_cases[_i].size);
	nnr_status status = nnr_read_data(model, "x.idx", &inputs, &data);
	ck_assert_str_eq(h.text, idx_cases[_i].message);
	ck_assert_int_eq(status, *idx_cases[_i].message ? NNR_INVALID : NNR_OK);
	nnr_free_data(data);
	ck_assert_int_eq(h.blocks, blocks);
	nnr_close(model);
}
END_TEST

START_TEST(idx_values)
{
	struct host_state h;
	nnr_model *model = open_hand(&h);
	nnr_data *data;
	float x[2][3], t[2];
	int32_t k[2];
	void *in[] = {x}, *target[] = {t, k};
	nnr_data_options scaled = {.scale = 1.0 / 255};
	static const char image[] = HEAD("\x08", "\2") N("\2") N("\3") "\0\xff\x33\4\5\6";
	static const char real[] = HEAD("\x0e", "\1") N("\2") "\x3f\xf8\0\0\0\0\0\0\xc0\0\0\0\0\0\0\0";
	static const char label[] = HEAD("\x08", "\1") N("\2") "\3\0", wrong[] = HEAD("\x08", "\1") N("\2") "\0\4";
	write_file("image.idx", image, sizeof image - 1);
	write_file("real.idx", real, sizeof real - 1);
	write_file("label.idx", label, sizeof label - 1);
	write_file("wrong.idx", wrong, sizeof wrong - 1);
	ck_assert_int_eq(nnr_read_data(model, "image.idx,real.idx,label.idx", &scaled, &data), NNR_OK);
	nnr_gather(model, data, NULL, 0, 2, in, target);
	ck_assert(x[0][0] == 0 && x[0][1] == 1 && x[0][2] == 0.2f && t[0] == 1.5f && t[1] == -2 && k[0] == 3 &&
		  k[1] == 0);
	nnr_free_data(data);
	ck_assert_int_eq(nnr_read_data(model, "image.idx,real.idx,wrong.idx", NULL, &data), NNR_INVALID);
	ck_assert_str_eq(
		h.text,
		"wrong.idx: error: row 1 (byte 9): label 4 is outside class[4] of target 'k': 0 to 3 are its classes\n");
	nnr_close(model);
}
END_TEST

/* ---- text ---- */

/* Read a text into a model of one input and one target of classes, and keep what they get. */
struct text_case {
	int window, ahead; /* elements of the input and of the target */
	const char *text, *message, *input, *target;
};
static const struct text_case text_cases[] = {
	{4, 4, "abcdefghi", "", "abcdefgh", "bcdefghi"},
	{4, 4, "abcdefghijk", "", "abcdefgh", "bcdefghi"}, /* what is over is left out */
	{4, 4, "abcdefgh", "", "abcd", "bcde"},
	{4, 1, "abcdefghi", "", "abcdefgh", "ei"},
	{4, 2, "abcde", "", "abcd", "de"},
	{1, 1, "a\nb", "", "a\n", "\nb"},
	{4, 4, "abcd", "t.txt: error: 4 bytes of text, but input 'text'[4] takes 4 and its target one more\n", "", ""},
	{4, 4, "a", "t.txt: error: 1 byte of text, but input 'text'[4] takes 4 and its target one more\n", "", ""},
	{4, 4, "", "t.txt: error: the file is empty\n", "", ""},
	{2, 3, "abcdef", "t.txt: error: 3 bytes of a text for target 'next'[3], but its window has 2\n", "", ""},
	{3, 3, "ab\nc\xc3\xa4\nd",
	 "t.txt:2:2-3: error: label 195 is outside class[128] of input 'text': 0 to 127 are its classes\n", "", ""},
	{4, 1, "abcd\xff",
	 "t.txt:1:5-6: error: label 255 is outside class[128] of target 'next': 0 to 127 are its classes\n", "", ""},
};

/* A model of a text and what follows it; its tensors and nn last as long as the model. */
static nnr_model *open_text(struct host_state *h, nn_model *nn, const nn_tensor both[2])
{
	*nn = hand_model;
	nn->tensor = both;
	nn->n_tensor = 2;
	return attach(h, nn);
}

START_TEST(text)
{
	const struct text_case *c = &text_cases[_i];
	nn_tensor both[] = {
		{"text", NN_INPUT, NN_INT32, 128, 1, 1, {c->window}, (size_t)c->window, 0, -1},
		{"next", NN_TARGET, NN_INT32, 128, 1, 1, {c->ahead}, (size_t)c->ahead, 0, -1},
	};
	nn_model nn;
	struct host_state h;
	nnr_model *model = open_text(&h, &nn, both);
	int blocks = h.blocks;
	nnr_data *data;
	write_file("t.txt", c->text, strlen(c->text));
	nnr_status status = nnr_read_data(model, "t.txt", NULL, &data);
	ck_assert_str_eq(h.text, c->message);
	ck_assert_int_eq(status, *c->message ? NNR_INVALID : NNR_OK);
	if (data) {
		int32_t input[16], target[16];
		void *in[] = {input}, *to[] = {target};
		int rows = (int)nnr_rows(data);
		ck_assert_int_eq((size_t)(rows * c->window), strlen(c->input));
		nnr_gather(model, data, NULL, 0, rows, in, to);
		for (int i = 0; c->input[i]; i++)
			ck_assert_int_eq(input[i], c->input[i]);
		ck_assert_int_eq((size_t)(rows * c->ahead), strlen(c->target));
		for (int i = 0; c->target[i]; i++)
			ck_assert_int_eq(target[i], c->target[i]);
	}
	nnr_free_data(data);
	/* without targets the last byte may fill a window too */
	if (*c->text && nnr_read_data(model, "t.txt", &(nnr_data_options){.inputs_only = true}, &data) == NNR_OK) {
		ck_assert_int_eq((size_t)nnr_rows(data), strlen(c->text) / (size_t)c->window);
		nnr_free_data(data);
	}
	ck_assert_int_eq(h.blocks, blocks);
	nnr_close(model);
	ck_assert_int_eq(h.blocks, 0);
}
END_TEST

/* A folder, a .gz, a second text, and a .txt of numbers for a model of numbers. */
START_TEST(text_files)
{
	nn_tensor both[] = {
		{"text", NN_INPUT, NN_INT32, 256, 1, 1, {2}, 2, 0, -1},
		{"next", NN_TARGET, NN_INT32, 256, 1, 1, {2}, 2, 0, -1},
	};
	nn_model nn;
	struct host_state h;
	nnr_model *model = open_text(&h, &nn, both);
	nnr_data *data;
	int32_t input[2], target[2];
	void *in[] = {input}, *to[] = {target};
	mkdir("texts", 0777);
	gzFile gz = gzopen("texts/test.txt.gz", "wb");
	gzputs(gz, "abc\xff\xfe");
	gzclose(gz);
	ck_assert_int_eq(nnr_read_data(model, "texts", &(nnr_data_options){.split = NNR_TEST}, &data), NNR_OK);
	ck_assert_int_eq(nnr_rows(data), 2);
	nnr_gather(model, data, NULL, 1, 1, in, to);
	ck_assert(input[0] == 'c' && input[1] == 0xff && target[0] == 0xff && target[1] == 0xfe);
	nnr_free_data(data);
	ck_assert_str_eq(h.text, "");
	ck_assert_int_eq(nnr_read_data(model, "texts", NULL, &data), NNR_IO);
	ck_assert_str_eq(h.text, "texts: error: the folder has neither train-images-idx3-ubyte nor train.csv nor "
				 "train.txt, nor one of them with .gz\n");
	*h.text = 0;
	ck_assert_int_eq(nnr_read_data(model, "texts/test.txt.gz,texts/test.txt.gz", NULL, &data), NNR_INVALID);
	ck_assert_ptr_nonnull(strstr(h.text, "one file too many"));
	nnr_close(model);
	ck_assert_int_eq(h.blocks, 0);
	model = open_hand(&h);
	write_file("numbers.txt", "1,2,3,4,0\n", 10);
	ck_assert_int_eq(nnr_read_data(model, "numbers.txt", NULL, &data), NNR_OK);
	nnr_free_data(data);
	nnr_close(model);
}
END_TEST

/* ---- training ---- */

enum { ROWS = 10 };
static const float xs[ROWS][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 1, 0}, {0, 1, 1},
				  {1, 0, 1}, {1, 1, 1}, {2, 0, 0}, {0, 2, 0}, {0, 0, 2}};
static const float ts[ROWS] = {2, -1, 0.5f, 1, -0.5f, 2.5f, 1.5f, 4, -2, 1};
static const int32_t ks[ROWS] = {1, 1, 1, 0, 0, 0, 0, 0, 0, 3};

static nnr_data *wrap(nnr_model *model)
{
	const void *in[] = {xs}, *target[] = {ts, ks};
	nnr_data *data;
	ck_assert_int_eq(nnr_wrap_data(model, in, target, ROWS, &data), NNR_OK);
	return data;
}

START_TEST(training)
{
	struct host_state h;
	nnr_model *model = open_hand(&h);
	nnr_data *data = wrap(model);
	double before, after, shares[2], m[4], w[3];
	ck_assert_int_eq(nnr_run(model)->seed, 5);
	ck_assert_int_eq(nnr_metric_count(model), 2);
	ck_assert_int_eq(nnr_evaluate(model, data, &before, shares), NNR_OK);
	ck_assert_double_eq_tol(shares[0], 0.3, 1e-7);
	ck_assert_double_eq_tol(shares[1], 0.4, 1e-7); /* which is known after a second pass */
	ck_assert_int_eq(nnr_get(model, "calls", m, 1), NNR_OK);
	ck_assert(m[0] == 0); /* evaluation leaves states alone */
	nnr_training plan = {.data = data, .epochs = 200};
	ck_assert_int_eq(nnr_train(model, &plan), NNR_OK);
	ck_assert_int_eq(nnr_run(model)->step, 600); /* 10 rows in batches of 4, 4 and 2 */
	ck_assert_int_eq(nnr_run(model)->epoch, 200);
	ck_assert_int_eq(nnr_run(model)->steps, 600);
	ck_assert_int_eq(nnr_run(model)->steps_per_epoch, 3);
	ck_assert_int_eq(nnr_evaluate(model, data, &after, NULL), NNR_OK);
	ck_assert(after < 1e-6 && after < before);
	nnr_get(model, "w", w, 3);
	ck_assert_double_eq_tol(w[0], 2, 1e-3);
	ck_assert_int_eq(nnr_set(model, "rate", &(double){1e6}, 1), NNR_OK);
	plan.epochs = 400;
	ck_assert_int_eq(nnr_train(model, &plan), NNR_INVALID);
	ck_assert_ptr_nonnull(strstr(h.text, "a smaller rate may help"));
	nnr_free_data(data);
	nnr_close(model);
	ck_assert_int_eq(h.blocks, 0);
}
END_TEST

static bool stop_at_seven(void *user, const nnr_progress *p)
{
	(void)user;
	return p->step < 7;
}

/* Interrupted in the middle of an epoch, saved, loaded elsewhere: the same bits as in one go. */
START_TEST(resume)
{
	struct host_state h;
	nnr_model *whole = open_hand(&h), *first = open_hand(&h), *second = open_hand(&h);
	nnr_data *data = wrap(whole);
	nnr_training plan = {.data = data, .epochs = 5, .seed = 9};
	ck_assert_int_eq(nnr_train(whole, &plan), NNR_OK);
	plan.progress = stop_at_seven;
	ck_assert_int_eq(nnr_train(first, &plan), NNR_OK);
	ck_assert_int_eq(nnr_run(first)->step, 7);
	ck_assert_int_eq(nnr_run(first)->epoch, 2);
	ck_assert_int_eq(nnr_save(first, "half.safetensors"), NNR_OK);
	ck_assert_int_eq(nnr_load(second, "half.safetensors"), NNR_OK);
	plan.progress = NULL;
	ck_assert_int_eq(nnr_train(second, &plan), NNR_OK);
	ck_assert_mem_eq(nnr_params(whole), nnr_params(second), sizeof(struct params));
	ck_assert_mem_eq(nnr_state(whole), nnr_state(second), sizeof(struct state));
	nnr_free_data(data);
	nnr_close(whole);
	nnr_close(first);
	nnr_close(second);
}
END_TEST

START_TEST(calls)
{
	struct host_state h;
	nnr_model *model = open_hand(&h);
	const void *in[] = {xs}, *target[] = {ts, ks};
	float y[ROWS];
	void *out[] = {y};
	double loss, g[3], w[] = {1, 2, 3};
	ck_assert_int_eq(nnr_set(model, "w", w, 3), NNR_OK);
	ck_assert_int_eq(nnr_predict(model, in, out, ROWS), NNR_OK); /* more rows than a batch */
	for (int i = 0; i < ROWS; i++)
		ck_assert(y[i] == xs[i][0] + 2 * xs[i][1] + 3 * xs[i][2]);
	ck_assert_int_eq(nnr_backward(model, in, target, 1, &loss), NNR_OK);
	ck_assert(loss == 1);
	ck_assert_int_eq(nnr_get_gradient(model, "w", g, 3), NNR_OK);
	ck_assert(g[0] == -2 && g[1] == 0 && g[2] == 0);
	ck_assert_int_eq(nnr_get_gradient(model, "f", g, 2), NNR_USAGE);
	ck_assert_int_eq(nnr_set(model, "w", w, 2), NNR_USAGE);
	ck_assert_int_eq(nnr_get(model, "nothing", g, 1), NNR_USAGE);
	ck_assert_int_eq(nnr_step(model, in, target, 5, NULL), NNR_USAGE);
	ck_assert_int_eq(nnr_step(model, in, target, 0, NULL), NNR_USAGE);
	ck_assert_int_eq(nnr_set(model, "calls", &(double){1e10}, 1), NNR_USAGE);
	int32_t wrong[ROWS] = {0, 4};
	const void *bad[] = {ts, wrong};
	nnr_data *data;
	ck_assert_int_eq(nnr_wrap_data(model, in, bad, ROWS, &data), NNR_INVALID);
	ck_assert_ptr_nonnull(strstr(h.text, "row 1: label 4 is outside class[4]"));
	nnr_close(model);
	ck_assert_int_eq(h.blocks, 0);
}
END_TEST

/* ---- weights ---- */

/* A safetensors file from its parts. */
static void write_weights(const char *name, const char *header, size_t data)
{
	FILE *f = fopen(name, "wb");
	uint64_t n = strlen(header);
	for (int i = 0; i < 8; i++)
		fputc((int)(n >> 8 * i & 255), f);
	fputs(header, f);
	for (size_t i = 0; i < data; i++)
		fputc(0, f);
	fclose(f);
}

#define T(name, dtype, shape, from, to)                                                                                \
	"\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" #from "," #to "]}"

static const struct {
	const char *header;
	size_t data;
	const char *message;
} weight_cases[] = {
	{"{" T("w", "F64", "3", 0, 24) "," T("bias", "BF16", "", 24, 26) "," T("f", "F16", "2", 26, 30) "}", 30,
	 "x.safetensors: warning: the file has no 'm' and other states: they keep the initial value\n"},
	{"{" T("w", "F32", "3", 8, 20) "," T("f", "F32", "2", 0, 8) "," T("bias", "F32", "", 20, 24) "," T(
		 "m", "F32", "4", 24, 40) "," T("calls", "I64", "", 40, 48) "," T("more", "BOOL", "1", 48, 49) "}",
	 49, "x.safetensors: warning: 1 tensor is not used by the model, 'more' first\n"},
	{"{" T("w", "F32", "4", 0, 16) "," T("bais", "F32", "", 16, 20) "," T("f", "I32", "2", 20, 28) "}", 28,
	 "x.safetensors: error: the weights do not fit model 'hand'\n"
	 "x.safetensors: note: 'w' is [3] in the model, [4] in the file\n"
	 "x.safetensors: note: the file has no tensor 'bias'; did you mean its 'bais'?\n"
	 "x.safetensors: note: 'f' is F32 in the model, I32 in the file\n"},
	{"{\"__metadata__\":{\"nnc.model\":\"other\",\"nnc.fingerprint\":\"00000000deadbeef\"}," T("w", "F32", "", 0,
												   4) "}",
	 4,
	 "x.safetensors: error: these are the weights of another model: of 'other' with fingerprint 00000000deadbeef, not of "
	 "'hand' with 0000000000001234\n"
	 "x.safetensors: note: 'w' is [3] in the model, [] in the file\n"
	 "x.safetensors: note: the file has no tensor 'bias'\n"
	 "x.safetensors: note: the file has no tensor 'f'\n"},
	{"{" T("w", "F32", "3", 0, 12) "}", 8,
	 "x.safetensors: error: tensor 'w' lies outside the file: its data_offsets are 0 to 12, and there are 8 bytes of data\n"},
	{"{" T("w", "F32", "3", 12, 0) "}", 12,
	 "x.safetensors: error: tensor 'w' lies outside the file: its data_offsets are 12 to 0, and there are 12 bytes of data\n"},
	{"{" T("w", "F32", "3", 0, 8) "}", 8,
	 "x.safetensors: error: tensor 'w' has 3 elements of 4 bytes, but 8 bytes of data\n"},
	{"{" T("w", "F32", "3", 0, 12) "," T("bias", "F32", "", 8, 12) "}", 12,
	 "x.safetensors: error: tensors 'w' and 'bias' overlap\n"},
	{"{" T("w", "F32", "3", 4, 16) "}", 16, "x.safetensors: error: there is a gap before the data of tensor 'w'\n"},
	{"{" T("w", "F32", "3", 0, 12) "}", 13, "x.safetensors: error: 1 bytes behind the last tensor\n"},
	{"{" T("w", "F12", "3", 0, 12) "}", 12, "x.safetensors: error: tensor 'w' has the unknown dtype 'F12'\n"},
	{"{" T("w", "F32", "-3", 0, 12) "}", 12,
	 "x.safetensors: error: tensor 'w' has a shape that is not made of extents\n"},
	{"{" T("w", "F32", "4294967296,4294967296", 0, 12) "}", 12,
	 "x.safetensors: error: tensor 'w' has a shape too large to exist\n"},
	{"{\"w\":7}", 0, "x.safetensors: error: tensor 'w' has no proper dtype, shape and data_offsets\n"},
	{"[]", 0, "x.safetensors: error: is no safetensors file: its header is no JSON object\n"},
};

START_TEST(bad_weights)
{
	struct host_state h;
	nnr_model *model = open_hand(&h);
	struct params before = *(struct params *)nnr_params(model);
	write_weights("x.safetensors", weight_cases[_i].header, weight_cases[_i].data);
	nnr_status status = nnr_load(model, "x.safetensors");
	ck_assert_str_eq(h.text, weight_cases[_i].message);
	bool failed = strstr(weight_cases[_i].message, "error") != NULL;
	ck_assert_int_eq(status, failed ? NNR_INVALID : NNR_OK);
	if (failed)
		ck_assert_mem_eq(&before, nnr_params(model), sizeof before);
	else
		ck_assert(((struct params *)nnr_params(model))->w[0] == 0);
	nnr_close(model);
	ck_assert_int_eq(h.blocks, 0);
}
END_TEST

START_TEST(no_weights)
{
	struct host_state h;
	nnr_model *model = open_hand(&h);
	write_file("short.safetensors", "1234567", 7);
	ck_assert_int_eq(nnr_load(model, "short.safetensors"), NNR_INVALID);
	write_file("text.safetensors", "not a file of weights at all\n", 29);
	ck_assert_int_eq(nnr_load(model, "text.safetensors"), NNR_INVALID);
	ck_assert_ptr_nonnull(strstr(h.text, "more than the 16 MiB allowed"));
	write_file("long.safetensors", "\x40\0\0\0\0\0\0\0{}", 10);
	ck_assert_int_eq(nnr_load(model, "long.safetensors"), NNR_INVALID);
	ck_assert_ptr_nonnull(strstr(h.text, "64 bytes long, more than the file has"));
	write_file("json.safetensors", "\2\0\0\0\0\0\0\0{]", 10);
	ck_assert_int_eq(nnr_load(model, "json.safetensors"), NNR_INVALID);
	ck_assert_ptr_nonnull(strstr(h.text, "its header is no JSON"));
	ck_assert_int_eq(nnr_load(model, "nowhere.safetensors"), NNR_IO);
	ck_assert_int_eq(nnr_save(model, "nowhere/w.safetensors"), NNR_IO);
	nnr_close(model);
	ck_assert_int_eq(h.blocks, 0);
}
END_TEST

START_TEST(save_and_load)
{
	struct host_state h;
	nnr_model *model = open_hand(&h), *other = open_hand(&h);
	struct params *p = nnr_params(model);
	struct state *s = nnr_state(model);
	*p = (struct params){{1e-40f, -0.0f, 3.4e38f}, 7, {8, 9}};
	s->calls = -5;
	s->m[2] = 0.1f;
	s->run = (nn_run){.seed = UINT64_MAX, .step = 77, .epoch = 3};
	ck_assert_int_eq(nnr_save(model, "s.safetensors"), NNR_OK);
	ck_assert_int_eq(nnr_save(model, "s.safetensors"), NNR_OK); /* over an older one */
	ck_assert_int_eq(nnr_load(other, "s.safetensors"), NNR_OK);
	ck_assert_mem_eq(p, nnr_params(other), sizeof *p);
	ck_assert_mem_eq(s, nnr_state(other), sizeof *s);
	ck_assert_str_eq(h.text, "");
	/* the header ends on 8 bytes */
	FILE *f = fopen("s.safetensors", "rb");
	ck_assert_int_eq(fgetc(f) % 8, 0);
	fclose(f);
	nnr_close(model);
	nnr_close(other);
}
END_TEST

/* ---- files that replace others ---- */

START_TEST(replace)
{
	struct host_state h;
	nnc_options options = host_options(&h);
	struct host host;
	struct new_file file;
	struct stat about, after;
	host_init(&host, &options);
	write_file("target", "old", 3);
	chmod("target", 0640);
	ck_assert_int_eq(symlink("target", "link"), 0);
	ck_assert_int_eq(create_file(&host, "link", &file), NNR_OK);
	fputs("new text", file.stream);
	stat("target", &about);
	ck_assert_int_eq(about.st_size, 3); /* not yet */
	ck_assert_int_eq(commit_file(&host, &file, true), NNR_OK);
	stat("target", &about);
	ck_assert_int_eq(about.st_size, 8);
	ck_assert_int_eq(about.st_mode & 0777, 0640);
	lstat("link", &about);
	ck_assert(S_ISLNK(about.st_mode));
	ck_assert_int_eq(create_file(&host, "target", &file), NNR_OK);
	fputs("never", file.stream);
	discard_file(&host, &file);
	stat("target", &about);
	ck_assert_int_eq(about.st_size, 8);
	stat("/dev/null", &about);
	ck_assert_int_eq(create_file(&host, "/dev/null", &file), NNR_OK);
	ck_assert_int_eq(commit_file(&host, &file, false), NNR_OK);
	stat("/dev/null", &after);
	ck_assert(S_ISCHR(about.st_mode) == S_ISCHR(after.st_mode));
	ck_assert_int_eq(system("ls -A | grep -q '^[.]nnc'") == 0, 0); /* no temporary is left */
	unlink("link");
	ck_assert_int_eq(h.blocks, 0);
}
END_TEST

/* ---- the in-process compiler ---- */

static void keep_text(void *user, const char *message) { strcat(strcat(user, message), "\n"); }

START_TEST(jit)
{
	char text[1000] = "";
	static const char add[] = "float expf(float); float f(float x) { return expf(x) + 1; }";
	static const char two[] = "void *memset(void *, int, __SIZE_TYPE__); static int t[3] = {1, 2, 3};"
				  "int f(int i) { int u[3]; memset(u, 0, sizeof u); return t[i] + u[i]; }";
	struct jit *a = jit_compile(add, NULL, keep_text, text), *b = jit_compile(two, NULL, keep_text, text);
	ck_assert_str_eq(text, "");
	ck_assert(a && b);
	float (*f)(float);
	int (*g)(int);
	*(void **)&f = jit_symbol(a, "f");
	*(void **)&g = jit_symbol(b, "f");
	ck_assert(fabsf(f(1) - 3.7182818f) < 1e-6f);
	ck_assert_int_eq(g(2), 3);
	ck_assert_ptr_null(jit_symbol(a, "g"));
	jit_free(a);
	ck_assert_int_eq(g(1), 2);
	jit_free(b);
	ck_assert_ptr_null(jit_compile("int f(void) { return y; }", NULL, keep_text, text));
	ck_assert_ptr_nonnull(strstr(text, "'y' undeclared"));
	ck_assert_ptr_null(jit_compile("void puts(char *); void f(void) { puts(\"\"); }", NULL, keep_text, text));
	ck_assert_ptr_nonnull(strstr(text, "puts"));
	jit_free(NULL);
}
END_TEST

/* ---- random numbers ---- */

/* The draws of a loop are those of its elements, from every kernel that this processor can run. */
START_TEST(draws)
{
	const nn_run run = {.seed = 0x123456789abcdef, .step = 5};
	const uint64_t place = 0xfedcba9876543210;
	const int first = INT_MAX - 900, row = 3;
	uint32_t word[4], word0[RANDOM_BLOCK], word1[RANDOM_BLOCK];
	random_block *kernels[] = {random_block_base, NULL, NULL};
#if defined(__x86_64__)
	if (find_tile_set(sizeof(float), "avx2"))
		kernels[1] = random_block_avx2;
	if (find_tile_set(sizeof(float), "avx512"))
		kernels[2] = random_block_avx512;
#endif
	for (int k = 0; k < 3 && kernels[k]; k++) {
		uint32_t alone[RANDOM_BLOCK];
		kernels[k](run.seed ^ place, 3, 5, (uint32_t)first, RANDOM_BLOCK, word0, word1);
		kernels[k](run.seed ^ place, 3, 5, (uint32_t)first, RANDOM_BLOCK - 7, alone, NULL);
		for (int i = 0; i < RANDOM_BLOCK; i++) {
			random_words(&run, place, row, first + i, word);
			ck_assert(word0[i] == word[0] && word1[i] == word[1]);
			ck_assert(alone[i] == word[0] || i >= RANDOM_BLOCK - 7);
		}
	}
	for (int count = 0; count < 800; count += 133) { /* more than a block, too */
		float u[800] = {0}, n[800];
		double d[800];
		nn_uniformf(&run, place, row, first, count, 3, -0.5f, u);
		nn_normalf(&run, place, row, first, count, 1, -0.0f, n);
		nn_normal(&run, place, row, first, count, 2, 1, d);
		for (int i = 0; i < count; i++) {
			random_words(&run, place, row, first + i, word);
			double turn = 2 * 3.14159265358979323846 * 0x1p-24 * (word[1] >> 8);
			double normal = sqrt(-2 * log(((word[0] >> 8) + 1) * 0x1p-24)) * cos(turn);
			ck_assert_float_eq(u[i], (float)(3 * ((word[0] >> 8) * 0x1p-24)) - 0.5f);
			ck_assert_float_eq_tol(n[i], (float)normal, 1e-5f);
			ck_assert_double_eq_tol(d[i], 2 * normal + 1, 1e-13);
		}
		ck_assert_float_eq(u[count], 0);
	}
}
END_TEST

/* ---- functions that are compiled when they are first called ---- */

static void check_same(const double *a, const double *b) { ck_assert(fabs(*a - *b) <= 1e-6 * fabs(*a)); }

START_TEST(late)
{
	static const char model[] = "input x[3]\ntarget t, k: class[4]\n"
				    "h = x -> dense(9) -> tanh -> dense(10) -> sigmoid -> dense(11) -> tanh\n"
				    "y = h -> dense(12) -> dense(13) -> dense(14) -> dense(1) -> flatten\n"
				    "output y\nloss sum[i < 1] (y[i] - t)^2\nmetric correlation = r2(y[0], t)\n"
				    "train sgd(lr=0.01) average=0.9 batch=10\n";
	struct host_state h;
	nnc_options options = host_options(&h);
	nnr_status status;
	char text[sizeof model];
	const void *in[] = {xs}, *target[] = {ts, ks};
	float y[ROWS], again[ROWS], direct;
	void *out[] = {y}, *out_again[] = {again};
	double loss, same, metric;
	memcpy(text, model, sizeof model);
	nnr_model *m = nnr_open_text("late.nn", text, sizeof text - 1, &options, &status);
	ck_assert_msg(m != NULL, "%s", h.text);
	memset(text, 0, sizeof text); /* the host's */
	ck_assert_int_eq(nnr_step(m, in, target, ROWS, NULL), NNR_OK);

	h.allowed = 0; /* and what is left of the graph's memory is too little */
	ck_assert_int_eq(nnr_predict(m, in, out, ROWS), NNR_MEMORY);
	ck_assert_ptr_nonnull(strstr(h.text, "out of memory"));
	ck_assert_int_eq(nnr_step(m, in, target, ROWS, NULL), NNR_OK);
	h.allowed = -1;
	ck_assert_int_eq(nnr_predict(m, in, out, ROWS), NNR_OK);

	/* the descriptor's functions: before the handle has asked for them, and after */
	const nn_model *nn = nnr_descriptor(m);
	void *work = calloc(1, nn->work_size), *average = calloc(1, nn->params_size);
	nn->average(nnr_params(m), nnr_state(m), average, work);
	nn->forward(average, nnr_state(m), in, out_again, ROWS, work);
	ck_assert_mem_eq(y, again, sizeof y);
	nn->loss(average, nnr_state(m), in, target, &direct, ROWS, work);
	nnr_data *data = wrap(m);
	ck_assert_int_eq(nnr_evaluate(m, data, &loss, &metric), NNR_OK);
	check_same(&loss, &(double){direct});
	ck_assert_int_eq(nnr_backward(m, in, target, ROWS, &loss), NNR_OK);
	nn->backward(nnr_params(m), nnr_state(m), in, target, nnr_gradients(m), &direct, ROWS, work);
	check_same(&loss, &(double){direct});
	nn->update(nnr_params(m), nnr_state(m), nnr_gradients(m));
	ck_assert_int_eq(nnr_step(m, in, target, ROWS, &same), NNR_OK);
	ck_assert(same < loss);
	ck_assert_int_eq(nnr_run(m)->step, 4);
	ck_assert_ptr_null(nn->stream_step);
	nnr_free_data(data);
	free(average);
	free(work);
	nnr_close(m);
	ck_assert_int_eq(h.blocks, 0);
}
END_TEST

/* ---- memory runs out ---- */

/* All there is, with memory for _i allocations: a status, no crash, no leak. */
START_TEST(memory)
{
	struct host_state h;
	nnc_options options = host_options(&h);
	nnr_status status;
	nnr_data *read = NULL, *wrapped = NULL;
	const void *in[] = {xs}, *target[] = {ts, ks};
	write_file("m.csv", "1,2,3,4,0\n5,6,7,8,3\n", 20);
	h.allowed = _i;
	nnr_model *model = nnr_attach(&hand_model, &options, &status);
	if (model) {
		status = nnr_read_data(model, "m.csv", NULL, &read);
		if (status == NNR_OK)
			status = nnr_wrap_data(model, in, target, ROWS, &wrapped);
		nnr_training plan = {.data = wrapped, .test = read, .epochs = 2};
		if (status == NNR_OK)
			status = nnr_train(model, &plan);
		if (status == NNR_OK)
			status = nnr_save(model, "m.safetensors");
		if (status == NNR_OK)
			status = nnr_load(model, "m.safetensors");
	}
	ck_assert(status == NNR_OK || (status == NNR_MEMORY && strstr(h.text, "out of memory")));
	if (_i == 99)
		ck_assert_int_eq(status, NNR_OK); /* so all failing places were met */
	nnr_free_data(read);
	nnr_free_data(wrapped);
	nnr_close(model);
	ck_assert_int_eq(h.blocks, 0);
}
END_TEST

#define COUNT(array) (int)(sizeof array / sizeof array[0])

int main(void)
{
	TCase *data = tcase_create("data"), *model = tcase_create("model"), *code = tcase_create("code");
	tcase_add_loop_test(data, csv, 0, COUNT(csv_cases));
	tcase_add_test(data, csv_values);
	tcase_add_test(data, csv_files);
	tcase_add_test(data, csv_gz);
	tcase_add_loop_test(data, idx, 0, COUNT(idx_cases));
	tcase_add_test(data, idx_values);
	tcase_add_loop_test(data, text, 0, COUNT(text_cases));
	tcase_add_test(data, text_files);
	tcase_add_test(model, training);
	tcase_add_test(model, resume);
	tcase_add_test(model, calls);
	tcase_add_loop_test(model, bad_weights, 0, COUNT(weight_cases));
	tcase_add_test(model, no_weights);
	tcase_add_test(model, save_and_load);
	tcase_add_test(code, replace);
	tcase_add_test(code, jit);
	tcase_add_test(code, late);
	tcase_add_test(code, draws);
	tcase_add_loop_test(code, memory, 0, 100);
	return run_tests("runtime", (TCase *[]){data, model, code, NULL});
}
