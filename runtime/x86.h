/* x86.h - machine code for x86-64: the few instructions of which tiles (tile_code.c) and maps (map_code.c) are made. */
#ifndef NNR_X86_H
#define NNR_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Registers by their numbers. */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

struct x86 {
	uint8_t *at;
	size_t n, room;
	bool avx512;  /* else AVX2 and FMA */
	bool doubles; /* reals of 8 bytes */
	bool failed;  /* a number has no room in an instruction, or the code none */
};

/* A register, or memory: at base + offset, for each lane at base + offset + its index, or in the code itself. */
struct x86_place {
	bool memory;
	int number; /* of the register or the base */
	int64_t offset;
	bool indexed, in_code;
	int index; /* a vector of elements, which are counted in reals */
};
static inline struct x86_place x86_register(int number) { return (struct x86_place){.number = number}; }
static inline struct x86_place x86_memory(int base, int64_t offset)
{
	return (struct x86_place){.memory = true, .number = base, .offset = offset};
}

static inline struct x86_place x86_lanes(int base, int64_t offset, int index)
{
	return (struct x86_place){true, base, offset, true, false, index};
}
static inline struct x86_place x86_in_code(int64_t offset)
{
	return (struct x86_place){.memory = true, .offset = offset, .in_code = true};
}

/* ---- vectors of `bytes` bytes: 16, 32 or 64 ---- */

/* Any operation of VEX or EVEX. In EVEX a mask register says which lanes it is done in, if that is not 0; the others
 * become 0 unless `keeps`. */
enum x86_table { X86_0F = 1, X86_0F38 = 2, X86_0F3A = 3 };
enum x86_prefix { X86_NONE, X86_66, X86_F3, X86_F2 };
struct x86_operation {
	enum x86_table table;
	enum x86_prefix prefix;
	bool wide; /* elements of 8 bytes */
	int code;
	bool all;  /* EVEX: one element at the memory operand is used in all lanes */
	int mask;  /* EVEX */
	bool keeps;
	bool says; /* a byte follows */
	int byte;
	int unit; /* bytes that are moved */
};
void x86_vector(struct x86 *x, struct x86_operation op, int bytes, int reg, int second, struct x86_place place);
/* AVX-512: the first mask register from a general one, or as another, or all ones. */
void x86_mask_from(struct x86 *x, int to, int from);
void x86_mask_copy(struct x86 *x, int to, int from);
void x86_mask_all(struct x86 *x, int to);

void x86_clear(struct x86 *x, int to);
void x86_load(struct x86 *x, int bytes, int to, struct x86_place from);
void x86_store(struct x86 *x, int bytes, struct x86_place to, int from);
/* One real into all lanes. */
void x86_broadcast(struct x86 *x, int bytes, int to, struct x86_place from);
/* to += a * b */
void x86_multiply_add(struct x86 *x, int bytes, int to, int a, struct x86_place b);
/* to = to * a + b */
void x86_scale_add(struct x86 *x, int bytes, int to, int a, struct x86_place b);
/* to += a * (the real at b, in all lanes); AVX-512 only. */
void x86_multiply_add_all(struct x86 *x, int bytes, int to, int a, struct x86_place b);
/* The last `lanes` lanes, the others 0. AVX-512 has the mask in a register (x86_set_mask), AVX2 in a table that stands
 * where the code begins (x86_write_masks). */
void x86_write_masks(struct x86 *x);
void x86_set_mask(struct x86 *x, int bytes, int lanes);
void x86_load_last(struct x86 *x, int bytes, int to, struct x86_place from, int lanes);
/* In each 16 bytes: to = the sums of its elements half of that apart, and in turn with them those of `other`. */
void x86_add_pairs(struct x86 *x, int bytes, int to, int other, int scratch);
/* The first 16 bytes of `to` become the sum of all 16 bytes of it. */
void x86_add_quarters(struct x86 *x, int bytes, int to, int scratch);
void x86_store_lane(struct x86 *x, struct x86_place to, int from, int lane);
void x86_end_vectors(struct x86 *x);

/* ---- general registers: of 64 bits, or 32 where `narrow` or said ---- */

void x86_set(struct x86 *x, int to, int32_t value); /* 32 */
void x86_add(struct x86 *x, int to, int64_t value);
void x86_subtract(struct x86 *x, int to, int32_t value); /* 32 */
void x86_get(struct x86 *x, bool narrow, int to, struct x86_place from);
void x86_put(struct x86 *x, bool narrow, struct x86_place to, int from);
void x86_ask(struct x86 *x, struct x86_place at, bool written); /* for memory that will be read, or written */
void x86_add_from(struct x86 *x, int to, struct x86_place from);
void x86_multiply(struct x86 *x, int to, int from, int64_t by);
void x86_take_less(struct x86 *x, int to, int other); /* 32: to is the lesser one */

/* To `start`, which lies before: after counter -= 1 while it is not 0; while a < b. All 32 bits. */
void x86_count_down(struct x86 *x, int counter, size_t start);
void x86_repeat_below(struct x86 *x, int a, int b, size_t start);
/* Forward: if counter <= 0, or always where it is -1, what follows is left out, up to x86_land. */
size_t x86_skip_none(struct x86 *x, int counter);
void x86_land(struct x86 *x, size_t from);

/* A function of C: the arguments are in their registers, none of which is as it was then. */
void x86_call(struct x86 *x, void (*function)(void));

void x86_set_wide(struct x86 *x, struct x86_place to, int32_t value); /* memory */
void x86_add_to(struct x86 *x, struct x86_place to, int64_t value);
void x86_subtract_from(struct x86 *x, struct x86_place to, int from);
void x86_copy(struct x86 *x, int to, int from);
void x86_or(struct x86 *x, int to, struct x86_place from); /* sets the conditions */
void x86_and(struct x86 *x, int to, int32_t value);	    /* 32; sets the conditions */
void x86_divide(struct x86 *x, int to, int shift);	    /* 32, by a power of 2; sets the conditions */
void x86_count_place(struct x86 *x, struct x86_place counter, size_t start); /* 32; as x86_count_down */
/* Forwards: where the condition holds, to the place at which x86_land is called with what this returns. */
enum x86_condition { X86_IF_ZERO = 0x84, X86_IF_NEGATIVE = 0x88, X86_ALWAYS = 0 };
size_t x86_jump(struct x86 *x, enum x86_condition condition);

/* Room on the stack at RSP, aligned to 64 bytes, until the function returns. */
void x86_open_frame(struct x86 *x, int bytes);
void x86_return(struct x86 *x);

#endif
