/* text_real.c - real numbers as text and back: the shortest digits that give the same double, whatever the locale's
 * decimal point is. */
#include "memory.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The decimal point of the current locale, one or more bytes: whatever stands between 0 and 5 in "0.5". */
enum { POINT_SIZE = 16 };
static void find_decimal_point(char point[POINT_SIZE])
{
	char half[POINT_SIZE + 2] = "0.5";
	int n = snprintf(half, sizeof half, "%.1f", 0.5);
	if (n < 3 || n >= (int)sizeof half) {
		memcpy(point, ".", 2);
		return;
	}
	memcpy(point, half + 1, (size_t)n - 2);
	point[n - 2] = 0;
}

/* No fewer digits than these give the same double. Its nearest decimal of 15 is the one of fewer, if there is one, with
 * zeros behind. */
static int fewest_digits(double value)
{
	char digits[32];
	if (!isfinite(value) || fabs(value) < DBL_MIN)
		return 1;
	snprintf(digits, sizeof digits, "%.*e", DBL_DIG - 1, value);
	if (strtod(digits, NULL) != value) /* both in the current locale, so they agree */
		return DBL_DIG + 1;
	size_t n = strcspn(digits, "e");
	while (digits[n - 1] == '0')
		n--;
	int count = 0;
	while (n-- > 0)
		count += digits[n] >= '0' && digits[n] <= '9';
	return count > 0 ? count : 1;
}

void text_add_real(struct text *text, double value)
{
	char digits[64];
	if (isnan(value)) {
		text_add(text, "nan");
		return;
	}
	if (fabs(value) < 10 && value == floor(value)) { /* most are 0, 1 or 2 */
		text_printf(text, "%s%d", signbit(value) ? "-" : "", (int)fabs(value));
		return;
	}
	for (int precision = fewest_digits(value); precision <= 17; precision++) {
		snprintf(digits, sizeof digits, "%.*g", precision, value);
		if (strtod(digits, NULL) == value)
			break;
	}
	size_t whole = strspn(digits, "-0123456789");
	text_add_bytes(text, digits, whole);
	if (digits[whole] && digits[whole] != 'e' &&
	    digits[whole] != 'i') { /* the locale's decimal point, of any length */
		text_add(text, ".");
		whole += strcspn(digits + whole, "0123456789");
	}
	text_add(text, digits + whole);
}

double read_real(struct arena *arena, const char *digits, size_t n)
{
	struct text local = {.arena = arena};
	const char *at = n ? memchr(digits, '.', n) : NULL;
	size_t whole = at ? (size_t)(at - digits) : n;
	text_add_bytes(&local, digits, whole);
	if (at) {
		char point[POINT_SIZE];
		find_decimal_point(point);
		text_add(&local, point);
		text_add_bytes(&local, at + 1, n - whole - 1);
	}
	return strtod(local.at, NULL);
}
