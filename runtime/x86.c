/* x86.c - machine code for x86-64: prefixes, operation, operands.
 *
 * Vectors have a prefix of three bytes (VEX: AVX2, 16 registers) or four (EVEX: AVX-512, 32), which hold what older
 * instructions spread over many: the table of operations, the registers' high bits, inverted, and the length. In EVEX a
 * short offset counts units of what the instruction moves. */
#include "x86.h"

#include <string.h>

enum { MASK_REGISTER = 1, MASK_BYTES = 32 };

static void put_byte(struct x86 *x, int byte)
{
	if (x->n < x->room)
		x->at[x->n] = (uint8_t)byte;
	else
		x->failed = true;
	x->n++;
}

static void put_number(struct x86 *x, int64_t value, int bytes)
{
	x->failed |= bytes == 4 && value != (int32_t)value;
	if (x->n + (size_t)bytes <= x->room)
		memcpy(x->at + x->n, &value, (size_t)bytes); /* the least byte is the first one */
	else
		x->failed = true;
	x->n += (size_t)bytes;
}

/* The operand's byte and what follows: an offset in units of `unit` where it is short. behind: bytes of the instruction
 * that come after it. */
static void put_operand(struct x86 *x, int reg, struct x86_place place, int unit, int behind)
{
	const int low = (reg & 7) << 3, base = place.number & 7;
	const bool is_short = place.offset % unit == 0 && place.offset / unit >= -128 && place.offset / unit < 128;
	if (!place.memory) {
		put_byte(x, 0xc0 | low | base);
		return;
	}
	if (place.in_code) {
		put_byte(x, 5 | low);
		put_number(x, place.offset - (int64_t)(x->n + 4 + (size_t)behind), 4);
		return;
	}
	put_byte(x, (is_short ? 0x40 : 0x80) | low | (place.indexed ? 4 : base));
	if (place.indexed)
		put_byte(x, (x->doubles ? 3 : 2) << 6 | (place.index & 7) << 3 | base);
	else if (base == RSP)
		put_byte(x, 0x24);
	if (is_short)
		put_byte(x, (int)(place.offset / unit) & 255);
	else
		put_number(x, place.offset, 4);
}

/* ---- vectors ---- */

/* VEX: offsets have no units, and lanes no masks. */
static void put_vex(struct x86 *x, struct x86_operation op, int bytes, int reg, int second, struct x86_place place)
{
	put_byte(x, 0xc4);
	put_byte(x,
		 (~reg >> 3 & 1) << 7 | (~place.index >> 3 & 1) << 6 | (~place.number >> 3 & 1) << 5 | (int)op.table);
	put_byte(x, op.wide << 7 | (~second & 15) << 3 | (bytes == 32) << 2 | (int)op.prefix);
	put_byte(x, op.code);
	put_operand(x, reg, place, 1, op.says);
}

static void put_evex(struct x86 *x, struct x86_operation op, int bytes, int reg, int second, struct x86_place place)
{
	const int high = place.memory ? ~place.index >> 3 & 1 : ~place.number >> 4 & 1; /* of a register: bit 4 */
	second |= place.indexed ? place.index & 16 : 0;
	put_byte(x, 0x62);
	put_byte(x, (~reg >> 3 & 1) << 7 | high << 6 | (~place.number >> 3 & 1) << 5 | (~reg >> 4 & 1) << 4 |
			    (int)op.table);
	put_byte(x, op.wide << 7 | (~second & 15) << 3 | 1 << 2 | (int)op.prefix);
	put_byte(x, (op.mask && !op.keeps) << 7 | (bytes == 64 ? 2 : bytes == 32) << 5 | op.all << 4 |
			    (~second >> 4 & 1) << 3 | op.mask);
	put_byte(x, op.code);
	put_operand(x, reg, place, op.unit, op.says);
}

void x86_vector(struct x86 *x, struct x86_operation op, int bytes, int reg, int second, struct x86_place place)
{
	if (x->avx512)
		put_evex(x, op, bytes, reg, second, place);
	else
		put_vex(x, op, bytes, reg, second, place);
	if (op.says)
		put_byte(x, op.byte & 255);
}

/* Of packed reals: doubles have a prefix of their own. */
static struct x86_operation packed(const struct x86 *x, int code, int bytes)
{
	return (struct x86_operation){X86_0F, x->doubles ? X86_66 : X86_NONE, x->doubles && x->avx512, code,
				      .unit = bytes};
}

static struct x86_operation multiply_add(const struct x86 *x, int unit)
{
	return (struct x86_operation){X86_0F38, X86_66, x->doubles, 0xb8, .unit = unit};
}

void x86_clear(struct x86 *x, int to)
{
	const struct x86_operation op = {X86_0F, X86_66, false, 0xef, .unit = 1};
	x86_vector(x, op, x->avx512 ? 64 : 32, to, to, x86_register(to));
}

void x86_load(struct x86 *x, int bytes, int to, struct x86_place from)
{
	x86_vector(x, packed(x, 0x10, bytes), bytes, to, 0, from);
}

void x86_store(struct x86 *x, int bytes, struct x86_place to, int from)
{
	x86_vector(x, packed(x, 0x11, bytes), bytes, from, 0, to);
}

void x86_broadcast(struct x86 *x, int bytes, int to, struct x86_place from)
{
	struct x86_operation op = {X86_0F38, X86_66, x->doubles && x->avx512, x->doubles ? 0x19 : 0x18,
				   .unit = x->doubles ? 8 : 4};
	if (x->doubles && bytes == 16) /* twice the lower one */
		op = (struct x86_operation){X86_0F, X86_F2, x->avx512, 0x12, .unit = 8};
	x86_vector(x, op, bytes, to, 0, from);
}

void x86_multiply_add(struct x86 *x, int bytes, int to, int a, struct x86_place b)
{
	x86_vector(x, multiply_add(x, bytes), bytes, to, a, b);
}

void x86_scale_add(struct x86 *x, int bytes, int to, int a, struct x86_place b)
{
	struct x86_operation op = multiply_add(x, bytes);
	op.code = 0xa8;
	x86_vector(x, op, bytes, to, a, b);
}

void x86_multiply_add_all(struct x86 *x, int bytes, int to, int a, struct x86_place b)
{
	struct x86_operation op = multiply_add(x, x->doubles ? 8 : 4);
	op.all = true;
	x86_vector(x, op, bytes, to, a, b);
}

void x86_add_pairs(struct x86 *x, int bytes, int to, int other, int scratch)
{
	x86_vector(x, packed(x, 0x14, bytes), bytes, scratch, to, x86_register(other)); /* first halves, interleaved */
	x86_vector(x, packed(x, 0x15, bytes), bytes, to, to, x86_register(other));	/* second ones */
	x86_vector(x, packed(x, 0x58, bytes), bytes, to, to, x86_register(scratch));
}

void x86_add_quarters(struct x86 *x, int bytes, int to, int scratch)
{
	for (; bytes > 16; bytes /= 2) {
		const struct x86_operation upper = {X86_0F3A, X86_66, bytes == 64, bytes == 64 ? 0x1b : 0x19,
						    .unit = 1};
		x86_vector(x, upper, bytes, to, 0, x86_register(scratch));
		put_byte(x, 1);
		x86_vector(x, packed(x, 0x58, bytes / 2), bytes / 2, to, to, x86_register(scratch));
	}
}

void x86_store_lane(struct x86 *x, struct x86_place to, int from, int lane)
{
	struct x86_operation op = {X86_0F3A, X86_66, false, 0x17, .unit = 4};
	if (x->doubles)
		op = (struct x86_operation){X86_0F, X86_66, x->avx512, lane ? 0x17 : 0x13, .unit = 8};
	else if (lane == 0)
		op = (struct x86_operation){X86_0F, X86_F3, false, 0x11, .unit = 4};
	x86_vector(x, op, 16, from, 0, to);
	if (lane && !x->doubles)
		put_byte(x, lane);
}

void x86_write_masks(struct x86 *x)
{
	for (int i = 0; i < 2 * MASK_BYTES; i++)
		put_byte(x, i < MASK_BYTES ? 0 : 255);
}

void x86_set_mask(struct x86 *x, int bytes, int lanes)
{
	const int all = bytes / (x->doubles ? 8 : 4);
	if (!x->avx512)
		return;
	x86_set(x, RAX, (1 << all) - (1 << (all - lanes)));
	put_number(x, 0xf8c5, 2); /* kmovw */
	put_number(x, 0xc892, 2);
}

void x86_load_last(struct x86 *x, int bytes, int to, struct x86_place from, int lanes)
{
	struct x86_operation op = packed(x, 0x10, bytes);
	op.mask = x->avx512 ? MASK_REGISTER : 0;
	if (x->avx512) {
		x86_vector(x, op, bytes, to, 0, from);
		return;
	}
	/* and, with bytes of the table of masks */
	x86_load(x, bytes, to, from);
	op = packed(x, 0x54, bytes);
	put_vex(x, op, bytes, to, to, x86_in_code(MASK_BYTES - bytes + lanes * (x->doubles ? 8 : 4)));
}

void x86_mask_from(struct x86 *x, int to, int from)
{
	put_byte(x, 0xc4); /* kmovw */
	put_byte(x, from > 7 ? 0xc1 : 0xe1);
	put_number(x, 0x9278, 2);
	put_byte(x, 0xc0 | to << 3 | (from & 7));
}

void x86_mask_copy(struct x86 *x, int to, int from)
{
	put_number(x, 0x90f8c5, 3);
	put_byte(x, 0xc0 | to << 3 | from);
}

void x86_mask_all(struct x86 *x, int to)
{
	put_byte(x, 0xc5); /* kxnorw */
	put_byte(x, 0x84 | (~to & 15) << 3);
	put_byte(x, 0x46);
	put_byte(x, 0xc0 | to << 3 | to);
}

void x86_end_vectors(struct x86 *x) { put_number(x, 0x77f8c5, 3); }

/* ---- general registers ---- */

static void put_plain(struct x86 *x, bool narrow, int code, int reg, struct x86_place place)
{
	put_byte(x, 0x40 | !narrow << 3 | (reg >> 3) << 2 | place.number >> 3);
	if (code > 255)
		put_byte(x, code >> 8);
	put_byte(x, code & 255);
	put_operand(x, reg, place, 1, 0);
}

void x86_set(struct x86 *x, int to, int32_t value)
{
	put_plain(x, true, 0xc7, 0, x86_register(to));
	put_number(x, value, 4);
}

void x86_add(struct x86 *x, int to, int64_t value)
{
	if (value == 0)
		return;
	put_plain(x, false, 0x81, 0, x86_register(to));
	put_number(x, value, 4);
}

void x86_subtract(struct x86 *x, int to, int32_t value)
{
	put_plain(x, true, 0x81, 5, x86_register(to));
	put_number(x, value, 4);
}

void x86_get(struct x86 *x, bool narrow, int to, struct x86_place from) { put_plain(x, narrow, 0x8b, to, from); }
void x86_put(struct x86 *x, bool narrow, struct x86_place to, int from) { put_plain(x, narrow, 0x89, from, to); }
void x86_ask(struct x86 *x, struct x86_place at, bool written) { put_plain(x, true, written ? 0x0f0d : 0x0f18, 1, at); }
void x86_add_from(struct x86 *x, int to, struct x86_place from) { put_plain(x, false, 0x03, to, from); }

void x86_multiply(struct x86 *x, int to, int from, int64_t by)
{
	put_plain(x, false, 0x69, to, x86_register(from));
	put_number(x, by, 4);
}

void x86_take_less(struct x86 *x, int to, int other)
{
	put_plain(x, true, 0x3b, to, x86_register(other));
	put_plain(x, true, 0x0f4f, to, x86_register(other));
}

void x86_set_wide(struct x86 *x, struct x86_place to, int32_t value)
{
	put_plain(x, false, 0xc7, 0, to);
	put_number(x, value, 4);
}

void x86_add_to(struct x86 *x, struct x86_place to, int64_t value)
{
	if (value == 0)
		return;
	put_plain(x, false, 0x81, 0, to);
	put_number(x, value, 4);
}

void x86_subtract_from(struct x86 *x, struct x86_place to, int from) { put_plain(x, false, 0x29, from, to); }
void x86_copy(struct x86 *x, int to, int from) { put_plain(x, false, 0x8b, to, x86_register(from)); }
void x86_or(struct x86 *x, int to, struct x86_place from) { put_plain(x, false, 0x0b, to, from); }

void x86_and(struct x86 *x, int to, int32_t value)
{
	put_plain(x, true, 0x81, 4, x86_register(to));
	put_number(x, value, 4);
}

void x86_divide(struct x86 *x, int to, int shift)
{
	put_plain(x, true, 0xc1, 5, x86_register(to));
	put_byte(x, shift);
}

size_t x86_jump(struct x86 *x, enum x86_condition condition)
{
	if (condition == X86_ALWAYS) {
		put_byte(x, 0xe9);
	} else {
		put_byte(x, 0x0f);
		put_byte(x, (int)condition);
	}
	put_number(x, 0, 4);
	return x->n;
}

static void jump_back(struct x86 *x, int code, size_t start)
{
	put_byte(x, 0x0f);
	put_byte(x, code);
	put_number(x, (int64_t)start - (int64_t)(x->n + 4), 4);
}

void x86_count_down(struct x86 *x, int counter, size_t start) { x86_count_place(x, x86_register(counter), start); }

void x86_count_place(struct x86 *x, struct x86_place counter, size_t start)
{
	put_plain(x, true, 0xff, 1, counter);
	jump_back(x, 0x85, start);
}

void x86_repeat_below(struct x86 *x, int a, int b, size_t start)
{
	put_plain(x, true, 0x3b, a, x86_register(b));
	jump_back(x, 0x8c, start);
}

size_t x86_skip_none(struct x86 *x, int counter)
{
	if (counter >= 0) {
		put_plain(x, true, 0x85, counter, x86_register(counter));
		put_number(x, 0x8e0f, 2);
	} else {
		put_byte(x, 0xe9);
	}
	put_number(x, 0, 4);
	return x->n;
}

void x86_land(struct x86 *x, size_t from)
{
	const size_t end = x->n;
	x->n = from - 4;
	put_number(x, (int64_t)(end - from), 4);
	x->n = end;
}

void x86_call(struct x86 *x, void (*function)(void))
{
	put_number(x, 0xb848, 2); /* RAX */
	put_number(x, (int64_t)(intptr_t)function, 8);
	put_number(x, 0xd0ff, 2);
}

void x86_open_frame(struct x86 *x, int bytes)
{
	put_byte(x, 0x55); /* push rbp */
	put_plain(x, false, 0x8b, RBP, x86_register(RSP));
	put_plain(x, false, 0x83, 4, x86_register(RSP)); /* and */
	put_byte(x, -64 & 255);
	x86_add(x, RSP, -(int64_t)((bytes + 63) / 64 * 64));
}

void x86_return(struct x86 *x)
{
	x86_end_vectors(x);
	put_byte(x, 0xc9); /* leave */
	put_byte(x, 0xc3);
}
