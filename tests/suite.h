/* suite.h - what Check needs around the tests of a unit: run them all, and the exit code for main. */
#ifndef NNC_TESTS_SUITE_H
#define NNC_TESTS_SUITE_H

#include <check.h>

/* cases ends with NULL. */
static inline int run_tests(const char *name, TCase *const *cases)
{
	Suite *suite = suite_create(name);
	SRunner *runner = srunner_create(suite);
	for (; *cases; cases++)
		suite_add_tcase(suite, *cases);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}

#endif
