/* near.h - for the drivers of generated C: compare with numbers that are known to some digits. */
#ifndef NEAR_H
#define NEAR_H

#include <math.h>
#include <stdio.h>

/* Whether got is want to the digits given: within tolerance; else says so and counts it. */
static int wrong;
static void near(const char *what, double got, double want, double tolerance)
{
	if (fabs(got - want) <= tolerance)
		return;
	printf("%s is %.10g, not %.10g\n", what, got, want);
	wrong++;
}

/* The same for n numbers. */
static void all_near(const char *what, const double *got, const double *want, int n, double tolerance)
{
	for (int i = 0; i < n; i++) {
		char name[100];
		sprintf(name, "%.80s[%d]", what, i);
		near(name, got[i], want[i], tolerance);
	}
}

/* For drivers that need not all of them. */
static inline void near_unused(void) { (void)all_near; }

#endif
