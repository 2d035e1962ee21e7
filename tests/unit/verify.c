/* verify.c - every fault that a pass may make is found: a sound graph is damaged in one place at a time. */
#include "expr.h"
#include "suite.h"
#include "syntax.h"

#include <stdio.h>
#include <string.h>

static struct context ctx;
static jmp_buf unwind;
static struct graph *g;
static const struct span nowhere;

static const char model[] =
	"input x[4]\n"
	"target label: class[3]\n"
	"setting rate = 0.5\n"
	"param w[3, 4]\n"
	"state count\n"
	"const table[2] = [1, 2]\n"
	"part init {\n"
	"w[i < 3, j < 4] = draw_normal(\"w\")\n"
	"count = 0.0\n"
	"}\n"
	"part forward {\n"
	"y[batch, i] = sum[j] w[i, j] * x[batch, j]\n"
	"pad[batch, i < 5] = y[batch, i - 1 else 0] + table[i % 2]\n"
	"flat[batch, q < 5, r < 1] = view(pad)[batch, q, r]\n"
	"best[batch] = argmax[i] y[batch, i]\n"
	"total = sum[batch, i] flat[batch, i, 0] * (if best[batch] == label[batch] then rate else 1)\n"
	"count' = count + 1\n"
	"scan t < 6 {\n"
	"a[batch, t < 6] = c[batch, t - 1 else 0] + 1\n"
	"c[batch, t < 6] = a[batch, t] * a[batch, t - 2 else 0]\n"
	"}\n"
	"loss total\n"
	"}\n"
	"part inference {\n"
	"y[batch, i] = sum[j] w[i, j] * x[batch, j]\n"
	"total = sum[batch, i] y[batch, i]\n"
	"loss total\n"
	"}\n"
	"part backward {\n"
	"y.grad[batch, i < 3] = pad[batch, i]\n"
	"y.grad[batch, label[batch] < 3] += sum[batch] 1.0\n"
	"w.grad[i, j] = sum[batch] y.grad[batch, i] * x[batch, j]\n"
	"}\n"
	"part update {\n"
	"w'[i, j] = w[i, j] - rate * w.grad[i, j]\n"
	"}\n"
	"loss loss = total\n"
	"output y = y\n"
	"train graph() batch=5\n";

static void start(void)
{
	static const nnc_options options = {.prefix = "net"};
	const struct source *src;

	ctx = (struct context){.options = &options};
	arena_init(&ctx.arena, NULL, NULL);
	ctx.arena.unwind = &unwind;
	src = add_source(&ctx, "graph.nn", model, strlen(model), false);
	g = elaborate(&ctx, parse_source(&ctx, src), src);
	ck_assert_ptr_nonnull(g);
}

static void finish(void) { arena_free(&ctx.arena); }

static struct equation *equation(enum part part, int n)
{
	ck_assert_int_lt(n, g->part[part].n);
	return g->part[part].item[n];
}

static struct tensor *named(const char *name)
{
	struct tensor *t = table_get(&g->names, name);

	ck_assert_msg(t != NULL, "no tensor %s", name);
	return t;
}

static void says(const char *expected)
{
	const char *fault = verify(g);

	ck_assert_msg(fault && strstr(fault, expected), "\"%s\" does not say \"%s\"", fault ? fault : "nothing",
		      expected);
}

static struct expr *real(double x) { return ex_num(g, x); }

/* ---- each damages the graph and names what is to be found ---- */

static const char *axis_without_extent(void)
{
	named("pad")->axis[1].extent = -1;
	return "axis 2 of pad has extent -1";
}

static const char *rows_not_batch(void)
{
	g->batch = 7;
	return "its extent is not the batch";
}

static const char *sample_axis_missing(void)
{
	named("best")->axis[0].rows = false;
	return "depends on the sample but has no axis";
}

static const char *name_taken(void)
{
	named("best")->name = "pad";
	return "name pad is not the tensor's own";
}

static const char *foreign_tensor(void)
{
	struct tensor *copy = arena_alloc(&ctx.arena, sizeof *copy);

	*copy = *named("best");
	equation(PART_FORWARD, 3)->tensor = copy;
	return "not among the graph's tensors";
}

static const char *classes_of_real(void)
{
	named("y")->classes = 3;
	return "has classes but is not an integer";
}

static const char *trained_integer(void)
{
	named("w")->elem = ELEM_INT;
	return "trained but not real";
}

static const char *next_of_nothing(void)
{
	equation(PART_UPDATE, 0)->tensor->of = named("x");
	return "next value of no param or state";
}

static const char *next_shape(void)
{
	equation(PART_UPDATE, 0)->tensor->axis[0].extent = 9;
	return "has not the shape and type of w";
}

static const char *gradient_of_nothing(void)
{
	g->grads.item[0]->of = NULL;
	return "gradient of no param";
}

static const char *data_missing(void)
{
	named("table")->data = NULL;
	return "constant table has no numbers";
}

static const char *view_size(void)
{
	named("flat")->axis[2].extent = 2;
	return "is not a view";
}

static const char *slot_missing(void)
{
	equation(PART_FORWARD, 3)->n = 1;
	return "uses an index that the equation does not have";
}

static const char *unbound(void)
{
	equation(PART_FORWARD, 0)->red = RED_NONE;
	return "is bound by no reducer";
}

static const char *free_count(void)
{
	equation(PART_FORWARD, 0)->nfree = 1;
	return "free indices for 2 axes";
}

static const char *wrong_extent(void)
{
	equation(PART_FORWARD, 0)->index[1].extent = 2;
	return "does not run along axis 2";
}

static const char *same_index_names(void)
{
	equation(PART_FORWARD, 0)->index[1].name = equation(PART_FORWARD, 0)->index[2].name;
	return "two indices are named";
}

static const char *value_type(void)
{
	equation(PART_FORWARD, 0)->value = ex_int(g, 1);
	return "value has another type";
}

static const char *argument_type(void)
{
	struct expr *e = ex_plain(g, EX_ADD, ELEM_REAL, 2, (struct expr *[]){real(1), ex_int(g, 1)});

	equation(PART_FORWARD, 0)->value = e;
	return "an argument of + has the wrong type";
}

static const char *slots_mask(void)
{
	equation(PART_FORWARD, 0)->value->slots = 1;
	return "the slots of an expression (*) are not";
}

static const char *unguarded(void)
{
	struct expr *i = ex2(g, EX_SUB, ex_index(g, 1), ex_int(g, 1));

	equation(PART_FORWARD, 1)->value = ex_read(g, named("y"), (struct expr *[]){ex_index(g, 0), i}, NULL);
	return "subscript 2 of y has the range -1 to 3, but the extent is 3";
}

static const char *row_unknown(void)
{
	equation(PART_FORWARD, 1)->value = ex_read(g, named("y"), (struct expr *[]){ex_int(g, 3), ex_int(g, 0)}, NULL);
	return "a row that the run does not have";
}

static const char *subscript_count(void)
{
	equation(PART_FORWARD, 1)->value->arg[0]->guarded = false;
	return "y has rank 2 and is read with 3 subscripts";
}

static const char *read_before(void)
{
	struct equation *first = equation(PART_FORWARD, 0);

	g->part[PART_FORWARD].item[0] = equation(PART_FORWARD, 1);
	g->part[PART_FORWARD].item[1] = first;
	return "y is read, which is not defined yet";
}

static const char *inference_reads_forward(void)
{
	struct expr *subs[] = {ex_index(g, 0), ex_index(g, 1)};

	equation(PART_INFERENCE, 1)->value = ex_read(g, named("pad"), subs, NULL);
	return "pad is read, which is not defined yet, or not for this part";
}

static const char *update_reads_forward(void)
{
	struct expr *e = ex_read(g, named("total"), NULL, NULL);

	equation(PART_UPDATE, 0)->value = e;
	return "total is read";
}

static const char *defined_twice(void)
{
	list_add(&ctx.arena, &g->part[PART_BACKWARD], equation(PART_BACKWARD, 2));
	return "it is defined twice";
}

static const char *added_after_read(void)
{
	list_add(&ctx.arena, &g->part[PART_BACKWARD], equation(PART_BACKWARD, 1));
	return "it was read before";
}

static const char *wrong_part(void)
{
	list_add(&ctx.arena, &g->part[PART_FORWARD], equation(PART_UPDATE, 0));
	equation(PART_UPDATE, 0)->value = real(1);
	return "this part may not define it";
}

static const char *scatter_outside(void)
{
	struct equation *eq = equation(PART_BACKWARD, 1);

	eq->target[1] = ex_int(g, 3);
	return "subscript 2 of y.grad has the range 3 to 3";
}

static const char *scatter_with_free(void)
{
	equation(PART_BACKWARD, 1)->nfree = 1;
	return "a scatter has no free indices";
}

static const char *scatter_draws(void)
{
	equation(PART_BACKWARD, 1)->value = ex_draw(g, DRAW_NORMAL, "a");
	return "a draw needs an element";
}

static const char *view_of_nothing_yet(void)
{
	struct equation *view = equation(PART_FORWARD, 2);

	g->part[PART_FORWARD].item[2] = equation(PART_FORWARD, 0);
	g->part[PART_FORWARD].item[0] = view;
	return "pad is read, which is not defined yet";
}

static const char *gradient_missing(void)
{
	g->part[PART_BACKWARD].n--;
	return "w.grad";
}

static const char *two_next_values(void)
{
	struct tensor *t = graph_tensor(g, ROLE_NEXT, "count'", ELEM_REAL, false, 0, NULL, nowhere);

	t->of = named("count");
	list_add(&ctx.arena, &g->part[PART_FORWARD], graph_equation(g, t, RED_NONE, 0, 0, NULL, real(1), nowhere));
	return "count has two next values";
}

static const char *no_initial_value(void)
{
	g->part[PART_INIT].n--;
	return "part init does not define count";
}

static const char *loss_of_rank_one(void)
{
	g->loss = named("y");
	return "the loss is not a real scalar";
}

static const char *loss_of_other_part(void)
{
	graph_rename(g, g->loss, "training_loss");
	g->inference_loss = g->loss;
	return "the loss is not a real scalar of part inference";
}

static const char *goal_trains_a_state(void)
{
	list_add(&ctx.arena, &g->goals.item[0].params, named("count"));
	return "trains count, which is no param";
}

static const char *output_of_forward(void)
{
	g->outputs.item[0].value = named("pad");
	return "output y is not defined by part inference";
}

static struct scan *the_scan(void)
{
	struct scan *scan = equation(PART_FORWARD, 6)->scan;

	ck_assert_ptr_nonnull(scan);
	return scan;
}

static const char *scan_reversed(void)
{
	the_scan()->reverse = true;
	return "c is read at a later step";
}

static const char *scan_out_of_order(void)
{
	struct equation *a = the_scan()->body[0];

	the_scan()->body[0] = the_scan()->body[1];
	the_scan()->body[1] = a;
	return "a is read, which is not defined yet";
}

static const char *scan_over_other_steps(void)
{
	the_scan()->trips = 5;
	return "it has no axis for the steps of the scan over t";
}

static const char *scan_reads_any_step(void)
{
	struct expr *t = ex2(g, EX_FLOORDIV, ex_index(g, 1), ex_int(g, 2));

	the_scan()->body[0]->value = ex_read(g, named("c"), (struct expr *[]){ex_index(g, 0), t}, NULL);
	return "c is read at a step that may not be done";
}

static const char *scan_depth(void)
{
	the_scan()->depth = 1;
	return "another depth than its place";
}

static const char *(*const damages[])(void) = {
	axis_without_extent,
	rows_not_batch,
	sample_axis_missing,
	name_taken,
	foreign_tensor,
	classes_of_real,
	trained_integer,
	next_of_nothing,
	next_shape,
	gradient_of_nothing,
	data_missing,
	view_size,
	slot_missing,
	unbound,
	free_count,
	wrong_extent,
	same_index_names,
	value_type,
	argument_type,
	slots_mask,
	unguarded,
	row_unknown,
	subscript_count,
	read_before,
	inference_reads_forward,
	update_reads_forward,
	defined_twice,
	added_after_read,
	wrong_part,
	scatter_outside,
	scatter_with_free,
	scatter_draws,
	view_of_nothing_yet,
	gradient_missing,
	two_next_values,
	no_initial_value,
	loss_of_rank_one,
	loss_of_other_part,
	goal_trains_a_state,
	output_of_forward,
	scan_reversed,
	scan_out_of_order,
	scan_over_other_steps,
	scan_reads_any_step,
	scan_depth,
};

START_TEST(damage_is_found)
{
	ck_assert_msg(verify(g) == NULL, "%s", verify(g));
	says(damages[_i]());
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("verify");

	tcase_add_checked_fixture(tests, start, finish);
	tcase_add_loop_test(tests, damage_is_found, 0, (int)(sizeof damages / sizeof *damages));
	return run_tests("verify", (TCase *[]){tests, NULL});
}
