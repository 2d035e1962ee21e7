/* map_values.c - machine code for maps: what is computed of vectors.
 *
 * Each instruction does what its kernel does (map_elements.h), to the bit; functions are the kernels' own, which are
 * called with a vector in a register. */
#include "map_maker.h"

struct x86_operation real_operation(const struct map_maker *m, int code)
{
	return (struct x86_operation){X86_0F, m->real == 8 ? X86_66 : X86_NONE, m->real == 8 && m->x.avx512, code,
				      .unit = m->bytes};
}

struct x86_operation bits_operation(const struct map_maker *m, enum x86_table table, int code)
{
	return (struct x86_operation){table, X86_66, m->real == 8 && m->x.avx512, code, .unit = m->bytes};
}

static struct x86_operation with_byte(struct x86_operation op, int byte)
{
	op.says = true;
	op.byte = byte;
	return op;
}

/* ---- slots ---- */

void copy_vector(struct map_maker *m, int to, int from)
{
	if (to != from)
		x86_vector(&m->x, real_operation(m, 0x28), m->bytes, to, 0, x86_register(from));
}

int value_in(struct map_maker *m, int slot, int temporary)
{
	if (slot < NN_MAP_REGISTER)
		load_lanes(m, temporary, slot);
	else if (m->home[slot].memory)
		x86_load(&m->x, m->bytes, temporary, m->home[slot]);
	else
		return m->home[slot].number;
	return temporary;
}

struct x86_place value_at(struct map_maker *m, int slot, int temporary)
{
	if (slot >= NN_MAP_REGISTER)
		return m->home[slot];
	if (!m->partial && lane_step(m, slot) == 1)
		return address_of(m, slot);
	return x86_register(value_in(m, slot, temporary));
}

int result_in(const struct map_maker *m, int slot, int temporary)
{
	return slot < NN_MAP_REGISTER || m->home[slot].memory ? temporary : m->home[slot].number;
}

void keep_result(struct map_maker *m, int slot, int in)
{
	if (slot < NN_MAP_REGISTER)
		store_lanes(m, slot, in);
	else if (m->home[slot].memory)
		x86_store(&m->x, m->bytes, m->home[slot], in);
	else
		copy_vector(m, m->home[slot].number, in);
}

void choose(struct map_maker *m, int to, int mask, int no, struct x86_place yes)
{
	struct x86_operation op = bits_operation(m, X86_0F38, 0x65);
	if (m->x.avx512) {
		op.mask = MASK_TEST;
		op.keeps = true;
	} else {
		op = with_byte(bits_operation(m, X86_0F3A, m->real == 8 ? 0x4b : 0x4a), mask << 4);
	}
	x86_vector(&m->x, op, m->bytes, to, no, yes);
}

/* ---- two operands ---- */

/* first, then second: as operands of the instruction, of which only the second may be memory. */
static void make_two(struct map_maker *m, const int32_t *w, struct x86_operation op, int first, int second)
{
	const int a = value_in(m, first, TEMPORARY);
	const struct x86_place b = value_at(m, second, TEMPORARY + 1);
	const int to = result_in(m, w[1], TEMPORARY);
	x86_vector(&m->x, op, m->bytes, to, a, b);
	keep_result(m, w[1], to);
}

static void make_binary(struct map_maker *m, const int32_t *w, struct x86_operation op)
{
	make_two(m, w, op, w[2], w[3]);
}

/* ---- comparisons, whose results are all bits of an element or none ---- */

enum { EQUAL = 0, LESS = 1, LESS_EQUAL = 2, NOT_EQUAL = 4, LESS_QUIET = 0x11, LESS_EQUAL_QUIET = 0x12 };

/* All bits where the mask of AVX-512 is set. */
static void spread_mask(struct map_maker *m, int to)
{
	struct x86_operation op = with_byte(bits_operation(m, X86_0F3A, 0x25), 255);
	op.mask = MASK_TEST;
	x86_vector(&m->x, op, m->bytes, to, to, x86_register(to));
}

/* Into `to`, or MASK_TEST. */
static void compare_reals(struct map_maker *m, int to, int how, int a, struct x86_place b)
{
	x86_vector(&m->x, with_byte(real_operation(m, 0xc2), how), m->bytes, m->x.avx512 ? MASK_TEST : to, a, b);
}

static void make_comparison(struct map_maker *m, const int32_t *w, int how)
{
	const int a = value_in(m, w[2], TEMPORARY);
	const struct x86_place b = value_at(m, w[3], TEMPORARY + 1);
	const int to = result_in(m, w[1], TEMPORARY);
	compare_reals(m, to, how, a, b);
	if (m->x.avx512)
		spread_mask(m, to);
	keep_result(m, w[1], to);
}

static void make_integer_comparison(struct map_maker *m, const int32_t *w, int how)
{
	const int to = result_in(m, w[1], TEMPORARY + 2);
	const bool equal = how == EQUAL || how == NOT_EQUAL, wide = m->real == 8;
	if (m->x.avx512) {
		const int a = value_in(m, w[2], TEMPORARY);
		x86_vector(&m->x, with_byte(bits_operation(m, X86_0F3A, 0x1f), how), m->bytes, MASK_TEST, a,
			   value_at(m, w[3], TEMPORARY + 1));
		spread_mask(m, to);
	} else {
		const int first = how == LESS ? w[3] : w[2], second = how == LESS ? w[2] : w[3];
		const int a = value_in(m, first, TEMPORARY);
		const struct x86_place b = value_at(m, second, TEMPORARY + 1);
		x86_vector(&m->x,
			   wide ? bits_operation(m, X86_0F38, equal ? 0x29 : 0x37)
				: bits_operation(m, X86_0F, equal ? 0x76 : 0x66),
			   m->bytes, to, a, b);
		if (how == NOT_EQUAL || how == LESS_EQUAL)
			x86_vector(&m->x, bits_operation(m, X86_0F, 0xef), m->bytes, to, to, ramp(m, 0, -1));
	}
	keep_result(m, w[1], to);
}

/* ---- choices ---- */

static void make_select(struct map_maker *m, const int32_t *w)
{
	const int mask = value_in(m, w[2], TEMPORARY), no = value_in(m, w[4], TEMPORARY + 1);
	const struct x86_place yes = value_at(m, w[3], TEMPORARY + 2);
	const int to = result_in(m, w[1], TEMPORARY + 3);
	if (m->x.avx512)
		x86_vector(&m->x, bits_operation(m, X86_0F38, 0x27), m->bytes, MASK_TEST, mask, x86_register(mask));
	choose(m, to, mask, no, yes);
	keep_result(m, w[1], to);
}

static void make_select_compared(struct map_maker *m, const int32_t *w, int how)
{
	const int a = value_in(m, w[2], TEMPORARY);
	const struct x86_place b = value_at(m, w[3], TEMPORARY + 1);
	int to, no;
	compare_reals(m, TEMPORARY, how, a, b);
	no = value_in(m, w[5], TEMPORARY + 1);
	to = result_in(m, w[1], TEMPORARY + 3);
	choose(m, to, TEMPORARY, no, value_at(m, w[4], TEMPORARY + 2));
	keep_result(m, w[1], to);
}

static void load_number(struct map_maker *m, int to, double number)
{
	const float narrow = (float)number;
	int64_t bits = 0;
	__builtin_memcpy(&bits, m->real == 8 ? (const void *)&number : (const void *)&narrow, (size_t)m->real);
	if (m->real == 4)
		bits = (int32_t)bits;
	x86_load(&m->x, m->bytes, to, ramp(m, 0, bits));
}

static void make_sign(struct map_maker *m, const int32_t *w)
{
	const int a = TEMPORARY + 3, zero = TEMPORARY + 4, one = TEMPORARY + 2, mask = TEMPORARY;
	copy_vector(m, a, value_in(m, w[2], a));
	x86_clear(&m->x, zero);
	for (int side = -1; side <= 1; side += 2) { /* the second comparison sees -1 or what a is */
		load_number(m, one, side);
		compare_reals(m, mask, LESS_QUIET, side < 0 ? a : zero, x86_register(side < 0 ? zero : a));
		choose(m, a, mask, a, x86_register(one));
	}
	keep_result(m, w[1], a);
}

/* ---- products ---- */

/* form: the operation's code where it is to = a * to + b, as map.h's a, b, c */
static void make_product(struct map_maker *m, const int32_t *w, int form)
{
	struct x86_operation op = bits_operation(m, X86_0F38, form);
	const int to = result_in(m, w[1], TEMPORARY + 2);
	struct x86_place b;
	op.wide = m->real == 8;
	if (w[1] == w[4] && w[1] >= NN_MAP_REGISTER && !m->home[w[1]].memory) { /* to += a * b */
		const int a = value_in(m, w[2], TEMPORARY);
		op.code = form + 0x10;
		b = value_at(m, w[3], TEMPORARY + 1);
		x86_vector(&m->x, op, m->bytes, to, a, b);
		return;
	}
	const int a = value_in(m, w[2], TEMPORARY), factor = value_in(m, w[3], TEMPORARY + 1);
	const struct x86_place c = value_at(m, w[4], TEMPORARY + 3);
	int in = to;
	if (to == factor || (!c.memory && to == c.number))
		in = TEMPORARY + 2;
	copy_vector(m, in, a);
	x86_vector(&m->x, op, m->bytes, in, factor, c);
	keep_result(m, w[1], in);
}

/* ---- integers ---- */

static void convert(struct map_maker *m, enum x86_table table, enum x86_prefix prefix, bool wide, int code, int bytes,
		    int to, int from)
{
	const struct x86_operation op = {table, prefix, wide && m->x.avx512, code, .unit = 1};
	x86_vector(&m->x, op, bytes, to, 0, x86_register(from));
}

static struct x86_place in_all_doubles(struct map_maker *m, double number)
{
	const int width = m->width, real = m->real;
	struct x86_place place;
	int64_t bits;
	__builtin_memcpy(&bits, &number, sizeof bits);
	m->width = m->bytes / 8;
	m->real = 8;
	place = ramp(m, 0, bits);
	m->width = width;
	m->real = real;
	return place;
}

/* Half of the lanes by doubles, as the kernel: (a + 0.5) / by, rounded down. */
static void divide_half(struct map_maker *m, int to, int from, double inverse)
{
	const struct x86_operation add = {X86_0F, X86_66, m->x.avx512, 0x58, .unit = m->bytes};
	struct x86_operation multiply = add, round = {X86_0F3A, X86_66, m->x.avx512, 0x09, .unit = m->bytes};
	multiply.code = 0x59;
	convert(m, X86_0F, X86_F3, false, 0xe6, m->bytes, to, from);
	x86_vector(&m->x, add, m->bytes, to, to, in_all_doubles(m, 0.5));
	x86_vector(&m->x, multiply, m->bytes, to, to, in_all_doubles(m, inverse));
	x86_vector(&m->x, with_byte(round, 9), m->bytes, to, 0, x86_register(to));
	convert(m, X86_0F, X86_66, true, 0xe6, m->bytes, to, to);
}

static void make_quotient(struct map_maker *m, const int32_t *w, bool remainder)
{
	const int at = value_in(m, w[2], TEMPORARY), low = TEMPORARY + 1, high = TEMPORARY + 2, by = w[3];
	const int to = result_in(m, w[1], TEMPORARY + 3);
	struct x86_operation op;
	m->failed |= m->real == 8;
	if ((by & (by - 1)) == 0 && remainder) {
		x86_vector(&m->x, bits_operation(m, X86_0F, 0xdb), m->bytes, to, at, ramp(m, 0, by - 1));
		keep_result(m, w[1], to);
		return;
	}
	if ((by & (by - 1)) == 0) {
		op = with_byte(bits_operation(m, X86_0F, 0x72), __builtin_ctz((unsigned)by));
		x86_vector(&m->x, op, m->bytes, 4, to, x86_register(at));
		keep_result(m, w[1], to);
		return;
	}
	op = (struct x86_operation){X86_0F3A, X86_66, m->x.avx512, m->x.avx512 ? 0x3b : 0x39, .unit = 1};
	x86_vector(&m->x, with_byte(op, 1), m->bytes, at, 0, x86_register(high));
	divide_half(m, low, at, 1 / (double)by);
	divide_half(m, high, high, 1 / (double)by);
	op.code = m->x.avx512 ? 0x3a : 0x38;
	x86_vector(&m->x, with_byte(op, 1), m->bytes, low, low, x86_register(high));
	if (remainder) {
		x86_vector(&m->x, bits_operation(m, X86_0F38, 0x40), m->bytes, low, low, ramp(m, 0, by));
		x86_vector(&m->x, bits_operation(m, X86_0F, 0xfa), m->bytes, low, at, x86_register(low));
	}
	keep_result(m, w[1], low);
}

static void make_index(struct map_maker *m, const int32_t *w)
{
	const int to = result_in(m, w[1], TEMPORARY);
	load_integer(m, to, w + 2, w[1] < NN_MAP_UNIFORM);
	keep_result(m, w[1], to);
}

static void make_gather(struct map_maker *m, const int32_t *w)
{
	const int index = value_in(m, w[3], TEMPORARY + 4), to = TEMPORARY + 3;
	gather_lanes(m, to, address_of(m, w[2]), index, !m->partial ? 0 : m->x.avx512 ? MASK_REST : MASK_VECTOR);
	keep_result(m, w[1], to);
}

/* ---- sums and extremes along a strip ---- */

/* The least and the most take the first of equals: it is the second operand. */
static void join(struct map_maker *m, struct x86_operation op, int bytes, int to, int first, int second)
{
	const bool sum = op.code == 0x58;
	x86_vector(&m->x, op, bytes, to, sum ? first : second, x86_register(sum ? second : first));
}

static void make_reduction(struct map_maker *m, const int32_t *w, int code)
{
	struct x86_operation op = real_operation(m, code);
	const int value = value_in(m, w[2], TEMPORARY), total = value_in(m, w[1], TEMPORARY + 1);
	if (m->partial && m->x.avx512) {
		op.mask = MASK_REST;
		op.keeps = true;
		join(m, op, m->bytes, total, total, value);
	} else if (m->partial) {
		join(m, op, m->bytes, TEMPORARY, total, value);
		choose(m, total, MASK_VECTOR, total, x86_register(TEMPORARY));
	} else {
		join(m, op, m->bytes, total, total, value);
	}
	keep_result(m, w[1], total);
}

/* Halves of what is left are joined. */
static void make_total(struct map_maker *m, const int32_t *w, int code)
{
	const int part = TEMPORARY, other = TEMPORARY + 1;
	const struct x86_operation op = real_operation(m, code), shuffle = {X86_0F, X86_66, false, 0x70, .unit = 1};
	copy_vector(m, part, value_in(m, w[1], part));
	for (int bytes = m->bytes; bytes > m->real; bytes /= 2) {
		const struct x86_operation upper = {X86_0F3A, X86_66, bytes == 64, bytes == 64 ? 0x1b : 0x19,
						    .unit = 1};
		if (bytes > 16)
			x86_vector(&m->x, with_byte(upper, 1), bytes, part, 0, x86_register(other));
		else
			x86_vector(&m->x, with_byte(shuffle, bytes == 16 ? 0x0e : 0x01), 16, other, 0,
				   x86_register(part));
		join(m, op, bytes > 16 ? bytes / 2 : 16, part, part, other);
	}
	x86_broadcast(&m->x, m->bytes, part, x86_register(part));
	keep_result(m, w[1], part);
}

/* ---- functions ---- */

/* Of one argument or two; what lives in registers is kept on the stack meanwhile. */
static void make_call(struct map_maker *m, const int32_t *w)
{
	tile_function *const function = m->set->functions[w[0] & 255];
	m->failed |= !function;
	for (int i = NN_MAP_REGISTER; i < NN_MAP_UNIFORM; i++)
		if (m->saved[i].memory && i != w[1])
			x86_store(&m->x, m->bytes, m->saved[i], m->home[i].number);
	copy_vector(m, 0, value_in(m, w[2], TEMPORARY));
	if ((w[0] & 255) == NN_MAP_POW)
		copy_vector(m, 1, value_in(m, w[3], TEMPORARY + 1));
	x86_call(&m->x, function);
	for (int i = NN_MAP_REGISTER; i < NN_MAP_UNIFORM; i++)
		if (m->saved[i].memory && i != w[1])
			x86_load(&m->x, m->bytes, m->home[i].number, m->saved[i]);
	copy_vector(m, TEMPORARY + 3, 0);
	set_lanes(m);
	keep_result(m, w[1], TEMPORARY + 3);
}

static void make_rounding(struct map_maker *m, const int32_t *w, int how)
{
	const struct x86_place a = value_at(m, w[2], TEMPORARY);
	const int to = result_in(m, w[1], TEMPORARY);
	x86_vector(&m->x, with_byte(bits_operation(m, X86_0F3A, 8 + (m->real == 8)), how), m->bytes, to, 0, a);
	keep_result(m, w[1], to);
}

static void make_unary(struct map_maker *m, const int32_t *w, struct x86_operation op)
{
	const struct x86_place a = value_at(m, w[2], TEMPORARY);
	const int to = result_in(m, w[1], TEMPORARY);
	x86_vector(&m->x, op, m->bytes, to, 0, a);
	keep_result(m, w[1], to);
}

/* With a constant of bits. */
static void make_with(struct map_maker *m, const int32_t *w, int code, int64_t bits)
{
	const int a = value_in(m, w[2], TEMPORARY), to = result_in(m, w[1], TEMPORARY);
	x86_vector(&m->x, bits_operation(m, X86_0F, code), m->bytes, to, a, ramp(m, 0, bits));
	keep_result(m, w[1], to);
}

static void make_load(struct map_maker *m, const int32_t *w)
{
	const int to = result_in(m, w[1], TEMPORARY);
	if ((w[0] & 255) == NN_MAP_SPLAT)
		x86_broadcast(&m->x, m->bytes, to, address_of(m, w[2]));
	else
		load_lanes(m, to, w[2]);
	keep_result(m, w[1], to);
}

static void make_store(struct map_maker *m, const int32_t *w)
{
	const int from = value_in(m, w[1], TEMPORARY);
	if (m->strip && w[1] < NN_MAP_UNIFORM) {
		store_lanes(m, w[2], from);
		return;
	}
	m->failed |= m->strip != NULL;
	x86_store_lane(&m->x, address_of(m, w[2]), from, 0);
}

void make_instruction(struct map_maker *m, const int32_t *w)
{
	const bool wide = m->real == 8;
	const int64_t sign = wide ? INT64_MIN : INT32_MIN;
	switch (w[0] & 255) {
	case NN_MAP_LOAD:
	case NN_MAP_SPLAT: make_load(m, w); break;
	case NN_MAP_LOAD_INSIDE: make_load_inside(m, w); break;
	case NN_MAP_STORE: make_store(m, w); break;
	case NN_MAP_INDEX: make_index(m, w); break;
	case NN_MAP_GATHER: make_gather(m, w); break;
	case NN_MAP_MOVE: keep_result(m, w[1], value_in(m, w[2], result_in(m, w[1], TEMPORARY))); break;
	case NN_MAP_NEG: make_with(m, w, 0xef, sign); break;
	case NN_MAP_SIGN: make_sign(m, w); break;
	case NN_MAP_NOT: make_with(m, w, 0xef, -1); break;
	case NN_MAP_ABS: make_with(m, w, 0xdb, ~sign); break;
	case NN_MAP_ADD: make_binary(m, w, real_operation(m, 0x58)); break;
	case NN_MAP_SUB: make_binary(m, w, real_operation(m, 0x5c)); break;
	case NN_MAP_MUL: make_binary(m, w, real_operation(m, 0x59)); break;
	case NN_MAP_DIV: make_binary(m, w, real_operation(m, 0x5e)); break;
	case NN_MAP_MIN: make_two(m, w, real_operation(m, 0x5d), w[3], w[2]); break;
	case NN_MAP_MAX: make_two(m, w, real_operation(m, 0x5f), w[3], w[2]); break;
	case NN_MAP_LT: make_comparison(m, w, LESS_QUIET); break;
	case NN_MAP_LE: make_comparison(m, w, LESS_EQUAL_QUIET); break;
	case NN_MAP_EQ: make_comparison(m, w, EQUAL); break;
	case NN_MAP_NE: make_comparison(m, w, NOT_EQUAL); break;
	case NN_MAP_AND: make_binary(m, w, bits_operation(m, X86_0F, 0xdb)); break;
	case NN_MAP_OR: make_binary(m, w, bits_operation(m, X86_0F, 0xeb)); break;
	case NN_MAP_INT_ADD: make_binary(m, w, bits_operation(m, X86_0F, wide ? 0xd4 : 0xfe)); break;
	case NN_MAP_INT_SUB: make_binary(m, w, bits_operation(m, X86_0F, wide ? 0xfb : 0xfa)); break;
	case NN_MAP_INT_MUL:
		m->failed |= wide;
		make_binary(m, w, bits_operation(m, X86_0F38, 0x40));
		break;
	case NN_MAP_INT_QUOTIENT: make_quotient(m, w, false); break;
	case NN_MAP_INT_REMAINDER: make_quotient(m, w, true); break;
	case NN_MAP_INT_LT: make_integer_comparison(m, w, LESS); break;
	case NN_MAP_INT_LE: make_integer_comparison(m, w, LESS_EQUAL); break;
	case NN_MAP_INT_EQ: make_integer_comparison(m, w, EQUAL); break;
	case NN_MAP_INT_NE: make_integer_comparison(m, w, NOT_EQUAL); break;
	case NN_MAP_INT_TO_REAL:
		m->failed |= wide;
		make_unary(m, w, real_operation(m, 0x5b));
		break;
	case NN_MAP_MUL_ADD: make_product(m, w, 0xa8); break;
	case NN_MAP_MUL_SUB: make_product(m, w, 0xaa); break;
	case NN_MAP_SUB_MUL: make_product(m, w, 0xac); break;
	case NN_MAP_SELECT: make_select(m, w); break;
	case NN_MAP_SELECT_LT: make_select_compared(m, w, LESS_QUIET); break;
	case NN_MAP_SELECT_LE: make_select_compared(m, w, LESS_EQUAL_QUIET); break;
	case NN_MAP_REDUCE_SUM: make_reduction(m, w, 0x58); break;
	case NN_MAP_REDUCE_MIN: make_reduction(m, w, 0x5d); break;
	case NN_MAP_REDUCE_MAX: make_reduction(m, w, 0x5f); break;
	case NN_MAP_TOTAL_SUM: make_total(m, w, 0x58); break;
	case NN_MAP_TOTAL_MIN: make_total(m, w, 0x5d); break;
	case NN_MAP_TOTAL_MAX: make_total(m, w, 0x5f); break;
	case NN_MAP_SQRT: make_unary(m, w, real_operation(m, 0x51)); break;
	case NN_MAP_FLOOR: make_rounding(m, w, 9); break;
	case NN_MAP_CEIL: make_rounding(m, w, 10); break;
	case NN_MAP_ROUND: make_rounding(m, w, 4); break;
	default: make_call(m, w); break;
	}
}
