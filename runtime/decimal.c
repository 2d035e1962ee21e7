/* decimal.c - decimal numbers as data files have them, read fast and rounded right. */
#include "decimal.h"

#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Digits that do not fit the quick way: let the C library round them, with its locale's decimal point. */
static enum number read_slowly(struct field field, double *value)
{
	char digits[512];
	size_t n = (size_t)(field.end - field.at);
	const char *point = localeconv()->decimal_point;
	const char *dot = memchr(field.at, '.', n);
	if (n + strlen(point) >= sizeof digits)
		return NOT_A_NUMBER;
	if (dot)
		snprintf(digits, sizeof digits, "%.*s%s%.*s", (int)(dot - field.at), field.at, point,
			 (int)(field.end - dot - 1), dot + 1);
	else
		snprintf(digits, sizeof digits, "%.*s", (int)n, field.at);
	*value = strtod(digits, NULL);
	return isfinite(*value) ? IS_NUMBER : NOT_FINITE;
}

static bool is_word(const char *at, const char *end, const char *word)
{
	for (; at < end && *word && tolower((unsigned char)*at) == *word; at++)
		word++;
	return at == end && !*word;
}

/* At most 2^53 in digits times a power of ten up to 10^22 are both exact doubles, so that one
 * operation on them rounds correctly. */
enum number read_number(struct field field, double *value)
{
	static const double power[] = {1e0,  1e1,  1e2,	 1e3,  1e4,  1e5,  1e6,	 1e7,  1e8,  1e9,  1e10, 1e11,
				       1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	const char *p = field.at, *end = field.end;
	bool negative = p < end && *p == '-';
	if (p < end && (*p == '-' || *p == '+'))
		p++;
	if (is_word(p, end, "nan") || is_word(p, end, "inf") || is_word(p, end, "infinity"))
		return NOT_FINITE;
	uint64_t digits = 0;
	int n = 0, exponent = 0;
	bool exact = true, point = false;
	for (; p < end && (isdigit((unsigned char)*p) || (*p == '.' && !point)); p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		n++;
		exact = exact && digits < (UINT64_C(1) << 53) / 10;
		if (exact)
			digits = digits * 10 + (uint64_t)(*p - '0');
		exponent -= point;
	}
	if (n == 0)
		return NOT_A_NUMBER;
	if (p < end && (*p == 'e' || *p == 'E')) {
		int written = 0;
		bool minus = p + 1 < end && p[1] == '-';
		p += p + 1 < end && (p[1] == '-' || p[1] == '+') ? 2 : 1;
		if (p == end)
			return NOT_A_NUMBER;
		for (; p < end && isdigit((unsigned char)*p); p++)
			written = written < 10000 ? written * 10 + (*p - '0') : written;
		exponent += minus ? -written : written;
	}
	if (p < end)
		return NOT_A_NUMBER;
	if (!exact || exponent < -22 || exponent > 22)
		return read_slowly(field, value);
	*value = exponent < 0 ? (double)digits / power[-exponent] : (double)digits * power[exponent];
	if (negative)
		*value = -*value;
	return IS_NUMBER;
}
