/* front.c - the front end: arena and what grows in it, messages, scanning and parsing. */
#include "builtin.h"
#include "suite.h"
#include "syntax.h"

#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One context a test; messages are gathered as lines "line:column-end severity: text". */
static struct context ctx;
static struct text said;
static nnc_options options;
static jmp_buf out_of_memory;

/* The host's allocator, which can be told to fail and knows what is not freed. */
static struct memory {
	long live, calls, fail_at;
} memory;

static void *allocate(void *user, void *block, size_t size)
{
	(void)user;
	if (size == 0) {
		memory.live -= block != NULL;
		free(block);
		return NULL;
	}
	if (++memory.calls == memory.fail_at)
		return NULL;
	memory.live += block == NULL;
	return realloc(block, size);
}

static void gather(void *user, const nnc_message *m)
{
	static const char *const severity[] = {"error", "warning", "note"};
	(void)user;
	ck_assert(m->line == 0 || m->column_end > m->column);
	text_printf(&said, "%d:%d-%d %s: %s\n", m->line, m->column, m->column_end, severity[m->severity], m->text);
}

static void setup(void)
{
	memory = (struct memory){0};
	options = (nnc_options){.report = gather};
	memset(&ctx, 0, sizeof ctx);
	ctx.options = &options;
	arena_init(&ctx.arena, allocate, NULL);
	ctx.arena.unwind = &out_of_memory;
	said = (struct text){.arena = &ctx.arena};
	if (setjmp(out_of_memory))
		ck_abort_msg("out of memory");
}

static void teardown(void)
{
	arena_free(&ctx.arena);
	ck_assert_int_eq(memory.live, 0);
}

static void restart(void)
{
	teardown();
	setup();
}

static struct node *parse_bytes(const char *text, size_t size)
{
	return parse_source(&ctx, add_source(&ctx, "test.nn", text, size, false));
}

static struct node *parse(const char *text) { return parse_bytes(text, strlen(text)); }

static const char *dump(const struct node *node)
{
	struct text text = {.arena = &ctx.arena};
	dump_tree(node, &text);
	return text.at;
}

static const char *messages(void) { return said.at ? said.at : ""; }

/* ---- arena, list, text, table ---- */

START_TEST(arena_gives_zeroed_aligned_memory)
{
	for (size_t size = 0; size < 70000; size = size * 2 + 1) {
		unsigned char *at = arena_alloc(&ctx.arena, size);
		ck_assert_uint_eq((uintptr_t)at % 16, 0);
		for (size_t i = 0; i < size; i++)
			ck_assert_uint_eq(at[i], 0);
		memset(at, 0xff, size);
	}
}
END_TEST

START_TEST(arena_keeps_its_block_beside_a_large_one)
{
	char *first = arena_alloc(&ctx.arena, 16);
	arena_alloc(&ctx.arena, 1 << 20);
	ck_assert_ptr_eq(arena_alloc(&ctx.arena, 16), first + 16);
}
END_TEST

static volatile int unwound;

START_TEST(arena_unwinds_on_overflow)
{
	static const size_t count[] = {SIZE_MAX / 4, SIZE_MAX, SIZE_MAX, 1}, size[] = {8, 1, SIZE_MAX, SIZE_MAX - 15};
	unwound = 0;
	for (volatile size_t i = 0; i < sizeof count / sizeof *count; i++) {
		if (setjmp(out_of_memory))
			unwound++;
		else
			arena_array(&ctx.arena, count[i], size[i]);
	}
	ck_assert_int_eq(unwound, 4);
	arena_array(&ctx.arena, SIZE_MAX, 0);
}
END_TEST

START_TEST(list_grows)
{
	LIST(int) list = {0};
	for (int i = 0; i < 10000; i++)
		list_add(&ctx.arena, &list, i * 3);
	ck_assert_int_eq(list.n, 10000);
	for (int i = 0; i < list.n; i++)
		ck_assert_int_eq(list.item[i], i * 3);
}
END_TEST

START_TEST(text_grows)
{
	struct text text = {.arena = &ctx.arena};
	for (int i = 0; i < 1000; i++) {
		text_add(&text, "ab");
		text_add_bytes(&text, "", 0);
		text_printf(&text, "%d%s", i % 10, "c");
	}
	ck_assert_uint_eq(text.n, 4000);
	ck_assert_uint_eq(strlen(text.at), 4000);
	ck_assert_int_eq(strncmp(text.at + 3996, "ab9c", 5), 0);
	ck_assert_str_eq(arena_printf(&ctx.arena, "%s", ""), "");
	char *wide = arena_printf(&ctx.arena, "%500d", 7);
	ck_assert_uint_eq(strlen(wide), 500);
}
END_TEST

/* What text_printf does itself and what it asks the C library for are alike. */
#define SAME(...)                                                                                                      \
	do {                                                                                                           \
		char expected[200];                                                                                    \
		snprintf(expected, sizeof expected, __VA_ARGS__);                                                      \
		ck_assert_str_eq(arena_printf(&ctx.arena, __VA_ARGS__), expected);                                     \
	} while (0)
START_TEST(text_printf_is_printf)
{
	SAME("%%");
	SAME("%s and %s", "", "one");
	SAME("%c%c", 'a', 'b');
	SAME("%.*s|%.*s|%.*s", 2, "abc", 5, "abc", 0, "abc");
	SAME("%.100s|%-5s|%5s|%*s|%-*s|", "ab", "ab", "ab", 4, "ab", 4, "ab");
	SAME("%d %d %d %d", 0, -1, INT_MIN, INT_MAX);
	SAME("%u %x %o %02x %03o", UINT_MAX, 255u, 8u, 10u, 8u);
	SAME("%lld %lld %llu %ld %lu", (long long)INT64_MIN, (long long)INT64_MAX, (unsigned long long)UINT64_MAX, -1L,
	     1ul);
	SAME("%zu %jd %td", sizeof expected, (intmax_t)-5, (ptrdiff_t)-6);
	SAME("%5d|%-5d|%+d|% d|%05d|%.3d", 42, 42, 42, 42, 42, 42);
	SAME("%016llx", 0x123456789abcdefull);
	SAME("%g %.9g %.*g %11.1e %.0f %.2Le %a", 0.1, 0.1, 3, 0.12345, 1e10, 2.5, 1.25L, 0.5);
	SAME("%d%s%g%s%d", 1, "x", 2.5, "y", 3);
}
END_TEST

/* What a text did not need is used again, and is clean. */
START_TEST(texts_leave_no_hole)
{
	const char *first = arena_printf(&ctx.arena, "%s", "abc"), *second = arena_printf(&ctx.arena, "%d", 12);
	ck_assert_ptr_eq(second, first + 16);
	const char *rest = arena_alloc(&ctx.arena, 4096);
	for (int i = 0; i < 4096; i++)
		ck_assert_int_eq(rest[i], 0);
}
END_TEST

/* The last thing in the arena grows where it stands, without a hole, until the block ends. */
START_TEST(what_is_last_grows_in_place)
{
	LIST(int) list = {0};
	list_add(&ctx.arena, &list, 0);
	const int *at = list.item;
	for (int i = 1; i < 1000; i++)
		list_add(&ctx.arena, &list, i);
	ck_assert_ptr_eq(list.item, at);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(list.item[i], i);
	for (int i = list.n; i < list.room; i++)
		ck_assert_int_eq(list.item[i], 0);
	arena_alloc(&ctx.arena, 1);
	for (int i = 1000; i < 2000; i++)
		list_add(&ctx.arena, &list, i);
	ck_assert_ptr_ne(list.item, at);
	ck_assert_int_eq(at[999], 999);
}
END_TEST

static const struct {
	double value;
	const char *text;
} reals[] = {{0, "0"},
	     {-0.0, "-0"},
	     {0.1, "0.1"},
	     {1e-5, "1e-05"},
	     {-3, "-3"},
	     {100000, "1e+05"},
	     {123456, "123456"},
	     {1e22, "1e+22"},
	     {1.0 / 3, "0.3333333333333333"},
	     {5e-324, "5e-324"},
	     {2.5e-310, "2.5e-310"},
	     {1.7976931348623157e308, "1.7976931348623157e+308"},
	     {123456789012345.6, "123456789012345.6"},
	     {0.1 + 0.2, "0.30000000000000004"},
	     {INFINITY, "inf"},
	     {-INFINITY, "-inf"},
	     {NAN, "nan"}};

static void check_reals(void)
{
	for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
		struct text text = {.arena = &ctx.arena};
		text_add_real(&text, reals[i].value);
		ck_assert_str_eq(text.at, reals[i].text);
		if (isfinite(reals[i].value))
			ck_assert_double_eq(read_real(&ctx.arena, text.at, text.n), reals[i].value);
	}
	ck_assert_double_eq(read_real(&ctx.arena, "1.25e-1xyz", 7), 0.125);
	struct node *tree = parse("x = 2.5 + .5 + 1e-3");
	ck_assert_ptr_nonnull(tree);
	ck_assert_double_eq(tree->kid[0]->kid[1]->kid[0]->kid[0]->real, 2.5);
}

START_TEST(reals_are_shortest_and_read_back) { check_reals(); }
END_TEST

START_TEST(reals_have_a_point_in_every_locale)
{
	static const char *const comma[] = {"de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8", "fr_FR.utf8"};
	for (size_t i = 0; i < sizeof comma / sizeof *comma; i++)
		if (setlocale(LC_NUMERIC, comma[i]))
			break;
	check_reals();
	setlocale(LC_NUMERIC, "C");
}
END_TEST

START_TEST(table_keeps_order)
{
	struct table table = {.arena = &ctx.arena};
	static int value[1000];
	ck_assert_ptr_null(table_get(&table, "k0"));
	for (int i = 0; i < 1000; i++)
		table_set(&table, arena_printf(&ctx.arena, "k%d", i), &value[i]);
	table_set(&table, "k500", &value[0]);
	ck_assert_int_eq(table.entries.n, 1000);
	ck_assert_str_eq(table.entries.item[999].key, "k999");
	ck_assert_ptr_eq(table_get(&table, "k999"), &value[999]);
	ck_assert_ptr_eq(table_get(&table, "k500"), &value[0]);
	ck_assert_ptr_eq(table.entries.item[500].value, &value[0]);
	ck_assert_ptr_null(table_get(&table, "k1000"));
}
END_TEST

/* ---- messages ---- */

START_TEST(places_count_characters)
{
	static const struct {
		uint32_t byte;
		int line, column;
	} place[] = {{0, 1, 1}, {1, 1, 2}, {3, 1, 3}, {5, 1, 5}, {6, 2, 1}, {7, 3, 1}, {9, 3, 3}, {99, 3, 3}};
	struct source *src = add_source(&ctx, "s", "h\xc3\xa9ll\n\nab", 9, false);
	for (size_t i = 0; i < sizeof place / sizeof *place; i++) {
		int line, column;
		find_place(src, place[i].byte, &line, &column);
		ck_assert_int_eq(line, place[i].line);
		ck_assert_int_eq(column, place[i].column);
	}
}
END_TEST

START_TEST(spans_are_clipped_to_their_line)
{
	struct source *src = add_source(&ctx, "s", "ab\r\ncd", 6, false);
	report_error(&ctx, (struct span){src, 1, 6}, "one");
	report_error(&ctx, (struct span){src, 6, 6}, "two %d", 2);
	report_warning(&ctx, (struct span){0}, "group", "three");
	ck_assert_str_eq(messages(), "1:2-3 error: one\n2:3-4 error: two 2\n0:0-0 warning: three\n");
	ck_assert_int_eq(ctx.errors, 2);
	ck_assert_int_eq(ctx.warnings, 1);
}
END_TEST

START_TEST(only_twenty_errors_are_shown)
{
	for (int i = 0; i < 25; i++) {
		report_error(&ctx, (struct span){0}, "e%c", 'a' + i);
		report_note(&ctx, (struct span){0}, "n");
		report_error(&ctx, (struct span){0}, "e%c", 'a' + i); /* said already */
		report_note(&ctx, (struct span){0}, "n");
	}
	ck_assert_int_eq(ctx.errors, 50);
	ck_assert_int_eq(ctx.distinct, 30);
	ck_assert_uint_eq(said.n, 20 * (strlen("0:0-0 error: ea\n") + strlen("0:0-0 note: n\n")));
}
END_TEST

START_TEST(nearest_names)
{
	static const char *const names[] = {"weight", "bias", "x", "units", "cross_entropy"};
	static const char *const pairs[][2] = {
		{"wieght", "weight"}, {"unit", "units"}, {"biass", "bias"}, {"X", "x"},
		{"q", NULL},	      {"", NULL},	 {"sofa", NULL},    {"crossentropie", "cross_entropy"}};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		const char *near = nearest_name(pairs[i][0], names, 5);
		if (pairs[i][1])
			ck_assert_pstr_eq(near, pairs[i][1]);
		else
			ck_assert_ptr_null(near);
	}
}
END_TEST

/* ---- trees ---- */

static const struct {
	const char *text, *tree;
} trees[] = {
	{"", "(block)"},
	{";;\n\n;", "(block)"},
	{"y = a + b * c", "(assign (items (lhs y -)) (+ a (* b c)))"},
	{"y = -x^2 - 2^-1", "(assign (items (lhs y -)) (- (neg (^ x 2)) (^ 2 (neg 1))))"},
	{"y = 2^3^4", "(assign (items (lhs y -)) (^ 2 (^ 3 4)))"},
	{"y = not a < b and c or d", "(assign (items (lhs y -)) (or (and (not (< a b)) c) d))"},
	{"y = a or b and not c", "(assign (items (lhs y -)) (or a (and b (not c))))"},
	{"y = a or b or c", "(assign (items (lhs y -)) (or (or a b) c))"},
	{"y = a // b % c @ d", "(assign (items (lhs y -)) (@ (% (// a b) c) d))"},
	{"y = a * sum[j] b[j] * c + d",
	 "(assign (items (lhs y -)) (+ (* a (reduce sum (items j) (* (at b (items j) -) c))) d))"},
	{"y = -sum[..] x", "(assign (items (lhs y -)) (neg (reduce sum (items ..) x)))"},
	{"y = sum (x) + max(a, b)", "(assign (items (lhs y -)) (+ (call sum (arg x)) (call max (arg a) (arg b))))"},
	{"y = x[i - 1 else 0]", "(assign (items (lhs y -)) (at x (items (- i 1)) 0))"},
	{"y = x[1:, :2, a:b:2, ..]",
	 "(assign (items (lhs y -)) (at x (items (slice 1 - -) (slice - 2 -) (slice a b 2) ..) -))"},
	{"y = (a @ b).T.S + w.T", "(assign (items (lhs y -)) (+ (member S (member T (@ a b))) w.T))"},
	{"y = ((1), (2, 3), (.., n))", "(assign (items (lhs y -)) (tuple 1 (tuple 2 3) (tuple .. n)))"},
	{"y = [[1], [x]]", "(assign (items (lhs y -)) (array (array 1) (array x)))"},
	{"y = if a then b else if c then d else e", "(assign (items (lhs y -)) (if a b (if c d e)))"},
	{"y = x -> f -> l: g(a, b=1)", "(assign (items (lhs y -)) (pipe x (f) (l: g (arg a) (arg b 1))))"},
	{"y = (x -> f) + f(x)", "(assign (items (lhs y -)) (+ (pipe x (f)) (call f (arg x))))"},
	{"a, b' = f(x)", "(assign (items (lhs a -) (lhs b' -)) (call f (arg x)))"},
	{"v'[i, j < 3] = h'[i]", "(assign (items (lhs v' (items i (< j 3)))) (at h' (items i) -))"},
	{"t[a[i], j] += 1", "(scatter t (items (at a (items i) -) j) 1)"},
	{"y = sum[p in \"*.w\"] p.grad", "(assign (items (lhs y -)) (reduce sum (items (match p \"*.w\")) p.grad))"},
	{"input x[3, 4], y: class[10], z[]",
	 "(declare input (var x (items 3 4) - - -) (var y - (type class (items 10)) - -) (var z (items) - - -))"},
	{"param w[n] ~ f(1), b = 0, e ~ g",
	 "(declare param (var w (items n) - - (call f (arg 1))) (var b - - 0 -) (var e - - - g))"},
	{"frozen param w[2]: int = 1", "(declare frozen (var w (items 2) (type int -) 1 -))"},
	{"state v[batch, 3] = 0", "(declare state (var v (items batch 3) - 0 -))"},
	{"target t", "(declare target (var t - - - -))"},
	{"setting r = 1", "(declare setting (var r - - 1 -))"},
	{"const N = 3, M = N", "(declare const (var N - - 3 -) (var M - - N -))"},
	{"output a, b = c + 1", "(output (arg a) (arg b (+ c 1)))"},
	{"metric f(a), e = g(b)", "(metric (arg (call f (arg a))) (arg e (call g (arg b))))"},
	{"layer L = f(3)", "(layer L (call f (arg 3)))"},
	{"loss a + b", "(loss (+ a b) -)"},
	{"loss d = a only \"D.*\", \"E\"", "(loss d a (items \"D.*\" \"E\"))"},
	{"maximize -x", "(loss maximize (neg x) -)"},
	{"train f(lr=1) epochs=2 clip=-1 only \"*\"",
	 "(train (call f (arg lr 1)) (items (arg epochs 2) (arg clip (neg 1))) (items \"*\"))"},
	{"train f()", "(train (call f) (items) -)"},
	{"include \"a.nn\"", "(include \"a.nn\")"},
	{"assert a == b, \"{a} is \\\"not\\\" {b}\\n\"", "(assert \"{a} is \\\"not\\\" {b}\\n\" (== a b))"},
	{"return a, b", "(return a b)"},
	{"def f() = 1", "(define def f (items) (block\n    (return 1)))"},
	{"def f(x[.., n]: real, k=2, ..) { return x }",
	 "(define def f (items (var x (items .. n) (type real -) - -) (var k - - 2 -) ..) (block\n    (return x)))"},
	{"optimizer o(r) { w' = w }",
	 "(define optimizer o (items (var r - - - -)) (block\n    (assign (items (lhs w' -)) w)))"},
	{"init i(w[..]) { return w }", "(define init i (items (var w (items ..) - - -)) (block\n    (return w)))"},
	{"repeat 3 { }", "(repeat 3 (block))"},
	{"repeat k < n + 1 { x = k; y = x }",
	 "(repeat k (+ n 1) (block\n    (assign (items (lhs x -)) k)\n    (assign (items (lhs y -)) x)))"},
	{"scan t < T { }", "(scan t T (items) (block))"},
	{"scan t < 3, h[n] = 0, c = 1 { h' = h }",
	 "(scan t 3 (items (carry h (items n) 0) (carry c - 1)) (block\n    (assign (items (lhs h' -)) h)))"},
	{"if a { } else if b { } else { x = 1 }",
	 "(ifblock a (block) (ifblock b (block) (block\n    (assign (items (lhs x -)) 1))))"},
	{"part forward { y = 1 }", "(part forward (block\n    (assign (items (lhs y -)) 1)))"},
	/* statement words are names elsewhere */
	{"loss = target + input.x", "(assign (items (lhs loss -)) (+ target input.x))"},
	{"init, train = f(output, param=1)",
	 "(assign (items (lhs init -) (lhs train -)) (call f (arg output) (arg param 1)))"},
	{"y = x +\n  loss * only", "(assign (items (lhs y -)) (+ x (* loss only)))"},
	{"state[i] = 1", "(assign (items (lhs state (items i))) 1)"},
	/* newlines */
	{"y = a\n\n  # comment\n  + b\n  -> f", "(assign (items (lhs y -)) (pipe (+ a b) (f)))"},
	{"y = f(a,\n b\n)", "(assign (items (lhs y -)) (call f (arg a) (arg b)))"},
	{"y = sum[i]\n  x[i]", "(assign (items (lhs y -)) (reduce sum (items i) (at x (items i) -)))"},
	{"y = if a\n  then b\n  else c", "(assign (items (lhs y -)) (if a b c))"},
	{"y = a\n  and b\n  <= c", "(assign (items (lhs y -)) (and a (<= b c)))"},
	{"if a {\n}\nelse {\n}\n", "(ifblock a (block) (block))"},
	{"y = 1; z = 2", "(assign (items (lhs y -)) 1)\n  (assign (items (lhs z -)) 2)"},
	{"\xef\xbb\xbfy = 1\r\nz = 2\r\n", "(assign (items (lhs y -)) 1)\n  (assign (items (lhs z -)) 2)"},
	{"y = \"\xc3\xa9\" # \xe2\x82\xac", "(assign (items (lhs y -)) \"\xc3\xa9\")"},
};

START_TEST(text_becomes_tree)
{
	const char *text = trees[_i].text, *want = trees[_i].tree;
	struct node *tree = parse(text);
	ck_assert_msg(tree != NULL, "%s\n%s", text, messages());
	if (strcmp(want, "(block)") != 0)
		want = arena_printf(&ctx.arena, "(block\n  %s)", want);
	ck_assert_msg(strcmp(dump(tree), want) == 0, "%s\n%s\nshould be\n%s", text, dump(tree), want);
	ck_assert_str_eq(messages(), "");
}
END_TEST

static void check_span(struct span at, const char *text)
{
	ck_assert_msg(at.end - at.begin == strlen(text) && !memcmp(at.src->text + at.begin, text, strlen(text)),
		      "%.*s is not %s", (int)(at.end - at.begin), at.src->text + at.begin, text);
}

START_TEST(nodes_know_their_place)
{
	struct node *tree = parse("y[i] = x -> l: f(a[2], b=1)\nparam w[3]: int = 1  # c");
	struct node *assign = tree->kid[0], *call = assign->kid[1], *var = tree->kid[1]->kid[0];
	check_span(assign->at, "y[i] = x -> l: f(a[2], b=1)");
	check_span(assign->kid[0]->kid[0]->at, "y[i]");
	check_span(assign->kid[0]->kid[0]->name_at, "y");
	check_span(call->at, "x -> l: f(a[2], b=1)");
	check_span(call->name_at, "f");
	check_span(call->kid[0]->at, "x");
	check_span(call->kid[1]->at, "a[2]");
	check_span(call->kid[2]->at, "b=1");
	check_span(call->kid[2]->name_at, "b");
	check_span(var->at, "w[3]: int = 1");
	check_span(var->name_at, "w");
	check_span(var->kid[0]->at, "[3]");
	check_span(var->kid[1]->name_at, "int");
	check_span(tree->kid[1]->name_at, "param");
	check_span(parse("z = (a + b).T")->kid[0]->kid[1]->name_at, "T");
	check_span(parse("z = a <= b")->kid[0]->kid[1]->name_at, "<=");
}
END_TEST

START_TEST(numbers_are_exact)
{
	struct node *array = parse("y = [9223372036854775807, 007, 1.0, 1e3, .5]")->kid[0]->kid[1];
	ck_assert(array->kid[0]->is_integer && array->kid[0]->integer == INT64_MAX);
	ck_assert(array->kid[1]->is_integer && array->kid[1]->integer == 7);
	ck_assert(!array->kid[2]->is_integer && array->kid[2]->real == 1);
	ck_assert(!array->kid[3]->is_integer && array->kid[3]->real == 1000);
	ck_assert(!array->kid[4]->is_integer && array->kid[4]->real == 0.5);
	ck_assert_str_eq(array->kid[4]->name, ".5");
}
END_TEST

START_TEST(documentation_goes_to_the_next_definition)
{
	struct node *tree = parse(
		"# title\n## not this\n\n## First.\n##\n##   More.\r\n#> f(1) = 2 # two\n#> f(\"}\") error \"no\"\n"
		"def f(x) = x\n# plain\ndef g() { }\n  ## Third\n  init h(w) { return w }\n");
	ck_assert_msg(tree != NULL, "%s", messages());
	ck_assert_str_eq(messages(), "");
	const struct node *f = tree->kid[0], *h = tree->kid[2];
	ck_assert_str_eq(f->doc, "First.\n\n  More.");
	ck_assert_int_eq(f->example.n, 2);
	ck_assert_str_eq(dump(f->example.item[0]), "(example (call f (arg 1)) 2)");
	ck_assert_str_eq(dump(f->example.item[1]), "(example \"no\" (call f (arg \"}\")) -)");
	check_span(f->example.item[0]->at, "f(1) = 2");
	check_span(f->example.item[1]->name_at, "\"no\"");
	ck_assert_ptr_null(tree->kid[1]->doc);
	ck_assert_str_eq(h->doc, "Third");
	ck_assert_str_eq(h->what, "init");
}
END_TEST

START_TEST(examples_of_nothing_are_warned_about)
{
	ck_assert_ptr_nonnull(parse("#> a = 1\n\ndef f() = 1\n#> b = 2\ny = 3 #> c = 3\n#> d = 4\n"));
	ck_assert_str_eq(messages(),
			 "1:3-9 warning: this example stands directly above no definition, so it is not run\n"
			 "4:3-9 warning: this example stands directly above no definition, so it is not run\n"
			 "5:7-15 warning: an example stands on a line of its own above a definition\n"
			 "6:3-9 warning: this example stands directly above no definition, so it is not run\n");
}
END_TEST

/* The list of the library's definitions has all of them, and each is parsed alone to the tree that it has in its file,
 * but for the documentation. */
START_TEST(outline_finds_definitions)
{
	struct source **library = arena_array(&ctx.arena, (size_t)builtin_source_count, sizeof *library);
	int count = 0;
	for (int f = 0; f < builtin_source_count; f++) {
		const struct builtin_source *file = &builtin_sources[f];
		struct node *whole = parse_source(&ctx, add_source(&ctx, file->name, file->text, file->size, true));
		for (int i = 0; i < whole->n; i++) {
			struct node *same = whole->kid[i];
			ck_assert_int_eq(same->kind, NODE_DEFINE);
			struct node *node = outline_definition(&ctx, library, same->what, same->name);
			ck_assert_msg(node != NULL, "%s", same->name);
			ck_assert_int_eq(node->n, 0);
			ck_assert_str_eq(node->name, same->name);
			ck_assert_str_eq(node->what, same->what);
			ck_assert_str_eq(node->at.src->name, file->name);
			ck_assert_uint_eq(node->name_at.begin, same->name_at.begin);
			ck_assert_uint_eq(node->name_at.end, same->name_at.end);
			ck_assert(complete_definition(&ctx, node) && complete_definition(&ctx, node));
			ck_assert_ptr_null(node->doc);
			same->doc = NULL;
			same->example.n = 0;
			ck_assert_str_eq(dump(node), dump(same));
			ck_assert_uint_eq(node->at.begin, same->at.begin);
			ck_assert_uint_eq(node->at.end, same->at.end);
			count++;
		}
	}
	ck_assert_int_eq(count, builtin_definition_count);
	ck_assert_ptr_null(outline_definition(&ctx, library, "def", "no_such"));
	ck_assert_ptr_null(outline_definition(&ctx, library, "init", "relu"));
	ck_assert_str_eq(messages(), "");
}
END_TEST

/* ---- what is no text of the language ---- */

static const struct {
	const char *text, *messages;
} faults[] = {
	{"y = x[i - 1] else 0",
	 "1:14-18 error: \"else\" after \"]\": the value for reads outside stands inside the brackets: x[i - 1 else 0]\n"},
	{"y = x + if c then 1 else 2", "1:9-11 error: \"if\" as an operand needs parentheses: (if c then a else b)\n"},
	{"y = a == not b", "1:10-13 error: \"not\" as an operand needs parentheses: (not a)\n"},
	{"def f(x) { return x",
	 "1:20-21 error: unexpected end of file: \"{\" is not closed\n1:10-11 note: the \"{\" is here\n"},
	{"y = (a, b", "1:10-11 error: unexpected end of file: \"(\" is not closed\n1:5-6 note: the \"(\" is here\n"},
	{"y = [1, 2)", "1:10-11 error: unexpected \")\", expected an operator, \",\" or \"]\"\n"},
	{"y = (1,\n 2\nz = 3\n",
	 "3:1-2 error: unexpected name, expected an operator, \")\" or \",\"\n1:5-6 note: the \"(\" is here\n"},
	{"loss", "1:5-6 error: unexpected end of file, expected \"=\", \",\" or \"[\"\n"},
	{"loss\n", "1:5-6 error: unexpected end of line, expected \"=\", \",\" or \"[\"\n"},
	{"y = sum[j] ", "1:11-12 error: unexpected end of file, expected an expression\n"},
	{"x -> relu", "1:3-5 error: a statement gives its value a name: y = x -> f\n"},
	{"a * b", "1:3-4 error: a statement gives its value a name: y = x -> f\n"},
	{"relu(x)", "1:5-6 error: a statement gives its value a name: y = x -> f\n"},
	{"y = a < b < c", "1:11-12 error: comparisons do not chain: a < b and b < c\n"},
	{"input = 3 4", "1:11-12 error: unexpected number, expected an operator or end of line\n"},
	{"if = 3", "1:4-5 error: unexpected \"=\", expected an expression\n"},
	{"mean[c] = 0", "1:1-5 error: \"mean\" is a reducer's name, so it cannot name a tensor\n"},
	{"input sum", "1:7-10 error: \"sum\" is a reducer's name, so it cannot name a tensor\n"},
	{"max, y = f(x)", "1:1-4 error: \"max\" is a reducer's name, so it cannot name a tensor\n"},
	{"y = x $ 2", "1:7-8 error: unexpected character \"$\"\n"},
	{"y = \xce\xb1", "1:5-6 error: unexpected \"\xce\xb1\": outside strings and comments all is ASCII\n"},
	{"y = f(a=1, 3)", "1:12-13 error: an argument without a name stands after one with a name\n"},
	{"y = \"open\nz = 1", "1:5-10 error: this string has no closing \"\n"},
	{"y = \"a\\t\"", "1:7-9 error: \"\\t\" is no escape: only \\\", \\\\ and \\n are\n"},
	{"y = 3x", "1:5-7 error: \"3x\" is neither a number nor a name\n"},
	{"y = 9223372036854775808", "1:5-24 error: the integer 9223372036854775808 does not fit in 64 bits\n"},
	{"y = 1e999", "1:5-10 error: the number 1e999 is larger than the largest double\n"},
	{"y = 2^sum[i] x[i]\nz = )",
	 "1:7-10 error: a reducer as an operand needs parentheses, unless it is the last factor: (sum[i] x[i]) + y\n"
	 "2:5-6 error: unexpected \")\", expected an expression\n"},
	{"input x: foo", "1:10-13 error: unknown type \"foo\": there are real, int, bool and class[n]\n"},
	{"input x: class", "1:10-15 error: a class type has its number of classes in brackets: class[10]\n"},
	{"input x: int[3]", "1:13-16 error: the shape stands after the name, not after the type: x[3]: int\n"},
	{"}", "1:1-2 error: unexpected \"}\", expected a statement\n"},
	{"#> f(1 = 2\ndef f(x) = x", "1:8-9 error: unexpected \"=\", expected an operator, \")\" or \",\"\n"},
	{"#> f(1)\ndef f(x) = x", "1:8-9 error: unexpected end of line, expected an operator, \"error\" or \"=\"\n"},
	/* several in one run: each statement and block is skipped alone */
	{"a = * 1\ndef f(x) {\n  b = )\n  c = 1 2; d = 3\n}\ne = 4 5\n",
	 "1:5-6 error: unexpected \"*\", expected an expression\n3:7-8 error: unexpected \")\", expected an expression\n"
	 "4:9-10 error: unexpected number, expected an operator, \"}\" or end of line\n"
	 "6:7-8 error: unexpected number, expected an operator or end of line\n"},
	{"def f(x {\n y = 1\n}\nz = 1 2",
	 "1:9-10 error: unexpected \"{\", expected \"=\", \")\", \",\", \"[\" or \":\"\n"
	 "4:7-8 error: unexpected number, expected an operator or end of line\n"},
};

START_TEST(faults_are_explained)
{
	const char *text = faults[_i].text;
	ck_assert_ptr_null(parse(text));
	ck_assert_msg(strcmp(messages(), faults[_i].messages) == 0, "%s\n%sshould be\n%s", text, messages(),
		      faults[_i].messages);
}
END_TEST

START_TEST(bytes_that_are_no_text)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *message;
	} text[] = {
		{"y = \0 1", 7, "1:5-6 error: byte 0x00 is no text but a control character\n"},
		{"# \x1b[1m", 6, "1:3-4 error: byte 0x1b is no text but a control character\n"},
		{"# \x7f", 3, "1:3-4 error: byte 0x7f is no text but a control character\n"},
		{"# \xff", 3, "1:3-4 error: byte 0xff is no text: the file is not UTF-8\n"},
		{"# \xc0\x80", 3, "1:3-4 error: byte 0xc0 is no text: the file is not UTF-8\n"},     /* overlong */
		{"# \xed\xa0\x80", 3, "1:3-4 error: byte 0xed is no text: the file is not UTF-8\n"}, /* surrogate */
		{"# \xf4\x90\x80\x80", 3,
		 "1:3-4 error: byte 0xf4 is no text: the file is not UTF-8\n"},			 /* above 10ffff */
		{"# \xe2\x82", 4, "1:3-4 error: byte 0xe2 is no text: the file is not UTF-8\n"}, /* cut off */
	};
	for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
		restart();
		ck_assert_ptr_null(parse_bytes(text[i].bytes, text[i].size));
		ck_assert_msg(strncmp(messages(), text[i].message, strlen(text[i].message)) == 0, "%s", messages());
	}
}
END_TEST

/* ---- size and depth ---- */

static char *repeat(int n, const char *before, const char *middle, const char *after)
{
	struct text text = {.arena = &ctx.arena};
	text_add(&text, "y = ");
	for (int i = 0; i < n; i++)
		text_add(&text, before);
	text_add(&text, middle);
	for (int i = 0; i < n; i++)
		text_add(&text, after);
	return text.at;
}

static const struct {
	const char *before, *middle, *after;
} nests[] = {{"(", "x", ")"},
	     {"f(", "x", ")"},
	     {"[", "x", "]"},
	     {"x[", "i", "]"},
	     {"- ", "x", ""},
	     {"not ", "x", ""},
	     {"2^", "x", ""},
	     {"sum[i] ", "x", ""},
	     {"x + ", "x", ""},
	     {"x * ", "x", ""},
	     {"a or ", "x", ""},
	     {"if a then b else ", "c", ""},
	     {"", "(x)", ".a"},
	     {"", "x", "[1]"},
	     {"if a { z = 1; ", "", "}"},
	     {"repeat 2 { ", "", "}"},
	     {"if (", "a", ") then b else c"},
	     {"def f() { ", "", "}"}};

START_TEST(nesting_has_a_limit)
{
	const char *before = nests[_i].before, *middle = nests[_i].middle, *after = nests[_i].after;
	int skip = strchr(before, '{') ? 4 : 0; /* blocks stand without "y = " */
	ck_assert_msg(parse(repeat(400, before, middle, after) + skip) != NULL, "%s", messages());
	static const int deep[] = {1200, 60000};
	for (int i = 0; i < 2; i++) {
		restart();
		ck_assert_ptr_null(parse(repeat(deep[i], before, middle, after) + skip));
		ck_assert_int_eq(ctx.errors, 1);
		ck_assert_msg(strstr(messages(), "nested deeper than 1000 levels\n") != NULL, "%s", messages());
	}
}
END_TEST

START_TEST(pipes_may_be_long)
{
	struct node *tree = parse(repeat(10000, "", "x", " -> l: f(a)"));
	ck_assert_ptr_nonnull(tree);
	ck_assert_int_lt(tree->depth, 10);
	int links = 0;
	for (const struct node *n = tree->kid[0]->kid[1]; n->kind == NODE_CALL; n = n->kid[0]->kid[0])
		links++;
	ck_assert_int_eq(links, 10000);
	ck_assert_uint_gt(strlen(dump(tree)), 10000);
}
END_TEST

START_TEST(files_may_be_long)
{
	struct text text = {.arena = &ctx.arena};
	for (int i = 0; i < 20000; i++)
		text_printf(&text, "y%d = x%d\n\n# a comment\n", i, i);
	struct node *tree = parse(text.at);
	ck_assert_ptr_nonnull(tree);
	ck_assert_int_eq(tree->n, 20000);
	ck_assert_str_eq(tree->kid[19999]->kid[1]->name, "x19999");
}
END_TEST

/* ---- hostile input and hosts ---- */

static char *all_samples(size_t *size)
{
	struct text text = {.arena = &ctx.arena};
	for (size_t i = 0; i < sizeof trees / sizeof *trees; i++)
		text_printf(&text, "%s\n", trees[i].text + (trees[i].text[0] == '\xef' ? 3 : 0));
	text_add(&text, "## doc\n#> f(1) = 2\n#> f(2) error \"x\"\ndef f(x) { return x }\n");
	*size = text.n;
	return text.at;
}

static uint32_t draw(uint64_t *state, size_t below)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((*state >> 33) % below);
}

/* Some bytes changed, removed or put in: either a whole tree or errors, with places inside the text. */
START_TEST(damaged_text_is_survived)
{
	static const char *const piece[] = {"(",  ")",	     "[",      "]",	 "{",	 "}",  "\n",
					    ";",  "sum[",    "if ",    " else ", "->",	 "..", ":",
					    "=",  "\"",	     "def ",   "## ",	 "#> ",	 "'",  "1e999",
					    "3x", "only \"", "param ", "-",	 "\xff", "\\", "\xc3\xa9"};
	size_t whole;
	char *sample = all_samples(&whole), *base = malloc(whole), *text = malloc(2 * whole + 100);
	uint64_t state = (uint64_t)_i;
	memcpy(base, sample, whole);
	for (int run = 0; run < 150; run++) {
		size_t begin = draw(&state, whole), n = draw(&state, whole - begin);
		memcpy(text, base + begin, n);
		for (uint32_t edits = draw(&state, 4); n && edits; edits--) {
			size_t at = draw(&state, n), cut = draw(&state, n - at < 8 ? n - at : 8);
			const char *put = piece[draw(&state, sizeof piece / sizeof *piece)];
			switch (draw(&state, 3)) {
			case 0: text[at] = (char)draw(&state, 256); break;
			case 1:
				memmove(text + at, text + at + cut, n - at - cut);
				n -= cut;
				break;
			default:
				memmove(text + at + strlen(put), text + at, n - at);
				memcpy(text + at, put, strlen(put));
				n += strlen(put);
			}
		}
		restart();
		struct node *tree = parse_bytes(text, n);
		ck_assert_int_eq(tree == NULL, ctx.errors > 0);
		if (tree)
			dump(tree);
	}
	free(base);
	free(text);
}
END_TEST

/* Every allocation of the host fails once: the arena unwinds and frees all it had. */
START_TEST(lack_of_memory_unwinds)
{
	size_t size;
	struct text text = {.arena = &ctx.arena};
	const char *sample = all_samples(&size);
	for (int i = 0; i < 20; i++)
		text_add_bytes(&text, sample, size);
	text_add(&text, repeat(900, "(", "x", ")"));
	char *kept = malloc(text.n);
	size_t n = text.n;
	memcpy(kept, text.at, n);
	static volatile long fail_at, failures;
	static volatile bool whole;
	whole = false;
	failures = 0;
	for (fail_at = 1; !whole; fail_at++) {
		restart();
		memory.calls = 0;
		memory.fail_at = fail_at;
		if (setjmp(out_of_memory))
			failures++;
		else
			whole = parse_bytes(kept, n) != NULL;
	}
	ck_assert_int_ge(failures, 10);
	ck_assert_int_eq(failures, fail_at - 2);
	free(kept);
}
END_TEST

int main(void)
{
	TCase *memory_case = tcase_create("memory"), *message_case = tcase_create("messages"),
	      *tree_case = tcase_create("trees");
	TCase *fault_case = tcase_create("faults"), *size_case = tcase_create("sizes"),
	      *hostile_case = tcase_create("hostile");
	TCase *const cases[] = {memory_case, message_case, tree_case, fault_case, size_case, hostile_case, NULL};
	for (size_t i = 0; cases[i]; i++)
		tcase_add_checked_fixture(cases[i], setup, teardown);
	tcase_add_test(memory_case, arena_gives_zeroed_aligned_memory);
	tcase_add_test(memory_case, arena_keeps_its_block_beside_a_large_one);
	tcase_add_test(memory_case, arena_unwinds_on_overflow);
	tcase_add_test(memory_case, list_grows);
	tcase_add_test(memory_case, text_grows);
	tcase_add_test(memory_case, text_printf_is_printf);
	tcase_add_test(memory_case, texts_leave_no_hole);
	tcase_add_test(memory_case, what_is_last_grows_in_place);
	tcase_add_test(memory_case, reals_are_shortest_and_read_back);
	tcase_add_test(memory_case, reals_have_a_point_in_every_locale);
	tcase_add_test(memory_case, table_keeps_order);
	tcase_add_test(message_case, places_count_characters);
	tcase_add_test(message_case, spans_are_clipped_to_their_line);
	tcase_add_test(message_case, only_twenty_errors_are_shown);
	tcase_add_test(message_case, nearest_names);
	tcase_add_loop_test(tree_case, text_becomes_tree, 0, (int)(sizeof trees / sizeof *trees));
	tcase_add_test(tree_case, nodes_know_their_place);
	tcase_add_test(tree_case, numbers_are_exact);
	tcase_add_test(tree_case, documentation_goes_to_the_next_definition);
	tcase_add_test(tree_case, examples_of_nothing_are_warned_about);
	tcase_add_test(tree_case, outline_finds_definitions);
	tcase_add_loop_test(fault_case, faults_are_explained, 0, (int)(sizeof faults / sizeof *faults));
	tcase_add_test(fault_case, bytes_that_are_no_text);
	tcase_add_loop_test(size_case, nesting_has_a_limit, 0, (int)(sizeof nests / sizeof *nests));
	tcase_add_test(size_case, pipes_may_be_long);
	tcase_add_test(size_case, files_may_be_long);
	tcase_add_loop_test(hostile_case, damaged_text_is_survived, 0, 10);
	tcase_add_test(hostile_case, lack_of_memory_unwinds);
	return run_tests("front", cases);
}
