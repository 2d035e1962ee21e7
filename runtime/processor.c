/* processor.c - what this processor can run.
 *
 * The C library has asked it when the program started, and is asked here where it tells: the instruction that asks
 * takes some microseconds in a virtual machine, and the compiler's own support needs ten of them. */
#include "processor.h"

#include <string.h>

#if defined(__x86_64__)
#if defined(__has_include)
#if __has_include(<sys/platform/x86.h>)
#include <sys/platform/x86.h>
#endif
#endif
#ifdef CPU_FEATURE_ACTIVE
/* The library's CPU_FEATURE_ACTIVE, which shifts a signed 1 to the sign. */
static bool is_active(unsigned feature)
{
	enum { WORD = 32, LEAF = 4 * WORD };
	const struct cpuid_feature *leaf = __x86_get_cpuid_feature_leaf(feature / LEAF);
	return leaf->active_array[feature % LEAF / WORD] >> feature % WORD & 1;
}
#define HAS(LIBRARY, compiler) is_active(x86_cpu_##LIBRARY)
#else
#define HAS(LIBRARY, compiler) __builtin_cpu_supports(compiler)
#endif
#endif

bool processor_runs(const char *instructions)
{
#if defined(__x86_64__)
#ifndef CPU_FEATURE_ACTIVE
	__builtin_cpu_init();
#endif
	if (strcmp(instructions, "avx512") == 0)
		return HAS(AVX512F, "avx512f") && HAS(AVX512VL, "avx512vl") && HAS(FMA, "fma");
	if (strcmp(instructions, "avx2") == 0)
		return HAS(AVX2, "avx2") && HAS(FMA, "fma");
#endif
	return strcmp(instructions, "base") == 0;
}
