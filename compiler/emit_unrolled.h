/* emit_unrolled.h - groups that are written out: emit_unrolled.c goes through the elements, emit_unrolled_value.c
 * writes the value of each. */
#ifndef NNC_EMIT_UNROLLED_H
#define NNC_EMIT_UNROLLED_H

#include "emit_parts.h"

/* The values of a stage's slots, NULL where a slot stays an index (rows, steps of scans). */
struct place_values {
	struct expr *slot[64];
	int64_t value[64];
};

/* An index of rows, which stays one but where there is one row. */
bool is_row_slot(const struct body *b, const struct equation *eq, int slot);

/* Give a slot a number, but if it stays an index. */
void set_place(struct body *b, struct place_values *v, const struct equation *eq, int slot, int64_t value);
/* The next combination of the slots listed, the last one fastest; false after the last. */
bool advance_place(struct body *b, struct place_values *v, const struct equation *eq, const int *slots, int n);

/* "_3_0": which element, for names; and a name that has it. */
const char *element_suffix(struct body *b, const struct equation *eq, const struct place_values *v);
const char *element_name(struct body *b, const struct stage *stage, const struct place_values *v);

/* Its value is made in a variable of its own. */
static inline bool is_variable(const struct equation *eq)
{
	return eq->red != RED_NONE && eq->red != RED_SUM && eq->red != RED_PROD;
}

/* The terms of one element of a sum or product, joined; NULL: there are none. */
const char *joined_terms(struct body *b, const struct stage *stage, struct place_values *v);
/* The value of one element as text that can stand on the right of an assignment; what it needs is written before. */
const char *element_value(struct body *b, const struct stage *stage, struct place_values *v);

#endif
