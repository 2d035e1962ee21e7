/* compare.c - two outputs of steps.c have the same names in the same order, and numbers that agree.
 *
 *   compare FILE FILE TOLERANCE     relative, to numbers of at least the size of 1; prints the first that is off */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 256 };

/* The next line, "name number": false at the end, or where that is not what stands there. */
static int next(FILE *file, char name[NAME], double *number)
{
	char line[NAME + 64], *end;
	char *space = fgets(line, sizeof line, file) ? strrchr(line, ' ') : NULL;
	if (!space || space - line >= NAME)
		return 0;
	*space = 0;
	strcpy(name, line);
	*number = strtod(space + 1, &end);
	return end > space + 1;
}

int main(int argc, char **argv)
{
	FILE *first = argc == 4 ? fopen(argv[1], "r") : NULL, *second = first ? fopen(argv[2], "r") : NULL;
	if (!second)
		return 2;
	double a, b, tolerance = strtod(argv[3], NULL);
	char name[NAME], other[NAME];
	while (next(first, name, &a)) {
		if (!next(second, other, &b))
			other[0] = 0;
		if (strcmp(name, other) != 0) {
			printf("%s and %s\n", name, *other ? other : "nothing");
			return 1;
		}
		double size = fabs(a) > 1 ? fabs(a) : 1;
		if (!(fabs(a - b) <= tolerance * size)) {
			printf("%s %.17g %.17g\n", name, a, b);
			return 1;
		}
	}
	if (!feof(first) || next(second, other, &b) || !feof(second)) {
		printf("more lines in one than in the other\n");
		return 1;
	}
	return 0;
}
