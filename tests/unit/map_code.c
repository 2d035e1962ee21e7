/* map_code.c - maps as machine code against maps interpreted, to the bit: each instruction, over rows of any length and
 * step, whole vectors and parts of them, from arrays that end where a page ends that may not be read. Sums are of
 * numbers that no order rounds. */
#define _GNU_SOURCE
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "map.h"
#include "map_code.h"
#include "suite.h"

typedef void run_any(const int32_t *program, int n, int n_number, const void *number, int n_memory,
		     void *const *memory);

enum { SOURCES = 4, RESULT = SOURCES, ARRAYS, PAGE = 1 << 16, WORDS = 200, ROWS_OF_CALL = 3 };

static uint64_t seed;

static int draw(int n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (int)((seed >> 33) % (unsigned)n);
}

/* A program over rows of elements, in the making. */
struct program {
	int32_t word[WORDS];
	int n;
	int rows, row, step[ARRAYS], apart[ARRAYS]; /* elements of a row; from element to element, from row to row */
	bool runs_rows;				    /* there are as many rows as the call says */
	int strip;				    /* 1: strips are within rows */
};

static void add(struct program *p, int op, int n, const int32_t *words)
{
	ck_assert_int_lt(p->n + n + 1, WORDS);
	p->word[p->n++] = op | (n + 1) << 8;
	for (int i = 0; i < n; i++)
		p->word[p->n++] = words[i];
}
#define ADD(p, op, ...) add(p, op, (int)(sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t)), (int32_t[]){__VA_ARGS__})

/* n words, then the steps of an array in the levels of the strip. */
static void add_access(struct program *p, int op, int n, const int32_t *words, int array)
{
	int32_t all[8];
	memcpy(all, words, (size_t)n * sizeof *all);
	if (p->strip == 0)
		all[n++] = p->apart[array];
	all[n++] = p->step[array];
	add(p, op, n, all);
}

static void load(struct program *p, int array)
{
	add_access(p, NN_MAP_LOAD, 2, (int32_t[]){NN_MAP_REGISTER + array, array}, array);
}

static void store(struct program *p, int slot) { add_access(p, NN_MAP_STORE, 2, (int32_t[]){slot, RESULT}, RESULT); }

/* With three conditions: one on the rows and two on the elements of a row. */
static void load_inside(struct program *p, int to, int fill, int test)
{
	const int32_t conditions[] = {3,  draw(5) - 1, 0, 0, 1 - draw(2) * 2, p->row - draw(4), 0, 0,
				      -1, -draw(3),    0, 1, draw(2)};
	const int at = p->n;
	add_access(p, NN_MAP_LOAD_INSIDE, 4, (int32_t[]){to, 1, fill, test}, 1);
	memcpy(p->word + p->n, conditions, sizeof conditions);
	p->n += (int)(sizeof conditions / sizeof *conditions);
	p->word[at] = NN_MAP_LOAD_INSIDE | (p->n - at) << 8;
}

/* The instruction of which the program is the test, its result stored. */
static void add_body(struct program *p, int op)
{
	enum { A = NN_MAP_REGISTER, B, C, D, TO, U = NN_MAP_UNIFORM };
	const int32_t integers[2][5] = {{A, draw(20) - 9, 0, draw(7) - 3, draw(9) - 4},
					{B, draw(9), 0, draw(3), draw(5) - 2}};
	for (int k = 0; k < SOURCES; k++)
		load(p, k);
	if ((op >= NN_MAP_INT_ADD && op <= NN_MAP_INT_TO_REAL) || op == NN_MAP_INDEX || op == NN_MAP_GATHER) {
		for (int k = 0; k < 2; k++)
			ADD(p, NN_MAP_INDEX, integers[k][0], integers[k][1], integers[k][2], integers[k][3],
			    integers[k][4]);
	}
	switch (op) {
	case NN_MAP_LOAD: store(p, B); return;
	case NN_MAP_STORE:
		ADD(p, NN_MAP_MOVE, A, U + 1);
		store(p, A);
		return;
	case NN_MAP_SPLAT:
		ADD(p, op, U + 3, SOURCES - 1);
		ADD(p, NN_MAP_ADD, TO, A, U + 3);
		break;
	case NN_MAP_INDEX: ADD(p, NN_MAP_MOVE, TO, B); break;
	case NN_MAP_LOAD_INSIDE: load_inside(p, TO, draw(2) ? C : U + 1, U + draw(2) * 2); break;
	case NN_MAP_GATHER:
		ADD(p, NN_MAP_INDEX, A, 0, 0, p->apart[1], p->step[1]);
		ADD(p, op, TO, 1, A);
		break;
	case NN_MAP_SELECT:
		ADD(p, NN_MAP_LT, D, A, B);
		ADD(p, op, TO, D, B, C);
		break;
	case NN_MAP_INT_QUOTIENT:
	case NN_MAP_INT_REMAINDER: ADD(p, op, TO, A, 1 + draw(9)); break;
	default:
		if (op >= NN_MAP_SELECT_LT && op <= NN_MAP_SELECT_LE)
			ADD(p, op, TO, A, draw(2) ? B : U + 1, C, D);
		else if (op >= NN_MAP_MUL_ADD && op <= NN_MAP_SUB_MUL && draw(2))
			ADD(p, op, C, A, B, C), ADD(p, NN_MAP_MOVE, TO, C);
		else if (op >= NN_MAP_MUL_ADD && op <= NN_MAP_SUB_MUL)
			ADD(p, op, TO, A, draw(2) ? B : U + 1, C);
		else if ((op >= NN_MAP_ADD && op <= NN_MAP_INT_SUB) || op == NN_MAP_INT_MUL ||
			 (op >= NN_MAP_INT_LT && op <= NN_MAP_INT_NE))
			ADD(p, op, TO, A, draw(2) ? B : op < NN_MAP_INT_ADD ? U + 1 : B);
		else
			ADD(p, op, TO, A);
	}
	store(p, TO);
}

static bool is_reduction(int op) { return op >= NN_MAP_REDUCE_SUM && op <= NN_MAP_REDUCE_MAX; }

/* The head of the space, whose body has been added behind it. */
static void start_program(struct program *p)
{
	p->word[0] = 5;
	p->word[1] = 4;
	p->n = 2;
	ADD(p, NN_MAP_SPACE, 1, 1, 0, 1, 0);
	ADD(p, NN_MAP_SPACE, 2, p->strip, 0, p->runs_rows ? -2 : p->rows, p->row, ARRAYS, 0, p->apart[0], p->step[0], 1,
	    p->apart[1], p->step[1], 2, p->apart[2], p->step[2], 3, p->apart[3], p->step[3], RESULT, p->apart[RESULT],
	    p->step[RESULT]);
}

static struct program make_program(int op, int round)
{
	enum { OUTER = 2, INNER = OUTER + 6 };
	struct program p = {
		.row = 1 + draw(round < 3 ? 9 : 40), .rows = 1 + draw(9), .runs_rows = draw(2), .strip = draw(2)};
	for (int k = 0; k < ARRAYS; k++) {
		p.step[k] = k == RESULT ? 1 + draw(3) : draw(4);
		p.apart[k] = p.row * p.step[k] + draw(3);
		if (round == 1) { /* rows lie side by side, and columns one behind the other */
			p.step[k] = 20;
			p.apart[k] = 1;
		}
	}
	if (op == NN_MAP_SPLAT)
		p.step[SOURCES - 1] = p.apart[SOURCES - 1] = 0;
	start_program(&p);
	if (op == NN_MAP_GATHER) /* whose array does not move */
		p.word[INNER + 11] = p.word[INNER + 12] = 0;
	if (!is_reduction(op)) {
		add_body(&p, op);
	} else {
		load(&p, 0);
		ADD(&p, op, NN_MAP_UNIFORM + 3, NN_MAP_REGISTER);
	}
	p.word[INNER + 3] = p.n - (INNER + (p.word[INNER] >> 8));
	if (is_reduction(op)) { /* around: its first value, and what becomes of it */
		int32_t inner[WORDS];
		const int n = p.n - INNER;
		memcpy(inner, p.word + INNER, (size_t)n * sizeof *inner);
		p.n = INNER;
		ADD(&p, NN_MAP_MOVE, NN_MAP_UNIFORM + 3, NN_MAP_UNIFORM + 1);
		memcpy(p.word + p.n, inner, (size_t)n * sizeof *inner);
		p.n += n;
		ADD(&p, op - NN_MAP_REDUCE_SUM + NN_MAP_TOTAL_SUM, NN_MAP_UNIFORM + 3);
		ADD(&p, NN_MAP_STORE, NN_MAP_UNIFORM + 3, RESULT);
	}
	p.word[OUTER + 3] = p.n - INNER;
	return p;
}

static void set_real(char *at, int i, bool wide, double value)
{
	if (wide)
		((double *)at)[i] = value;
	else
		((float *)at)[i] = (float)value;
}

static double real_at(const char *at, int i, bool wide)
{
	return wide ? ((const double *)at)[i] : (double)((const float *)at)[i];
}

/* The results of one run, in `to`, of which a page has room for what is never to be written. */
static void run_program(const struct program *p, run_any *run, char *const *source, char *to, bool wide)
{
	const size_t real = wide ? sizeof(double) : sizeof(float);
	char number[4 * sizeof(double)];
	void *memory[ARRAYS] = {0};
	for (int k = 0; k < 4; k++)
		set_real(number, k, wide, (double[]){0, 1.25, 1, -3}[k]);
	for (int k = 0; k < SOURCES; k++) { /* so that its last element is the last of the page */
		const int rows = p->runs_rows ? 2 * ROWS_OF_CALL : p->rows;
		const int last = (rows - 1) * p->apart[k] + (p->row - 1) * p->step[k];
		memory[k] = source[k] + PAGE - (size_t)(last + 1) * real;
	}
	for (int i = 0; i < PAGE / (int)real; i++)
		set_real(to, i, wide, 77);
	memory[RESULT] = to + 64 * real;
	run(p->word, ROWS_OF_CALL, 4, number, ARRAYS, memory);
}

static bool may_be_interpreted(int op, bool wide, bool avx512, const struct program *p)
{
	return (wide && op >= NN_MAP_INT_MUL && op <= NN_MAP_INT_REMAINDER) || (wide && op == NN_MAP_INT_TO_REAL) ||
	       (!avx512 && p->step[RESULT] != 1);
}

static void check_instruction(const struct tile_set *set, int op, bool wide, char *const *source, char *const *to)
{
	const size_t real = wide ? sizeof(double) : sizeof(float);
	for (int round = 0; round < 8; round++) {
		const struct program p = make_program(op, round);
		const int32_t start = 0;
		tile_function *run;
		const struct map_code code = make_map_code(set, p.word, &start, 1, &run);
		int i = 0;
		ck_assert_msg(run != set->map || may_be_interpreted(op, wide, set->registers == 32, &p),
			      "instruction %d is interpreted", op);
		run_program(&p, (run_any *)set->map, source, to[0], wide);
		run_program(&p, (run_any *)run, source, to[1], wide);
		while (i < PAGE / (int)real && (memcmp(to[0] + i * real, to[1] + i * real, real) == 0 ||
						(isnan(real_at(to[0], i, wide)) && isnan(real_at(to[1], i, wide)))))
			i++;
		ck_assert_msg(i == PAGE / (int)real, "%s, %d bytes, instruction %d, round %d: result %d is %g, not %g",
			      set->instructions, (int)real, op, round, i - 64, real_at(to[1], i, wide),
			      real_at(to[0], i, wide));
		free_map_code(code);
	}
}

/* A page that ends where another one begins that is closed. */
static char *make_page(void)
{
	char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(at != MAP_FAILED && mprotect(at + PAGE, PAGE, PROT_NONE) == 0);
	return at;
}

START_TEST(instructions)
{
	const bool wide = _i & 1;
	const struct tile_set *set = find_tile_set(wide ? sizeof(double) : sizeof(float), _i & 2 ? "avx512" : "avx2");
	char *source[SOURCES], *to[2] = {make_page(), make_page()};
	seed = (uint64_t)_i + 1;
	for (int k = 0; k < SOURCES; k++) {
		source[k] = make_page();
		for (int i = 0; i < PAGE / (wide ? 8 : 4); i++)
			set_real(source[k], i, wide, draw(17) / 4.0 - 2);
	}
	for (int op = NN_MAP_LOAD; op < NN_MAP_OPS && set; op++)
		if (op < NN_MAP_TOTAL_SUM || op > NN_MAP_TOTAL_MAX)
			check_instruction(set, op, wide, source, to);
	for (int k = 0; k < SOURCES; k++)
		munmap(source[k], 2 * PAGE);
	munmap(to[0], 2 * PAGE);
	munmap(to[1], 2 * PAGE);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("map_code");
	tcase_add_loop_test(t, instructions, 0, 4);
	return run_tests("map_code", (TCase *[]){t, NULL});
}
