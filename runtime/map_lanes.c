/* map_lanes.c - machine code for maps: vectors of elements that lie in any steps in memory, and of affine integers.
 *
 * Elements that lie side by side are a load, those of every second place two and a shuffle, others a gather. The last
 * vector of a row is masked: it touches nothing beyond. */
#include "map_maker.h"

#include <string.h>

int64_t lane_step(const struct map_maker *m, int memory)
{
	const int32_t *move = m->strip ? m->strip->moves : NULL;
	for (int i = 0; m->strip && i < m->strip->moved; i++, move += 1 + m->strip->levels)
		if (*move == memory)
			return move[1 + m->level];
	return 0;
}

int64_t lane_factor(const struct map_maker *m, const int32_t *word)
{
	return m->strip ? word[1 + m->strip->base + m->level] : 0;
}

struct x86_place address_of(struct map_maker *m, int memory)
{
	const struct map_mover *at = &m->mover[memory];
	if (at->in_register)
		return x86_memory(at->home, at->offset);
	x86_get(&m->x, false, RAX, frame_slot(at->home));
	return x86_memory(RAX, at->offset);
}

static struct x86_place constant(struct map_maker *m, const void *bytes)
{
	uint8_t *const first = m->x.at;
	int i = 0;
	while (i < *m->n_constant && memcmp(first + i * VECTOR_BYTES, bytes, VECTOR_BYTES) != 0)
		i++;
	if (i == MOST_CONSTANTS) {
		m->failed = true;
		return x86_in_code(0);
	}
	if (i == *m->n_constant)
		memcpy(first + (*m->n_constant)++ * VECTOR_BYTES, bytes, VECTOR_BYTES);
	return x86_in_code((int64_t)i * VECTOR_BYTES);
}

struct x86_place ramp(struct map_maker *m, int64_t by, int64_t from)
{
	uint8_t bytes[VECTOR_BYTES] = {0};
	for (int i = 0; i < m->width; i++) {
		const int64_t value = i * by + from;
		m->failed |= m->real == 4 && by != 0 && value != (int32_t)value;
		memcpy(bytes + i * m->real, &value, (size_t)m->real);
	}
	return constant(m, bytes);
}

/* ---- which lanes count ---- */

static void load_count(struct map_maker *m, int to)
{
	struct x86_operation op = bits_operation(m, X86_0F38, m->real == 8 ? 0x59 : 0x58);
	op.unit = m->real;
	x86_vector(&m->x, op, m->bytes, to, 0, frame_slot(SLOT_REST));
}

void set_lanes(struct map_maker *m)
{
	uint8_t bytes[VECTOR_BYTES] = {0};
	struct x86_operation op;
	if (!m->partial)
		return;
	if (m->count && m->x.avx512) {
		x86_set(&m->x, RAX, (1 << m->count) - 1);
		x86_mask_from(&m->x, MASK_REST, RAX);
	} else if (m->count) {
		memset(bytes, 255, (size_t)(m->count * m->real));
		x86_load(&m->x, m->bytes, MASK_VECTOR, constant(m, bytes));
	} else if (m->x.avx512) {
		load_count(m, TEMPORARY);
		op = bits_operation(m, X86_0F3A, 0x1f);
		op.says = true;
		op.byte = 6; /* greater */
		x86_vector(&m->x, op, m->bytes, MASK_REST, TEMPORARY, ramp(m, 1, 0));
	} else {
		load_count(m, TEMPORARY);
		op = m->real == 8 ? bits_operation(m, X86_0F38, 0x37) : bits_operation(m, X86_0F, 0x66);
		x86_vector(&m->x, op, m->bytes, MASK_VECTOR, TEMPORARY, ramp(m, 1, 0));
	}
}

/* The mask of the vector at hand, 0: all lanes. AVX2: a vector. */
static int mask_of(const struct map_maker *m) { return !m->partial ? 0 : m->x.avx512 ? MASK_REST : MASK_VECTOR; }

/* ---- loads ---- */

static struct x86_operation part_operation(const struct map_maker *m, int code)
{
	return (struct x86_operation){X86_0F38, X86_66, false, code + (m->real == 8), .unit = m->bytes};
}

static void load_row(struct map_maker *m, int to, struct x86_place from, int mask)
{
	struct x86_operation op = real_operation(m, 0x10);
	op.mask = m->x.avx512 ? mask : 0;
	if (!mask || m->x.avx512)
		x86_vector(&m->x, op, m->bytes, to, 0, from);
	else
		x86_vector(&m->x, part_operation(m, 0x2c), m->bytes, to, mask, from);
}

void gather_lanes(struct map_maker *m, int to, struct x86_place base, int index, int mask)
{
	struct x86_operation op = {X86_0F38, X86_66, m->real == 8, m->real == 8 ? 0x93 : 0x92, .unit = m->real};
	const int scratch = TEMPORARY + 5;
	const struct x86_place lanes = x86_lanes(base.number, base.offset, index);
	x86_clear(&m->x, to);
	if (m->x.avx512) {
		if (mask)
			x86_mask_copy(&m->x, MASK_GATHER, mask);
		else
			x86_mask_all(&m->x, MASK_GATHER);
		op.mask = MASK_GATHER;
		op.keeps = true;
		x86_vector(&m->x, op, m->bytes, to, 0, lanes);
		return;
	}
	if (mask)
		copy_vector(m, scratch, mask);
	else
		x86_load(&m->x, m->bytes, scratch, ramp(m, 0, -1));
	x86_vector(&m->x, op, m->bytes, to, scratch, lanes);
}

/* Every second float: two vectors that overlap so that none reads beyond the last. false: it is not done so. */
static bool load_second(struct map_maker *m, int to, struct x86_place from, int mask)
{
	const int n = m->partial ? m->count : m->width, last = 2 * n - 2, high = last - m->width + 1;
	int32_t lane[VECTOR_BYTES / 4] = {0};
	struct x86_operation op;
	if (m->real != 4 || !m->x.avx512 || mask > MASK_REST || high <= 0)
		return false;
	for (int i = 0; i < n; i++)
		lane[i] = 2 * i < m->width ? 2 * i : m->width + 2 * i - high;
	load_row(m, to, from, 0);
	x86_load(&m->x, m->bytes, TEMPORARY + 4, constant(m, lane));
	from.offset += (int64_t)high * m->real;
	op = bits_operation(m, X86_0F38, 0x7f); /* vpermt2ps */
	x86_vector(&m->x, op, m->bytes, to, TEMPORARY + 4, from);
	return true;
}

static void load_apart(struct map_maker *m, int to, struct x86_place from, int64_t step, int mask)
{
	if (step == 2 && load_second(m, to, from, mask))
		return;
	x86_load(&m->x, m->bytes, TEMPORARY + 4, ramp(m, step, 0));
	gather_lanes(m, to, from, TEMPORARY + 4, mask);
}

void load_lanes(struct map_maker *m, int to, int memory)
{
	const struct x86_place from = address_of(m, memory);
	const int64_t step = lane_step(m, memory);
	if (step == 0)
		x86_broadcast(&m->x, m->bytes, to, from);
	else if (step == 1)
		load_row(m, to, from, mask_of(m));
	else
		load_apart(m, to, from, step, mask_of(m));
}

/* ---- stores ---- */

static void store_masked(struct map_maker *m, struct x86_place to, int from, int mask)
{
	struct x86_operation op = real_operation(m, 0x11);
	op.mask = mask;
	op.keeps = true;
	x86_vector(&m->x, op, m->bytes, from, 0, to);
}

/* Each float twice, half of them at a time; every second of these counts. */
static void store_second(struct map_maker *m, struct x86_place to, int from)
{
	const int n = m->partial ? m->count : m->width;
	const uint64_t lanes = UINT64_C(0x55555555) & ((UINT64_C(1) << 2 * n) - 1);
	for (int half = 0; half < 2; half++) {
		int32_t lane[VECTOR_BYTES / 4];
		const int32_t mask = (int32_t)(lanes >> half * m->width & 0xffff);
		if (mask == 0)
			continue;
		for (int i = 0; i < m->width; i++)
			lane[i] = half * m->width / 2 + i / 2;
		x86_set(&m->x, R11, mask);
		x86_mask_from(&m->x, MASK_GATHER, R11);
		x86_load(&m->x, m->bytes, TEMPORARY + 4, constant(m, lane));
		x86_vector(&m->x, bits_operation(m, X86_0F38, 0x16), m->bytes, TEMPORARY + 5, TEMPORARY + 4,
			   x86_register(from)); /* vpermps */
		store_masked(m, to, TEMPORARY + 5, MASK_GATHER);
		to.offset += m->bytes;
	}
}

/* One element after the other, through the frame. */
static void store_each(struct map_maker *m, struct x86_place to, int from, int64_t step)
{
	const struct x86_place frame = m->buffer;
	const int n = m->partial ? m->count : m->width;
	m->failed |= n == 0;
	x86_store(&m->x, m->bytes, frame, from);
	for (int i = 0; i < n; i++) {
		const struct x86_place lane = x86_memory(frame.number, frame.offset + i * m->real);
		x86_get(&m->x, m->real == 4, R11, lane);
		x86_put(&m->x, m->real == 4, x86_memory(to.number, to.offset + i * step * m->real), R11);
	}
}

void store_lanes(struct map_maker *m, int memory, int from)
{
	const struct x86_place to = address_of(m, memory);
	const int64_t step = lane_step(m, memory);
	m->failed |= step == 0;
	if (step == 1 && !m->partial) {
		x86_store(&m->x, m->bytes, to, from);
	} else if (step == 1 && m->x.avx512) {
		store_masked(m, to, from, MASK_REST);
	} else if (step == 1) {
		x86_vector(&m->x, part_operation(m, 0x2e), m->bytes, from, MASK_VECTOR, to);
	} else if (!m->x.avx512) {
		store_each(m, to, from, step);
	} else if (step == 2 && m->real == 4 && (!m->partial || m->count)) {
		store_second(m, to, from);
	} else {
		struct x86_operation op = {
			X86_0F38,      X86_66,	       m->real == 8, m->real == 8 ? 0xa3 : 0xa2, .mask = MASK_GATHER,
			.keeps = true, .unit = m->real};
		if (m->partial)
			x86_mask_copy(&m->x, MASK_GATHER, MASK_REST);
		else
			x86_mask_all(&m->x, MASK_GATHER);
		x86_load(&m->x, m->bytes, TEMPORARY + 4, ramp(m, step, 0));
		x86_vector(&m->x, op, m->bytes, from, 0, x86_lanes(to.number, to.offset, TEMPORARY + 4));
	}
}

/* ---- integers ---- */

static const struct map_mover *find_integer(struct map_maker *m, const int32_t *word)
{
	for (int i = NN_MAP_REGISTER; i < NN_MAP_REGISTER + m->n_integer; i++)
		if (m->mover[i].word == word)
			return &m->mover[i];
	m->failed = true;
	return &m->mover[NN_MAP_REGISTER];
}

void load_integer(struct map_maker *m, int to, const int32_t *word, bool lanes)
{
	const struct map_mover *at = find_integer(m, word);
	const int64_t by = lanes ? lane_factor(m, word) : 0;
	struct x86_operation op = bits_operation(m, X86_0F38, m->real == 8 ? 0x59 : 0x58);
	op.unit = m->real;
	x86_vector(&m->x, op, m->bytes, to, 0, frame_slot(at->home));
	if (by || at->offset)
		x86_vector(&m->x, bits_operation(m, X86_0F, m->real == 8 ? 0xd4 : 0xfe), m->bytes, to, to,
			   ramp(m, by, at->offset));
}

/* ---- what lies beyond an edge ---- */

static const int32_t *conditions_of(const struct map_maker *m, const int32_t *w)
{
	return w + 5 + m->strip->levels - m->strip->strip;
}

/* Jumps to where all is filled: conditions that are the same for all lanes. */
static int jump_outside(struct map_maker *m, const int32_t *conditions, size_t *jump)
{
	const int32_t *word = conditions + 1;
	int n = 0;
	for (int c = 0; c < *conditions; c++, word += 1 + m->n_index) {
		const struct map_mover *at = find_integer(m, word);
		if (lane_factor(m, word))
			continue;
		x86_get(&m->x, false, RAX, frame_slot(at->home));
		x86_add_to(&m->x, x86_register(RAX), at->offset);
		x86_or(&m->x, RAX, x86_register(RAX));
		jump[n++] = x86_jump(&m->x, X86_IF_NEGATIVE);
	}
	return n;
}

/* The mask of lanes for which the other conditions hold, too; the vector mask of AVX2 is in `in`. */
static int mask_inside(struct map_maker *m, const int32_t *conditions, int in)
{
	const int32_t *word = conditions + 1;
	int mask = mask_of(m);
	for (int c = 0; c < *conditions; c++, word += 1 + m->n_index) {
		struct x86_operation op;
		if (!lane_factor(m, word))
			continue;
		load_integer(m, TEMPORARY + 1, word, true);
		if (m->x.avx512) { /* no bit of the sign */
			op = bits_operation(m, X86_0F38, 0x27);
			op.prefix = X86_F3;
			op.mask = mask;
			op.keeps = true;
			x86_vector(&m->x, op, m->bytes, MASK_TEST, TEMPORARY + 1,
				   ramp(m, 0, m->real == 8 ? INT64_MIN : INT32_MIN));
			mask = MASK_TEST;
			continue;
		}
		op = m->real == 8 ? bits_operation(m, X86_0F38, 0x37) : bits_operation(m, X86_0F, 0x66);
		x86_vector(&m->x, op, m->bytes, TEMPORARY + 1, TEMPORARY + 1, ramp(m, 0, -1));
		if (mask)
			x86_vector(&m->x, bits_operation(m, X86_0F, 0xdb), m->bytes, in, mask,
				   x86_register(TEMPORARY + 1));
		else
			copy_vector(m, in, TEMPORARY + 1);
		mask = in;
	}
	return mask;
}

static void load_under_mask(struct map_maker *m, int to, int memory, int mask)
{
	const struct x86_place from = address_of(m, memory);
	const int64_t step = lane_step(m, memory);
	if (step == 1)
		load_row(m, to, from, mask);
	else if (step == 0 && !mask)
		x86_broadcast(&m->x, m->bytes, to, from);
	else
		load_apart(m, to, from, step, mask);
}

void make_load_inside(struct map_maker *m, const int32_t *w)
{
	const int32_t *conditions;
	const int result = TEMPORARY + 3, in = TEMPORARY + 2;
	struct x86_operation test;
	size_t jump[64], done;
	int n = 0, mask, fill;
	if (!m->strip || *(conditions = conditions_of(m, w)) > 60) {
		m->failed = true;
		return;
	}
	test = bits_operation(m, X86_0F, 0x7e); /* the uniform is 0 or 1, whose bits are not 0 */
	test.wide = m->real == 8;
	x86_vector(&m->x, test, 16, value_in(m, w[4], TEMPORARY), 0, x86_register(RAX));
	x86_or(&m->x, RAX, x86_register(RAX));
	jump[n++] = x86_jump(&m->x, X86_IF_ZERO);
	n += jump_outside(m, conditions, jump + n);
	mask = mask_inside(m, conditions, in);
	load_under_mask(m, result, w[2], mask);
	if (mask && mask != mask_of(m)) {
		fill = value_in(m, w[3], TEMPORARY + 1);
		choose(m, result, mask, fill, x86_register(result));
	}
	keep_result(m, w[1], result);
	done = x86_jump(&m->x, X86_ALWAYS);
	for (int i = 0; i < n; i++)
		x86_land(&m->x, jump[i]);
	keep_result(m, w[1], value_in(m, w[3], TEMPORARY + 1));
	x86_land(&m->x, done);
}
