/* x86.c - machine code for x86-64: prefixes, operation, operands.
 *
 * Vectors have a prefix of three bytes (VEX: AVX2, 16 registers) or four (EVEX: AVX-512, 32), which hold what older
 * instructions spread over many: the table of operations, the registers' high bits, inverted, and the length. In EVEX a
 * short offset counts units of what the instruction moves. */
#include "x86.h"

enum { MASK_REGISTER = 1, MASK_BYTES = 32 };
enum table { TABLE_0F = 1, TABLE_0F38 = 2, TABLE_0F3A = 3 };
enum prefix { PREFIX_NONE, PREFIX_66, PREFIX_F3, PREFIX_F2 };

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
	for (int i = 0; i < bytes; i++)
		put_byte(x, (int)((uint64_t)value >> 8 * i & 255));
}

/* The operand's byte and what follows: an offset in units of `unit` where it is short. */
static void put_operand(struct x86 *x, int reg, struct x86_place place, int unit)
{
	const int low = (reg & 7) << 3, base = place.number & 7;
	const bool is_short = place.offset % unit == 0 && place.offset / unit >= -128 && place.offset / unit < 128;
	if (!place.memory) {
		put_byte(x, 0xc0 | low | base);
		return;
	}
	put_byte(x, (is_short ? 0x40 : 0x80) | low | base);
	if (base == RSP)
		put_byte(x, 0x24);
	if (is_short)
		put_byte(x, (int)(place.offset / unit) & 255);
	else
		put_number(x, place.offset, 4);
}

/* ---- vectors ---- */

struct operation {
	enum table table;
	enum prefix prefix;
	bool wide; /* elements of 8 bytes */
	int code;
	bool all;    /* EVEX: one element at the memory operand is used in all lanes */
	bool masked; /* EVEX: lanes that the mask register has not become 0 */
	int unit;    /* bytes that are moved */
};

/* VEX: offsets have no units, and lanes no masks. */
static void put_vex(struct x86 *x, struct operation op, int bytes, int reg, int second, struct x86_place place)
{
	put_byte(x, 0xc4);
	put_byte(x, (~reg >> 3 & 1) << 7 | 1 << 6 | (~place.number >> 3 & 1) << 5 | (int)op.table);
	put_byte(x, op.wide << 7 | (~second & 15) << 3 | (bytes == 32) << 2 | (int)op.prefix);
	put_byte(x, op.code);
	put_operand(x, reg, place, 1);
}

static void put_evex(struct x86 *x, struct operation op, int bytes, int reg, int second, struct x86_place place)
{
	const int high = place.memory ? 1 : ~place.number >> 4 & 1; /* of a register: bit 4 */
	put_byte(x, 0x62);
	put_byte(x, (~reg >> 3 & 1) << 7 | high << 6 | (~place.number >> 3 & 1) << 5 | (~reg >> 4 & 1) << 4 |
			    (int)op.table);
	put_byte(x, op.wide << 7 | (~second & 15) << 3 | 1 << 2 | (int)op.prefix);
	put_byte(x, op.masked << 7 | (bytes == 64 ? 2 : bytes == 32) << 5 | op.all << 4 | (~second >> 4 & 1) << 3 |
			    (op.masked ? MASK_REGISTER : 0));
	put_byte(x, op.code);
	put_operand(x, reg, place, op.unit);
}

static void put_vector(struct x86 *x, struct operation op, int bytes, int reg, int second, struct x86_place place)
{
	if (x->avx512)
		put_evex(x, op, bytes, reg, second, place);
	else
		put_vex(x, op, bytes, reg, second, place);
}

/* Of packed reals: doubles have a prefix of their own. */
static struct operation packed(const struct x86 *x, int code, int bytes)
{
	return (struct operation){TABLE_0F, x->doubles ? PREFIX_66 : PREFIX_NONE, x->doubles && x->avx512, code,
				  .unit = bytes};
}

static struct operation multiply_add(const struct x86 *x, int unit)
{
	return (struct operation){TABLE_0F38, PREFIX_66, x->doubles, 0xb8, .unit = unit};
}

void x86_clear(struct x86 *x, int to)
{
	const struct operation op = {TABLE_0F, PREFIX_66, false, 0xef, .unit = 1};
	put_vector(x, op, x->avx512 ? 64 : 32, to, to, x86_register(to));
}

void x86_load(struct x86 *x, int bytes, int to, struct x86_place from)
{
	put_vector(x, packed(x, 0x10, bytes), bytes, to, 0, from);
}

void x86_store(struct x86 *x, int bytes, struct x86_place to, int from)
{
	put_vector(x, packed(x, 0x11, bytes), bytes, from, 0, to);
}

void x86_broadcast(struct x86 *x, int bytes, int to, struct x86_place from)
{
	struct operation op = {TABLE_0F38, PREFIX_66, x->doubles && x->avx512, x->doubles ? 0x19 : 0x18,
			       .unit = x->doubles ? 8 : 4};
	if (x->doubles && bytes == 16) /* twice the lower one */
		op = (struct operation){TABLE_0F, PREFIX_F2, x->avx512, 0x12, .unit = 8};
	put_vector(x, op, bytes, to, 0, from);
}

void x86_multiply_add(struct x86 *x, int bytes, int to, int a, struct x86_place b)
{
	put_vector(x, multiply_add(x, bytes), bytes, to, a, b);
}

void x86_scale_add(struct x86 *x, int bytes, int to, int a, struct x86_place b)
{
	struct operation op = multiply_add(x, bytes);
	op.code = 0xa8;
	put_vector(x, op, bytes, to, a, b);
}

void x86_multiply_add_all(struct x86 *x, int bytes, int to, int a, struct x86_place b)
{
	struct operation op = multiply_add(x, x->doubles ? 8 : 4);
	op.all = true;
	put_vector(x, op, bytes, to, a, b);
}

void x86_add_pairs(struct x86 *x, int bytes, int to, int other, int scratch)
{
	put_vector(x, packed(x, 0x14, bytes), bytes, scratch, to, x86_register(other)); /* first halves, interleaved */
	put_vector(x, packed(x, 0x15, bytes), bytes, to, to, x86_register(other));	/* second ones */
	put_vector(x, packed(x, 0x58, bytes), bytes, to, to, x86_register(scratch));
}

void x86_add_quarters(struct x86 *x, int bytes, int to, int scratch)
{
	for (; bytes > 16; bytes /= 2) {
		const struct operation upper = {TABLE_0F3A, PREFIX_66, bytes == 64, bytes == 64 ? 0x1b : 0x19,
						.unit = 1};
		put_vector(x, upper, bytes, to, 0, x86_register(scratch));
		put_byte(x, 1);
		put_vector(x, packed(x, 0x58, bytes / 2), bytes / 2, to, to, x86_register(scratch));
	}
}

void x86_store_lane(struct x86 *x, struct x86_place to, int from, int lane)
{
	struct operation op = {TABLE_0F3A, PREFIX_66, false, 0x17, .unit = 4};
	if (x->doubles)
		op = (struct operation){TABLE_0F, PREFIX_66, x->avx512, lane ? 0x17 : 0x13, .unit = 8};
	else if (lane == 0)
		op = (struct operation){TABLE_0F, PREFIX_F3, false, 0x11, .unit = 4};
	put_vector(x, op, 16, from, 0, to);
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
	struct operation op = packed(x, 0x10, bytes);
	op.masked = x->avx512;
	if (x->avx512) {
		put_vector(x, op, bytes, to, 0, from);
		return;
	}
	/* and, with bytes of the table of masks, which is found from the place where the next instruction begins */
	x86_load(x, bytes, to, from);
	op = packed(x, 0x54, bytes);
	put_vex(x, op, bytes, to, to, (struct x86_place){true, RBP, 0});
	x->n -= 2;
	put_byte(x, 5 | (to & 7) << 3);
	put_number(x, MASK_BYTES - bytes + lanes * (x->doubles ? 8 : 4) - (int64_t)(x->n + 4), 4);
}

void x86_end_vectors(struct x86 *x) { put_number(x, 0x77f8c5, 3); }

/* ---- general registers ---- */

static void put_plain(struct x86 *x, bool narrow, int code, int reg, struct x86_place place)
{
	put_byte(x, 0x40 | !narrow << 3 | (reg >> 3) << 2 | place.number >> 3);
	if (code > 255)
		put_byte(x, code >> 8);
	put_byte(x, code & 255);
	put_operand(x, reg, place, 1);
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

static void jump_back(struct x86 *x, int code, size_t start)
{
	put_byte(x, 0x0f);
	put_byte(x, code);
	put_number(x, (int64_t)start - (int64_t)(x->n + 4), 4);
}

void x86_count_down(struct x86 *x, int counter, size_t start)
{
	put_plain(x, true, 0xff, 1, x86_register(counter));
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
