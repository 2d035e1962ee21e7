/* emit_tile_routine.c - the routine that computes a tile, and the one that fills its panels, in a file of C: the
 * templates once for each number of lanes, and what they need. */
#include "emit_tile.h"

#include <string.h>

#include "builtin.h"

int find_routine(struct emitter *e, const struct tile *tile)
{
	struct tile_lanes lanes = {{0}};

	for (int t = 0; t < e->p->n_machine; t++)
		lanes.on[t] = tile->size[t].lanes;
	for (int i = 0; i < e->tile_lanes.n; i++)
		if (memcmp(&e->tile_lanes.item[i], &lanes, sizeof lanes) == 0)
			return i + 1;
	list_add(e->arena, &e->tile_lanes, lanes);
	return e->tile_lanes.n;
}

static const char idea[] =
	"/* A tile of a sum of products: its results stay in registers while the sums run. Result number i stands in row\n"
	" * i / columns; a row (column) may belong to two indices, of which the first has `split` values in the tile.";

/* For every machine. */
static const char pick_one[] =
	"\n * Where the compiler knows no vectors, or NN_PLAIN_LOOPS is defined, plain loops do the same. */\n"
	"#if defined(__GNUC__) && !defined(__TINYC__) && !defined(NN_PLAIN_LOOPS)\n"
	"#if defined(__AVX512F__)\n"
	"#define TILE_PICK(avx512, avx2, sse2, neon) avx512\n"
	"#elif defined(__AVX2__) && defined(__FMA__)\n"
	"#define TILE_PICK(avx512, avx2, sse2, neon) avx2\n"
	"#elif defined(__SSE2__)\n"
	"#define TILE_PICK(avx512, avx2, sse2, neon) sse2\n"
	"#elif defined(__aarch64__)\n"
	"#define TILE_PICK(avx512, avx2, sse2, neon) neon\n"
	"#endif\n"
	"#endif\n"
	"#ifdef TILE_PICK\n";

/* For one: what its compiler defines, and how it is told to. */
static const struct {
	const char *name, *macros, *needs;
} known[TARGET_COUNT] = {
	[TARGET_AVX512] = {"avx512", "defined(__AVX512F__)", "-mavx512f"},
	[TARGET_AVX2] = {"avx2", "defined(__AVX2__) && defined(__FMA__)", "-mavx2 -mfma"},
	[TARGET_SSE2] = {"sse2", "defined(__SSE2__)", "-msse2"},
	[TARGET_NEON] = {"neon", "defined(__aarch64__)", "an AArch64 machine"},
};

static const char *const head[] = {
	"struct tile {",
	"\tint split[2];               /* of rows, of columns */",
	"\tint a_row[2], t_row[2];     /* steps from row to row in A and in T */",
	"\tint b_col[2], t_col[2];     /* from column to column in B and in T */",
	"\tint trips[3];               /* of the inner sums, innermost first */",
	"\tint a_sum[4], b_sum[4];     /* their steps; the last is the outermost sum's */",
	"\tint ahead;                  /* steps by which B is asked for before it is read, or 0 */",
	"\tint ask;                    /* elements by which a step goes on in what is read later, or 0 */",
	"\tint tail;                   /* dot products: elements beyond whole vectors */",
	"\tint adds;                   /* to what T was */",
	"\tint far;                    /* T is: it is asked for while the sums run */",
	"};",
	"#define TILE_AT(step, i, split) ((i) % (split) * (step)[0] + (i) / (split) * (step)[1])",
	"#if defined(__clang__)",
	"#define TILE_INLINE static inline __attribute__((unused, always_inline, min_vector_width(512)))",
	"#define TILE_APART static __attribute__((unused, noinline, min_vector_width(512)))",
	"#define TILE_UNROLL _Pragma(\"clang loop unroll(full)\")",
	"#define TILE_UNROLL_4 _Pragma(\"clang loop unroll_count(4)\")",
	"#define TILE_HOLD(vector) (void)0",
	"#else",
	"#define TILE_INLINE static inline __attribute__((unused, always_inline))",
	"#define TILE_APART static __attribute__((unused, noinline))",
	"#define TILE_UNROLL _Pragma(\"GCC unroll 32\")",
	"#define TILE_UNROLL_4 _Pragma(\"GCC unroll 4\")",
	"#if defined(__aarch64__)",
	"#define TILE_HOLD(vector) __asm__(\"\" : \"+w\"(vector)) /* in a register: else each use may load it again */",
	"#elif defined(__AVX512F__)",
	"#define TILE_HOLD(vector) __asm__(\"\" : \"+v\"(vector))",
	"#else",
	"#define TILE_HOLD(vector) (void)0 /* registers are few */",
	"#endif",
	"#endif",
	"#define TILE_LINE(real) (64 / (int)sizeof(real)) /* elements in a line of the cache */",
	"#if defined(__clang__) || __GNUC__ >= 12",
	"#define TILE_SHUFFLE(mask, x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)",
	"#else",
	"#define TILE_SHUFFLE(mask, x, y, ...) __builtin_shuffle(x, y, (mask){__VA_ARGS__})",
	"#endif",
	"#define TILE_NUMBERS_2(from, by) from, from + by",
	"#define TILE_NUMBERS_4(from, by) TILE_NUMBERS_2(from, by), TILE_NUMBERS_2(from + 2 * by, by)",
	"#define TILE_NUMBERS_8(from, by) TILE_NUMBERS_4(from, by), TILE_NUMBERS_4(from + 4 * by, by)",
	"#define TILE_NUMBERS_16(from, by) TILE_NUMBERS_8(from, by), TILE_NUMBERS_8(from + 8 * by, by)",
};

static const char *const panel_head[] = {
	"struct filling { /* an operand, in the order in which a tile reads it */",
	"\tint trips[3], step[4]; /* of the sums, as those of a tile */",
	"\tint run, place[2];      /* elements side by side, as many of one index, then groups of them */",
	"};",
	"#define PANEL_LANES_2(from, by) from, (from) + (by)",
	"#define PANEL_LANES_4(from, by) PANEL_LANES_2(from, by), PANEL_LANES_2((from) + 1, by)",
	"#define PANEL_LANES_8(from, by) PANEL_LANES_4(from, by), PANEL_LANES_4((from) + 2, by)",
	"#define PANEL_LANES_16(from, by) PANEL_LANES_8(from, by), PANEL_LANES_8((from) + 4, by)",
};

static bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }

/* What TILE_LIST_1 and its like stand for: as many numbers as there are lanes. */
static void define_list(struct emitter *e, const char *name, const char *numbers, const char *args, int routine)
{
	const struct tile_lanes *lanes = &e->tile_lanes.item[routine - 1];

	text_printf(e->out, "#define %s_%d(from%s) ", name, routine, strstr(args, "by") ? ", by" : "");
	text_add(e->out, e->p->n_machine > 1 ? "TILE_PICK(" : "");
	for (int t = 0; t < e->p->n_machine; t++)
		text_printf(e->out, "%s%s_%d(%s)", t ? ", " : "", numbers, (int)lanes->on[t], args);
	text_add(e->out, e->p->n_machine > 1 ? ")\n" : "\n");
}

/* A template with its words replaced. */
static void write_template(struct emitter *e, const char *template, int routine)
{
	const struct {
		const char *word, *text;
	} words[] = {
		{"NUMBER", number(e, routine)},
		{"LANES", pick(e, e->tile_lanes.item[routine - 1].on)},
		{"REAL", e->real},
		{"INTEGER", e->real_kind == NNC_FLOAT ? "int32_t" : "int64_t"},
	};

	for (const char *at = strstr(template, "*/\n") + 3; *at;) {
		size_t n = 0, letters = 0;

		while (at[n] && !is_capital(at[n]))
			n++;
		text_add_bytes(e->out, at, n);
		at += n;
		while (is_capital(at[letters]))
			letters++;
		for (size_t w = 0; letters && w < sizeof words / sizeof *words; w++)
			if (strncmp(at, words[w].word, strlen(words[w].word)) == 0) {
				text_add(e->out, words[w].text);
				at += strlen(words[w].word);
				letters = 0;
			}
		text_add_bytes(e->out, at, letters);
		at += letters;
	}
}

/* Steps of a sum at a time: with few registers they are so short that to count them is a tenth of the work. And where
 * gcc unrolls a short sum whole, it mixes the steps, and moves their results from register to register and to memory;
 * so does clang with single steps. */
static void define_steps(struct emitter *e)
{
	int64_t steps[TARGET_COUNT];

	for (int t = 0; t < e->p->n_machine; t++)
		steps[t] = is_narrow(&e->p->machine[t]) ? 16 : 1;
	text_printf(e->out, "#define TILE_STEPS %s /* of a sum at a time */\n", pick(e, steps));
	text_add(e->out, "#if TILE_STEPS > 1 && !defined(__clang__)\n"
			 "#define TILE_ROLL _Pragma(\"GCC unroll 1\")\n"
			 "#elif TILE_STEPS == 1 && defined(__clang__)\n"
			 "#define TILE_ROLL _Pragma(\"clang loop unroll(disable)\")\n"
			 "#else\n"
			 "#define TILE_ROLL\n"
			 "#endif\n");
}

static void write_head(struct emitter *e, bool all)
{
	enum nnc_target target = e->g->ctx->options->target;
	int only = (int)target - NNC_TARGET_AVX512;

	text_add(e->out, idea);
	if (all)
		text_add(e->out, pick_one);
	else
		text_printf(e->out,
			    " */\n#if !defined(__GNUC__) || defined(__TINYC__) || !(%s)\n"
			    "#error \"made by nnc --target=%s: needs gcc or clang, for %s\"\n#endif\n",
			    known[only].macros, known[only].name, known[only].needs);
	for (size_t i = 0; i < sizeof head / sizeof *head; i++)
		text_printf(e->out, "%s\n", head[i]);
	define_steps(e);
	for (size_t i = 0; e->uses_panels && i < sizeof panel_head / sizeof *panel_head; i++)
		text_printf(e->out, "%s\n", panel_head[i]);
}

void write_tile_routines(struct emitter *e)
{
	bool all = e->p->n_machine > 1;

	if (!e->uses_tiles)
		return;
	write_blank(e);
	if (e->options->tiles) {
		declare_routines(e);
		return;
	}
	write_head(e, all);
	for (int routine = 1; routine <= e->tile_lanes.n; routine++) {
		write_blank(e);
		define_list(e, "TILE_LIST", "TILE_NUMBERS", "from, by", routine);
		if (e->uses_panels)
			define_list(e, "PANEL_PAIRS", "PANEL_LANES", arena_printf(e->arena, "from, lanes_%d", routine),
				    routine);
		write_template(e, tile_template_text(), routine);
		if (e->uses_adds)
			write_template(e, add_template_text(), routine);
		if (e->uses_panels)
			write_template(e, panel_template_text(), routine);
		if (e->uses_across)
			write_template(e, across_template_text(), routine);
	}
	if (all && e->uses_blocks)
		text_add(e->out, "#define BLOCK_PICK TILE_PICK\n#else\n"
				 "#define BLOCK_PICK(avx512, avx2, sse2, neon) neon\n");
	if (all)
		text_add(e->out, "#endif\n");
}
