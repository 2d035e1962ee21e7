/* decimal.h - decimal numbers as text (decimal.c). */
#ifndef NNR_DECIMAL_H
#define NNR_DECIMAL_H

/* Bytes of a text, from at to end. */
struct field {
	const char *at, *end;
};

enum number { IS_NUMBER, NOT_FINITE, NOT_A_NUMBER };

/* The double nearest to a decimal number; nothing else may stand in the field. */
enum number read_number(struct field field, double *value);

#endif
