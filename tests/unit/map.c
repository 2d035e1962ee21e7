/* map.c - what is a map in process: of which models the text has neither a call of a function of libm nor a loop of its
 * own but those over rows and steps; and rows that maps load and store. check/maps.sh sees whether numbers are right.
 */
#include <stdlib.h>
#include <string.h>

#include "map.h"
#include "nnc.h"
#include "suite.h"
#include "tile_set.h"

static const struct {
	const char *text;
	const char *never[4]; /* words that the text of step, or of forward where nothing is trained, has not */
} cases[] = {
	/* a recurrence: what it reads of the step before stands under a test on the step, not on the elements */
	{"input x[20, 30]\ntarget t: class[10]\ny, h, c = x -> lstm(64)\n"
	 "loss cross_entropy(dense(h, 10), t)\ntrain sgd(lr=0.1) batch=4\n",
	 {"expf(-", "tanhf(z", "tanhf(c"}},
	{"input x[20, 30]\ntarget t: class[10]\ny, h = x -> gru(64)\n"
	 "loss cross_entropy(dense(h, 10), t)\ntrain sgd(lr=0.1) batch=4\n",
	 {"expf(-", "tanhf(a", "for (int i2"}},
	/* elements of one tensor where there are none of another */
	{"input x[90]\ny[i < 100] = x[i - 20 else x[i else 1]]\noutput y\n", {"for (int i "}},
	/* the place of an extreme; a choice by it, an element at it, and it as a number */
	{"input x[90]\nparam w[4, 90] = normal()\ntop[i < 90] = argmax[j < 4] x[i + j - 1 else 0]\n"
	 "y[i] = w[top[i], i] + (if top[i] == 2 then 3 * top[i] * i else x[i])\noutput y\n",
	 {"for (int i ", "winner"}},
	/* quotients, and a read that they say */
	{"input x[90]\ny[i < 180] = x[i // 2] * (i % 2) + x[i // 3 - 2 else 1]\noutput y\n", {"for (int i "}},
};

START_TEST(no_text)
{
	nnc_options options = {.report = NULL};
	nnc_tiles tiles = {.lanes = 8,
			   .registers = 16,
			   .rows = 8,
			   .columns = 8,
			   .dot_rows = 8,
			   .dot_columns = 8,
			   .sums = NN_TILE_SUMS,
			   .maps = true};
	nnc_model *model = nnc_compile("model", cases[_i].text, strlen(cases[_i].text), &options);
	const char *text;
	ck_assert_ptr_nonnull(model);
	text = nnc_emit_in_process(model, &tiles, strstr(cases[_i].text, "train") ? 1u << 9 : 1u << 1);
	ck_assert_ptr_nonnull(text);
	ck_assert_ptr_nonnull(strstr(text, "nn_maps[0]("));
	for (int k = 0; k < 4 && cases[_i].never[k]; k++)
		ck_assert_msg(!strstr(text, cases[_i].never[k]), "%s in\n%s", cases[_i].never[k], text);
	nnc_free(model);
}
END_TEST

/* Rows of any length and step, by the kernels of each instruction set that there is. */
typedef void run_float(const int32_t *program, int n, int n_number, const float *number, int n_memory,
		       float *const *memory);

static void check_rows(run_float *run, int rows, int n, int from_step, int to_step)
{
	enum { FROM, TO, MOST = 60 * 40 * 3 };
	const int apart = n * from_step + 3, to_apart = n * to_step + 1;
	const struct {
		int32_t slots[2], space[13], load[5], store[5];
	} program = {
		{1, 0},
		{NN_MAP_SPACE | 13 << 8, 2, 0, 10, rows, n, 2, FROM, apart, from_step, TO, to_apart, to_step},
		{NN_MAP_LOAD | 5 << 8, NN_MAP_REGISTER, FROM, apart, from_step},
		{NN_MAP_STORE | 5 << 8, NN_MAP_REGISTER, TO, to_apart, to_step},
	};
	float *from = malloc(MOST * sizeof *from), *to = malloc(MOST * sizeof *to), *want = malloc(MOST * sizeof *want);
	for (int i = 0; i < MOST; i++) {
		from[i] = (float)i;
		to[i] = want[i] = -1;
	}
	for (int i = 0; i < rows; i++)
		for (int k = 0; k < n; k++)
			want[i * to_apart + k * to_step] = from[i * apart + k * from_step];
	run((const int32_t *)&program, 0, 0, NULL, 2, (float *[]){from, to});
	int at = 0; /* an assertion writes to a pipe: one, not thousands */
	while (at < MOST && to[at] == want[at])
		at++;
	ck_assert_msg(at == MOST, "%d rows of %d, %d to %d apart: number %d is wrong", rows, n, from_step, to_step, at);
	free(from);
	free(to);
	free(want);
}

START_TEST(rows_of_any_length)
{
	const struct tile_set *set = find_tile_set(sizeof(float), (const char *[]){"base", "avx2", "avx512"}[_i]);
	for (int n = 1; set && n < 40; n++)
		for (int step = 0; step < 16; step++) {
			check_rows((run_float *)set->map, 1 + n % 7, n, step & 3, 1 + step / 4 % 3);
			check_rows((run_float *)set->map, 59 - n % 5, 1 + n % 9, step & 3, 1 + step / 4 % 3);
		}
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("map");
	tcase_add_loop_test(t, no_text, 0, sizeof cases / sizeof cases[0]);
	tcase_add_loop_test(t, rows_of_any_length, 0, 3);
	return run_tests("map", (TCase *[]){t, NULL});
}
