/* map.c - what is a map in process: of which models the text has neither a call of a function of libm nor a loop of its
 * own but those over rows and steps. check/maps.sh sees whether their numbers are right. */
#include <string.h>

#include "nnc.h"
#include "suite.h"
#include "tile.h"

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
	ck_assert_ptr_nonnull(strstr(text, "nn_map_run("));
	for (int k = 0; k < 4 && cases[_i].never[k]; k++)
		ck_assert_msg(!strstr(text, cases[_i].never[k]), "%s in\n%s", cases[_i].never[k], text);
	nnc_free(model);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("map");
	tcase_add_loop_test(t, no_text, 0, sizeof cases / sizeof cases[0]);
	return run_tests("map", (TCase *[]){t, NULL});
}
