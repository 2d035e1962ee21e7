/* emit.c - graph to C: what the schedule and the placement promise, and generated code run in process against numbers
 * that are computed here. */
#include "emit.h"
#include "jit.h"
#include "model.h"
#include "nnc.h"
#include "schedule.h"
#include "suite.h"
#include "summary.h"
#include "syntax.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct context ctx;
static jmp_buf unwind;
static nnc_options options;
static char complaints[2000];

static void note(void *user, const nnc_message *message)
{
	(void)user;
	snprintf(complaints + strlen(complaints), sizeof complaints - strlen(complaints), "%s\n", message->text);
}

static void start(void)
{
	complaints[0] = 0;
	options = (nnc_options){.prefix = "net", .report = note, .real = NNC_DOUBLE};
	ctx = (struct context){.options = &options};
	arena_init(&ctx.arena, NULL, NULL);
	if (setjmp(unwind))
		ck_abort_msg("out of memory");
	ctx.arena.unwind = &unwind;
}

static void finish(void) { arena_free(&ctx.arena); }

/* The graph of a model, with its chain rule run and simplified. */
static struct graph *build(const char *model)
{
	const struct source *src = add_source(&ctx, "net.nn", model, strlen(model), false);
	struct graph *g = elaborate(&ctx, parse_source(&ctx, src), src);

	ck_assert_msg(g != NULL, "%s", complaints);
	if (g->goals.n)
		ck_assert_msg(differentiate_loss(g), "%s", complaints);
	simplify(g);
	return g;
}

static const char *c_of(struct graph *g) { return emit_text(g, &(struct emit_options){0}); }

/* The text of one static function. */
static const char *function(const char *c, const char *name)
{
	const char *head = arena_printf(&ctx.arena, " %s(", name), *at = strstr(c, head), *end;

	ck_assert_msg(at != NULL, "no function %s", name);
	end = strstr(at, "\n}\n");
	return arena_copy(&ctx.arena, at, (size_t)(end - at));
}

static const char *graph_text(struct graph *g)
{
	struct text text = {.arena = &ctx.arena};

	print_graph(g, &text);
	return text.at;
}

/* ---- a model in process ---- */

struct loaded {
	struct jit *jit;
	const nn_model *nn;
	void *params, *state, *grads, *work, *work1;
};

static void complain(void *user, const char *message)
{
	(void)user;
	ck_abort_msg("generated C: %s", message);
}

static struct loaded load(struct graph *g)
{
	static const char *const functions[] = {"init",	       "forward",	 "forward1", "loss",   "metrics",
						"metrics2",    "metrics_finish", "backward", "update", "step",
						"stream_step", "average",	 "team_step"};
	static const struct emit_options in_process = {.freestanding = true};
	struct loaded m = {0};
	struct emitter *parts = begin_parts(g, &in_process);
	const char *text = emit_part(parts, ~0u);
	nn_model *nn = arena_alloc(&ctx.arena, sizeof *nn);

	ck_assert_msg(text != NULL, "%s", complaints);
	m.jit = jit_compile(text, NULL, complain, NULL);
	*nn = *describe_parts(parts);
	for (size_t k = 0; k < sizeof functions / sizeof *functions; k++) { /* as they stand in nn_model */
		void *function = jit_symbol(m.jit, arena_printf(&ctx.arena, "any_%s", functions[k]));
		memcpy((char *)nn + offsetof(nn_model, init) + k * sizeof function, &function, sizeof function);
	}
	m.nn = nn;
	m.params = calloc(1, m.nn->params_size);
	m.state = calloc(1, m.nn->state_size);
	m.grads = calloc(1, m.nn->grads_size + 1);
	m.work = malloc(m.nn->work_size);
	m.work1 = malloc(m.nn->work1_size + 1);
	memset(m.work, 0xFF, m.nn->work_size); /* not a number */
	m.nn->init(m.params, m.state, 0);
	return m;
}

static void unload(struct loaded *m)
{
	free(m->params);
	free(m->state);
	free(m->grads);
	free(m->work);
	free(m->work1);
	jit_free(m->jit);
}

static double loss_of(struct loaded *m, const double *x, const double *y, int n)
{
	const void *input[] = {x}, *target[] = {y};
	double loss;

	m->nn->backward(m->params, m->state, input, target, m->grads, &loss, n, m->work);
	return loss;
}

/* Central differences against backward, for all params. */
static void check_gradient(struct loaded *m, const double *x, const double *y, int n)
{
	size_t count = m->nn->grads_size / sizeof(double);
	double *params = m->params, *grads = malloc(count * sizeof *grads);

	for (size_t i = 0; i < count; i++)
		params[i] += 0.1 * sin((double)i + 1);
	loss_of(m, x, y, n);
	memcpy(grads, m->grads, count * sizeof *grads);
	for (size_t i = 0; i < count; i++) {
		const double kept = params[i], h = 1e-5;
		double above, below;

		params[i] = kept + h;
		above = loss_of(m, x, y, n);
		params[i] = kept - h;
		below = loss_of(m, x, y, n);
		params[i] = kept;
		ck_assert_double_eq_tol((above - below) / (2 * h), grads[i], 1e-7);
	}
	free(grads);
}

/* ---- numbers ---- */

static const double points[] = {0.5, -1, 2, 1.5, 0.25, -0.75, 1, 3, -2, 0.125, 0.7, -0.3};

START_TEST(dense_layer)
{
	struct loaded m = load(build("input x[3]\n"
				     "param w[2, 3] = [[1, 2, 3], [4, 5, 6]], b[2] = [10, -20]\n"
				     "y[i] = sum[j] w[i, j] * x[j] + b[i]\n"
				     "output y\n"));
	double y[8], row[2];
	const void *input[] = {points};
	void *output[] = {y}, *one[] = {row};

	m.nn->forward(m.params, m.state, input, output, 4, m.work);
	for (int i = 0; i < 4; i++) {
		const double *x = points + 3 * i;

		ck_assert_double_eq_tol(y[2 * i], x[0] + 2 * x[1] + 3 * x[2] + 10, 1e-12);
		ck_assert_double_eq_tol(y[2 * i + 1], 4 * x[0] + 5 * x[1] + 6 * x[2] - 20, 1e-12);
		input[0] = x;
		m.nn->forward1(m.params, m.state, input, one, m.work1);
		ck_assert_mem_eq(row, y + 2 * i, sizeof row);
	}
	unload(&m);
}
END_TEST

static const char net[] = "input x[3]\ntarget t[2]\n"
			  "y = x -> dense(4) -> tanh -> dense(4) -> relu -> dense(2)\n"
			  "loss mse(y, t)\noutput y\ntrain adam(lr=0.1) batch=4\n";

/* Loops, partly and all written out. */
START_TEST(gradients)
{
	struct loaded m;

	options.unroll = (enum nnc_unroll)_i;
	m = load(build(net));
	check_gradient(&m, points, points + 4, 4);
	check_gradient(&m, points, points + 4, 3);
	unload(&m);
}
END_TEST

/* A large enough net for rows, lanes and functions that are cut. */
START_TEST(large_gradients)
{
	static const char model[] = "input x[3]\ntarget t[2]\n"
				    "y = x -> dense(40) -> tanh -> dense(40) -> sigmoid -> dense(2)\n"
				    "loss mse(y, t)\ntrain sgd(lr=0.1) batch=4\n";
	struct loaded m;

	options.unroll = (enum nnc_unroll)_i;
	m = load(build(model));
	check_gradient(&m, points, points + 4, 4);
	unload(&m);
}
END_TEST

START_TEST(step_is_backward_and_update)
{
	struct loaded a = load(build(net)), b = load(build(net));
	const void *input[] = {points}, *target[] = {points + 4};
	double loss[2];

	for (int i = 0; i < 5; i++) {
		a.nn->step(a.params, a.state, input, target, &loss[0], 4, a.work);
		b.nn->backward(b.params, b.state, input, target, b.grads, &loss[1], 4, b.work);
		b.nn->update(b.params, b.state, b.grads);
		ck_assert_mem_eq(&loss[0], &loss[1], sizeof loss[0]);
	}
	ck_assert_mem_eq(a.params, b.params, a.nn->params_size);
	ck_assert_mem_eq(a.state, b.state, a.nn->state_size);
	ck_assert_int_eq(((nn_run *)a.state)->step, 5);
	unload(&a);
	unload(&b);
}
END_TEST

/* Philox4x32-10's published answer for a counter and key of zeros: 6627e8d5 e169c58d bc57ac4c 9b00dbd8. */
START_TEST(random_numbers)
{
	struct loaded m = load(build("param w[2] = uniform(), v = normal()\ninput x\noutput y = w[0] * v * x\n"));
	uint64_t hash = 14695981039346656037u;
	double *params = m.params;

	for (const char *c = "w"; *c; c++) /* the place of the draw */
		hash = (hash ^ (unsigned char)*c) * 1099511628211u;
	m.nn->init(m.params, m.state, hash);
	ck_assert_double_eq(params[0], (double)(0x6627e8d5u >> 8) * 0x1p-24);
	ck_assert_double_ne(params[0], params[1]);
	unload(&m);
}
END_TEST

START_TEST(next_values_in_order)
{
	/* both read the old value of the other: one must be copied at the end */
	struct loaded m = load(build("input x\nparam w = 1\nstate a[2] = [1, 2], b[2] = [3, 4]\n"
				     "a' = b + 0\nb'[i < 2] = a[1 - i]\n"
				     "output y = x * w\nloss (x * w)^2\ntrain sgd(lr=0)\n"));
	const void *input[] = {points};
	double loss, *a = (double *)((char *)m.state + sizeof(nn_run)), *b = a + 2;

	m.nn->step(m.params, m.state, input, NULL, &loss, 1, m.work);
	ck_assert_double_eq(a[0], 3);
	ck_assert_double_eq(a[1], 4);
	ck_assert_double_eq(b[0], 2);
	ck_assert_double_eq(b[1], 1);
	unload(&m);
}
END_TEST

/* Names that C, C++ or libm have taken. */
START_TEST(awkward_names)
{
	struct loaded m = load(build("input new[2], int8_t, y1\nparam INT = 2, float = 3, expf[2] = 1, n = 4, run = 5\n"
				     "state class = 0\nclass' = class + 1\n"
				     "work = exp(sum(new * expf)) * INT * float * y1 * int8_t * n * run\n"
				     "output params = work\nloss work\ntrain sgd(lr=1e-9)\n"));
	const void *input[] = {points, points + 3, points + 4};
	double loss;

	m.nn->step(m.params, m.state, input, NULL, &loss, 1, m.work);
	ck_assert_double_eq_tol(loss, exp(-0.5) * 2 * 3 * 0.25 * 1.5 * 4 * 5, 1e-12);
	unload(&m);
}
END_TEST

/* ---- the text ---- */

START_TEST(same_text_again)
{
	struct graph *g = build(net);
	const char *before = graph_text(g), *c = c_of(g);

	ck_assert_str_eq(c, c_of(g));
	ck_assert_str_eq(emit_header(g, "a.h"), emit_header(g, "a.h"));
	ck_assert_str_eq(summary_text(g), summary_text(g));
	ck_assert_str_eq(before, graph_text(g));
}
END_TEST

/* A padded convolution and a transposed one have bounds, not tests, inside. */
START_TEST(conditions_become_bounds)
{
	const char *text;

	options.unroll = NNC_UNROLL_NONE;
	options.real = NNC_QUAD; /* no tiles, so no borders */
	text = function(c_of(build("input x[2, 9, 9]\ny = x -> c: conv2d(3, 3, pad=1)\noutput y\n")), "compute_y");
	ck_assert_ptr_null(strchr(text, '?'));
	ck_assert_ptr_null(strstr(text, "if ("));
	ck_assert_ptr_nonnull(strstr(text, "larger("));

	text = function(
		c_of(build("input x[2, 9, 9]\ny = x -> c: conv_transpose2d(3, 4, stride=2, pad=1)\noutput y\n")),
		"compute_y");
	ck_assert_ptr_null(strchr(text, '?'));
	ck_assert_ptr_null(strstr(text, "if ("));
	ck_assert_ptr_nonnull(strstr(text, " / 2"));
}
END_TEST

/* What lies on a side of a choice is loaded first, in a piece of a loop as well: else no vectors come of it. */
START_TEST(pieces_load_ahead_of_choices)
{
	const char *text = function(c_of(build("input x[40, 40], z[39, 40]\n"
					       "y[i < 40, j < 40] = if x[i, j] > 0 then z[i - 1, j else 0] else 0\n"
					       "output y\n")),
				    "compute_y");

	ck_assert_ptr_nonnull(strstr(text, "const double this_z = "));
	ck_assert_ptr_nonnull(strstr(text, "? this_z :"));
}
END_TEST

static int count(const char *text, const char *word)
{
	int n = 0;

	for (; (text = strstr(text, word)); text += strlen(word))
		n++;
	return n;
}

/* The sizes of the blocks in which gradients are made and used are declared side by side. */
START_TEST(blocks_have_their_names)
{
	const char *c = c_of(build("input x[512]\nh = x\nrepeat 3 { h = h -> d: dense(512) -> relu }\n"
				   "loss sum(h^2)\ntrain sgd(lr=0.1, momentum=0.9) batch=64\n"));

	ck_assert_int_eq(count(c, "\tconst int block = "), 1);
	ck_assert_int_eq(count(c, "\tconst int block2 = "), 1);
}
END_TEST

START_TEST(equal_layers_share_code)
{
	const char *c;

	options.unroll = NNC_UNROLL_NONE;
	c = c_of(build("input x[32]\nh = x\nrepeat 20 { h = h -> d: dense(32) -> relu }\noutput h\n"
		       "loss sum(h^2)\ntrain adam(lr=1e-3)\n"));
	ck_assert_int_eq(count(c, "\nstatic void update_"), 1);
	ck_assert_int_le(count(c, "\nstatic void compute_"), 20);
}
END_TEST

/* Parts of one tensor: the call says where each begins, so what reads them is one function. */
START_TEST(parts_of_a_tensor_share_code)
{
	const char *c;

	c = c_of(build("input x[32]\nparam w[96, 32] ~ normal(1)\nq[i < 32] = sum[j] w[i, j] * x[j]\n"
		       "k[i < 32] = sum[j] w[i + 32, j] * x[j]\nv[i < 32] = sum[j] w[i + 64, j] * x[j]\n"
		       "output q\noutput k\noutput v\n"));
	ck_assert_int_eq(count(c, "\nstatic void compute_"), 2); /* one is for one sample */
	ck_assert_ptr_nonnull(strstr(c, "compute_q(n, w, x, q"));
	ck_assert_ptr_nonnull(strstr(c, "compute_q(n, w + 1024, x, k"));
	ck_assert_ptr_nonnull(strstr(c, "compute_q(n, w + 2048, x, v"));
}
END_TEST

/* What C compilers make vectors of: loops over the units, sums of two terms as additions, a short sum's terms apart.
 * What has three units has no loops, and neither has what is the same to the bit. */
START_TEST(few_units_run_in_vectors)
{
	const char *model = "input x[2]\ny = x -> a: dense(%d) -> tanh -> b: dense(1)\noutput y\n";
	const char *text = function(c_of(build(arena_printf(&ctx.arena, model, 8))), "compute_y");

	ck_assert_ptr_nonnull(strstr(text, "for (int i = 0; i < 8; i++)"));
	ck_assert_ptr_nonnull(strstr(text, " = weight[2 * i] * x[2 * batch] + weight[2 * i +"));
	ck_assert_ptr_nonnull(strstr(text, "_term[8];"));
	ck_assert_int_eq(count(text, "for ("), 3);

	ck_assert_int_eq(count(function(c_of(build(arena_printf(&ctx.arena, model, 3))), "compute_y"), "for ("), 1);
	options.fp = NNC_FP_STRICT;
	ck_assert_int_eq(count(function(c_of(build(arena_printf(&ctx.arena, model, 8))), "compute_y"), "for ("), 1);
}
END_TEST

/* What queries, keys and values of attention add to one weight is one product, of tiles, with the gradient of all three
 * side by side. */
START_TEST(products_of_slices_are_tiles)
{
	const char *model = "input x[32, 64]\ny = x -> a: attention(4)\noutput y\nloss sum(y^2)\ntrain sgd(lr=0.1)\n";
	const char *c = c_of(build(model));

	ck_assert_ptr_nonnull(function(c, "compute_a_in_proj_weight_grad_joint"));
	ck_assert_ptr_nonnull(strstr(function(c, "compute_a_in_proj_weight_grad"), "tile_"));
}
END_TEST

/* A sum of one function of several values calls it in a loop, of which compilers make vectors. */
START_TEST(calls_stand_side_by_side)
{
	options.real = NNC_FLOAT;
	ck_assert_ptr_nonnull(
		strstr(function(c_of(build("input x[10]\ny = sum[k] exp(x[k] - x[0])\noutput y\n")), "compute_y"),
		       "y_term[k] = fast_exp(y_term[k]);"));
}
END_TEST

/* Tiles of an update ask for a row of the param at each of their first steps, and those of what they set where that
 * does not stay in the first cache. */
START_TEST(updates_ask_for_rows)
{
	const char *model = "input x[784]\ntarget y: class[10]\nz = x -> a: dense(128) -> relu -> b: dense(10)\n"
			    "loss cross_entropy(z, y)\ntrain sgd(lr=0.1) batch=%d\n";
	const char *text;

	options.real = NNC_FLOAT;
	text = function(c_of(build(arena_printf(&ctx.arena, model, 32))), "update_a_weight2");
	ck_assert_ptr_nonnull(strstr(text, ".far = 1}"));
	ck_assert_ptr_null(strstr(text, ".ahead"));
	text = function(c_of(build(arena_printf(&ctx.arena, model, 128))), "update_a_weight2");
	ck_assert_ptr_nonnull(strstr(text, ".ahead = 8, .far = 1}"));
	text = c_of(build("param a[128, 256] = 1\nparam b[128, 16] = 1\ninput x[4, 128]\ny = x @ a\nz = x @ b\n"
			  "output y\noutput z\n"));
	ck_assert_ptr_nonnull(strstr(function(text, "compute_y"), ".far = 1}"));
	ck_assert_ptr_null(strstr(function(text, "compute_z"), ".far"));
}
END_TEST

/* What the next panel copies is asked for while tiles read this one, if all params together leave the second cache. */
START_TEST(panels_ask_for_params)
{
	const char *model = "input x[64, 128]\nz = x -> a: dense(512) -> relu -> b: dense(%d)\noutput z\n";

	options.real = NNC_FLOAT;
	ck_assert_ptr_nonnull(
		strstr(function(c_of(build(arena_printf(&ctx.arena, model, 512))), "compute_relu"), ".ask"));
	ck_assert_ptr_null(strstr(function(c_of(build(arena_printf(&ctx.arena, model, 64))), "compute_relu"), ".ask"));
}
END_TEST

/* Where rows of samples lie far apart, a tile of an update takes one sample after the other, and adds to the param for
 * each. */
START_TEST(updates_go_by_samples)
{
	const char *text;

	options.real = NNC_FLOAT;
	text = function(c_of(build("input x[64, 128]\ny = x -> a: dense(512) -> gelu -> b: dense(128)\noutput y\n"
				   "loss sum(y^2)\ntrain sgd(lr=0.1) batch=8\n")),
			"update_b_weight");
	ck_assert_ptr_nonnull(strstr(text, "for (int batch = 0; batch < n; batch++)"));
	ck_assert_ptr_nonnull(strstr(text, "columns, 64, "));
}
END_TEST

/* A result may lie where a value was that only what stands before it in the loop reads. */
START_TEST(results_replace_what_is_read_before)
{
	const char *text =
		function(c_of(build("input x[40]\nh = x -> a: dense(50) -> gelu\ny = h -> b: dense(3)\noutput y\n"
				    "loss sum(y^2)\ntrain sgd(lr=0.1) batch=4\n")),
			 "compute_a_y_slope");

	ck_assert_ptr_nonnull(strstr(text, "const double y = h["));
	ck_assert_ptr_null(strstr(text, "y_sum"));
	ck_assert_int_eq(count(text, " = erf("), 1);
}
END_TEST

/* The largest of many in lanes; and what is one number for a row stands before the loop over its elements. */
START_TEST(rows_run_in_vectors)
{
	const char *c = c_of(build("input x[64]\ny = softmax(x)\nz = x -> n: layernorm\noutput y, z\n"));

	ck_assert_ptr_nonnull(strstr(function(c, "compute_y"), "_lane[lane] = value > "));
	ck_assert_ptr_nonnull(strstr(function(c, "compute_z"), "\t\tconst double power = 1.0 / sqrt("));
}
END_TEST

START_TEST(writing_out_has_a_limit)
{
	options.unroll = NNC_UNROLL_ALL;
	ck_assert_ptr_null(c_of(build("input x[400]\ny = x -> dense(400)\noutput y\n")));
	ck_assert_ptr_nonnull(strstr(complaints, "--unroll=all would write 160"));
}
END_TEST

START_TEST(strict_says_so)
{
	options.fp = NNC_FP_STRICT;
	ck_assert_ptr_nonnull(strstr(c_of(build(net)), "fp-contract=off"));
}
END_TEST

START_TEST(weights_embedded)
{
	static const double weights[] = {0.1, -1e-300, 3, 1.0 / 3};
	struct graph *g = build("param w[2, 2] = 0\ninput x[2]\noutput y = w @ x\n");
	struct emit_options embed = {.freestanding = true, .weights = weights};
	struct jit *jit = jit_compile(emit_text(g, &embed), NULL, complain, NULL);

	ck_assert_mem_eq(jit_symbol(jit, "net_weights"), weights, sizeof weights);
	jit_free(jit);
}
END_TEST

START_TEST(weights_embedded_as_float)
{
	static const float weights[] = {0.1f, -1e-38f, 3e7f, 1.0f / 3};
	struct emit_options embed = {.freestanding = true, .weights = weights};
	struct jit *jit;

	options.real = NNC_FLOAT;
	jit = jit_compile(emit_text(build("param w[2, 2] = 0\ninput x[2]\noutput y = w @ x\n"), &embed), NULL, complain,
			  NULL);
	ck_assert_mem_eq(jit_symbol(jit, "net_weights"), weights, sizeof weights);
	jit_free(jit);
}
END_TEST

/* erf(erfinv(y)) is y, to the ends of the range. */
START_TEST(inverse_of_erf)
{
	struct loaded m = load(build("input x\noutput y = erf(erfinv(x))\n"));
	const double x[] = {0, 1e-9, -0.5, 0.9, -0.999, 0.9999999, 1 - 1e-15};
	const void *input[] = {x};
	double y[7];
	void *output[] = {y};

	m.nn->forward(m.params, m.state, input, output, 7, m.work);
	for (int i = 0; i < 7; i++)
		ck_assert_double_eq_tol(y[i], x[i], 4e-16);
	unload(&m);
}
END_TEST

START_TEST(inference_only)
{
	const char *c;

	options.inference_only = true;
	c = c_of(build(net));
	ck_assert_ptr_null(strstr(c, "net_step"));
	ck_assert_ptr_null(strstr(c, "net_grads"));
	ck_assert_ptr_null(strstr(c, "of the optimiser"));
	ck_assert_ptr_nonnull(strstr(c, "any_loss, NULL, NULL, NULL, NULL"));
}
END_TEST

/* ---- placement ---- */

static const char deep[] = "input x[20]\ntarget t[20]\nh = x\n"
			   "repeat 8 { h = h + (h -> dense(30) -> tanh -> dense(20) -> dropout(0.1)) }\n"
			   "output h, last = h[0]\nloss mse(h, t)\nmetric l1(h, t), mse(h, t)\n"
			   "train adam(lr=1e-3) clip=1.0 batch=7\n";

static int64_t size_in(const struct tensor *t, enum call call)
{
	return call == CALL_FORWARD1 ? tensor_sample_size(t) : tensor_size(t);
}

/* Every call writes no memory while another value stands there that is read later. */
START_TEST(no_value_is_lost)
{
	struct program *p;

	options.unroll = (enum nnc_unroll)_i;
	p = schedule(build(deep), NULL);
	for (enum call c = 0; c < CALL_COUNT; c++) {
		const group_list *groups = &p->call[c].groups;

		for (int at = 0; at < groups->n; at++) /* every value read was the last one written there */
			for (int i = 0; i < groups->item[at]->stages.n; i++) {
				const struct stage *stage = groups->item[at]->stages.item[i];

				for (int k = 0; k < stage->reads.n; k++) {
					struct tensor *t = root_of(stage->reads.item[k]->tensor);
					const struct storage *mine = &layout_of(t)->storage[c];
					int64_t size = size_in(t, c);
					bool found = mine->memory != MEM_WORK;

					for (int b = at; b >= 0 && !found; b--)
						for (int j = b == at ? i - 1 : groups->item[b]->stages.n - 1;
						     j >= 0 && !found; j--) {
							const struct stage *s = groups->item[b]->stages.item[j];
							struct tensor *other = root_of(s->eq->tensor);
							const struct storage *o = &layout_of(other)->storage[c];

							if (s->local || o->memory != MEM_WORK ||
							    o->offset >= mine->offset + size ||
							    mine->offset >= o->offset + size_in(other, c))
								continue;
							ck_assert_msg(other == t, "%s overwrites %s in %d", other->name,
								      t->name, (int)c);
							found = true;
						}
				}
			}
	}
}
END_TEST

/* Work of a deep net in inference does not grow with its depth. */
START_TEST(buffers_are_used_again)
{
	struct program *shallow, *tall;

	shallow = schedule(build("input x[64]\nh = x\nrepeat 3 { h = h -> dense(64) -> relu }\noutput h\n"), NULL);
	tall = schedule(build("input x[64]\nh = x\nrepeat 30 { h = h -> dense(64) -> relu }\noutput h\n"), NULL);
	ck_assert_int_eq(shallow->call[CALL_FORWARD].work, tall->call[CALL_FORWARD].work);
	ck_assert_int_le(tall->work.reals, tall->work1.reals * 32 + 64 * 64); /* and a copy of weights for tiles */
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("emit");

	tcase_add_checked_fixture(tests, start, finish);
	tcase_add_test(tests, dense_layer);
	tcase_add_loop_test(tests, gradients, 0, 3);
	tcase_add_loop_test(tests, large_gradients, 0, 3);
	tcase_add_test(tests, step_is_backward_and_update);
	tcase_add_test(tests, random_numbers);
	tcase_add_test(tests, next_values_in_order);
	tcase_add_test(tests, awkward_names);
	tcase_add_test(tests, same_text_again);
	tcase_add_test(tests, conditions_become_bounds);
	tcase_add_test(tests, pieces_load_ahead_of_choices);
	tcase_add_test(tests, equal_layers_share_code);
	tcase_add_test(tests, parts_of_a_tensor_share_code);
	tcase_add_test(tests, blocks_have_their_names);
	tcase_add_test(tests, writing_out_has_a_limit);
	tcase_add_test(tests, strict_says_so);
	tcase_add_test(tests, few_units_run_in_vectors);
	tcase_add_test(tests, products_of_slices_are_tiles);
	tcase_add_test(tests, calls_stand_side_by_side);
	tcase_add_test(tests, updates_ask_for_rows);
	tcase_add_test(tests, panels_ask_for_params);
	tcase_add_test(tests, updates_go_by_samples);
	tcase_add_test(tests, results_replace_what_is_read_before);
	tcase_add_test(tests, rows_run_in_vectors);
	tcase_add_test(tests, inference_only);
	tcase_add_test(tests, weights_embedded);
	tcase_add_test(tests, weights_embedded_as_float);
	tcase_add_test(tests, inverse_of_erf);
	tcase_add_loop_test(tests, no_value_is_lost, 0, 3);
	tcase_add_test(tests, buffers_are_used_again);
	return run_tests("emit", (TCase *[]){tests, NULL});
}
