/* emit_random.c - the routines that generated code may need: small integers, shares of threads, totals of lanes, random
 * numbers, inverse_erf.
 *
 * Only what is called is written. Random numbers are Philox4x32-10 (Salmon et al., Parallel random numbers: as easy as
 * 1, 2, 3, 2011): a keyed function of (row, element, step), so that any draw can be made without the others, by any
 * thread. The key is the seed and the name of the place where the draw stands. A uniform number has 24 random bits
 * in every real type, so that a model's initial weights agree between float and double. */
#include "emit_parts.h"

#include <math.h>

static void write_text(struct emitter *e, const char *const *lines)
{
	write_blank(e);
	for (; *lines; lines++)
		write_line(e, "%s", *lines);
}

static void write_integers(struct emitter *e)
{
	bool both = e->helps[HELP_SMALLER] || e->helps[HELP_LARGER] || e->helps[HELP_DIVIDE] || e->helps[HELP_MODULO];

	if (both)
		write_blank(e);
	if (e->helps[HELP_SMALLER])
		write_line(e, "static inline int smaller(int a, int b) { return a < b ? a : b; }");
	if (e->helps[HELP_LARGER])
		write_line(e, "static inline int larger(int a, int b) { return a > b ? a : b; }");
	if (e->helps[HELP_DIVIDE])
		write_line(
			e,
			"static inline int divide(int a, int b) { return a / b - (a %% b != 0 && (a < 0) != (b < 0)); } "
			"/* rounds down */");
	if (e->helps[HELP_MODULO])
		write_line(
			e,
			"static inline int modulo(int a, int b) { return a %% b + (a %% b != 0 && (a < 0) != (b < 0) ? b : 0); } "
			"/* has b's sign */");
}

/* How threads share n elements of which `unit` are made together; the last one has what is left. */
static void write_share(struct emitter *e)
{
	static const char *const lines[] = {
		"/* Where the share of a thread begins, in whole units: of this one, or of the next. */",
		"static int share_start(const nn_team *team, int next, int n, int unit)",
		"{",
		"\tconst int part = team->part + next;",
		"\treturn part == team->parts ? n : (int)((long long)(n / unit) * part / team->parts) * unit;",
		"}",
		NULL,
	};

	if (e->helps[HELP_SHARE])
		write_text(e, lines);
}

static void write_words(struct emitter *e)
{
	static const char *const lines[] = {
		"/* Four random words for an element of a row (Philox4x32-10, counter-based): a function of the seed, the step,",
		" * the place in the model and the element, so that no order and no state of a generator matters. */",
		"static void random_words(const nn_run *run, uint64_t place, int row, int element, uint32_t word[4])",
		"{",
		"\tuint64_t key = run->seed ^ place;",
		"\tuint32_t key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);",
		"",
		"\tword[0] = (uint32_t)element;",
		"\tword[1] = (uint32_t)row;",
		"\tword[2] = (uint32_t)run->step;",
		"\tword[3] = 0;",
		"\tfor (int round = 0; round < 10; round++) {",
		"\t\tuint64_t a = (uint64_t)0xD2511F53u * word[0], b = (uint64_t)0xCD9E8D57u * word[2];",
		"",
		"\t\tword[0] = (uint32_t)(b >> 32) ^ word[1] ^ key0;",
		"\t\tword[1] = (uint32_t)b;",
		"\t\tword[2] = (uint32_t)(a >> 32) ^ word[3] ^ key1;",
		"\t\tword[3] = (uint32_t)a;",
		"\t\tkey0 += 0x9E3779B9u;",
		"\t\tkey1 += 0xBB67AE85u;",
		"\t}",
		"}",
		NULL,
	};

	if (e->options->freestanding) /* the host has it, and made by a better compiler (random.c) */
		write_line(
			e,
			"void random_words(const nn_run *run, uint64_t place, int row, int element, uint32_t word[4]);");
	else
		write_text(e, lines);
}

/* Those of a whole loop, by the host (emit_draws.c). */
static void write_draws_ahead(struct emitter *e)
{
	static const char *const names[] = {[DRAW_UNIFORM] = "uniform", [DRAW_NORMAL] = "normal"};

	for (int i = 0; i < 2; i++)
		if (e->draws_ahead[i])
			write_line(
				e,
				"void nn_%s%s(const nn_run *run, uint64_t place, int row, int first, int count, %s scale, "
				"%s shift, %s *to);",
				names[i], e->suffix, e->real, e->real, e->real);
}

static void write_draws(struct emitter *e)
{
	const char *unit, *one;

	if (!e->helps[HELP_UNIFORM] && !e->helps[HELP_NORMAL])
		return;
	unit = real_literal(e, 0x1p-24);
	one = real_literal(e, 1);
	if (e->helps[HELP_UNIFORM]) {
		write_blank(e);
		write_comment(e, "Uniform in [0, 1), a multiple of 2^-24.");
		write_line(e, "static inline %s uniform(const nn_run *run, uint64_t place, int row, int element)",
			   e->real);
		open_block(e, "{");
		write_line(e, "uint32_t word[4];");
		write_blank(e);
		write_line(e, "random_words(run, place, row, element, word);");
		write_line(e, "return (%s)(int32_t)(word[0] >> 8) * %s;", e->real, unit);
		close_block(e, "}");
	}
	if (!e->helps[HELP_NORMAL])
		return;
	write_blank(e);
	write_comment(e, "Normal with mean 0 and deviation 1 (Box and Muller).");
	write_line(e, "static %s normal(const nn_run *run, uint64_t place, int row, int element)", e->real);
	open_block(e, "{");
	write_line(e, "uint32_t word[4];");
	write_line(e, "%s radius, angle;", e->real);
	write_blank(e);
	write_line(e, "random_words(run, place, row, element, word);");
	write_line(e, "radius = ((%s)(int32_t)(word[0] >> 8) + %s) * %s; /* in (0, 1] */", e->real, one, unit);
	write_line(e, "angle = (%s)(int32_t)(word[1] >> 8) * %s;", e->real,
		   real_literal(e, 2 * 3.14159265358979323846 * 0x1p-24));
	write_line(e, "return %s(%s * %s(radius)) * %s(angle);", math_name(e, "sqrt", 1), real_literal(e, -2),
		   math_name(e, "log", 1), math_name(e, "cos", 1));
	close_block(e, "}");
}

/* In the middle M. Giles' polynomial (Approximating the erfinv function, 2010), good to single precision, and Newton's
 * steps on erf; at the ends, where erf hardly moves, the leading term of erfc's expansion and steps on its logarithm.
 */
static void write_inverse_erf(struct emitter *e)
{
	static const double c[] = {2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
				   -0.00125372503, -0.00417768164, 0.246640727,	   1.50140941};
	const char *one = real_literal(e, 1), *log = math_name(e, "log", 1), *exp = math_name(e, "exp", 1);
	const char *slope = real_literal(e, 0.88622692545275801365), *pi = real_literal(e, 3.14159265358979323846);
	int steps = e->real_kind == NNC_QUAD ? 5 : 3;

	write_blank(e);
	write_comment(e, "The x with erf(x) = y, by Newton's method.");
	write_line(e, "static %s inverse_erf(%s y)", e->real, e->real);
	open_block(e, "{");
	write_line(e, "const %s rest = %s - %s(y); /* erfc of the result's size */", e->real, one,
		   math_name(e, "fabs", 1));
	write_line(e, "%s w = -%s(rest * (%s + %s(y))), x = %s;", e->real, log, one, math_name(e, "fabs", 1),
		   real_literal(e, c[0]));
	write_blank(e);
	write_line(e, "if (!(rest > %s))", real_literal(e, 0));
	write_line(e, "\treturn y * w; /* an infinity, or outside of [-1, 1] not a number */");
	open_block(e, "if (w < %s) {", real_literal(e, 5));
	write_line(e, "w = w - %s;", real_literal(e, 2.5));
	for (int i = 1; i < 9; i++)
		write_line(e, "x = x * w + %s;", real_literal(e, c[i]));
	write_line(e, "x = x * y;");
	open_block(e, "for (int step = 0; step < %d; step++) {", steps);
	write_line(e, "x -= (%s(x) - y) * %s * %s(x * x);", math_name(e, "erf", 1), slope, exp);
	close_block(e, "}");
	write_line(e, "return x;");
	close_block(e, "}");
	write_line(e, "w = -%s(rest);", log);
	write_line(e, "x = %s(w - %s * %s(%s * w));", math_name(e, "sqrt", 1), real_literal(e, 0.5), log, pi);
	open_block(e, "for (int step = 0; step < %d; step++) {", steps);
	write_line(e, "x += (%s(%s(x)) + w) * %s(x) * %s * %s(x * x);", log, math_name(e, "erfc", 1),
		   math_name(e, "erfc", 1), slope, exp);
	close_block(e, "}");
	write_line(e, "return y < %s ? -x : x;", real_literal(e, 0));
	close_block(e, "}");
}

void write_helpers(struct emitter *e)
{
	write_integers(e);
	write_share(e);
	if (e->helps[HELP_ADD_LANES])
		write_add_lanes(e);
	if (e->helps[HELP_UNIFORM] || e->helps[HELP_NORMAL])
		write_words(e);
	write_draws(e);
	write_draws_ahead(e);
	write_fast_math(e);
	write_tile_routines(e);
	write_map_routine(e);
	if (e->helps[HELP_ERFINV])
		write_inverse_erf(e);
}
