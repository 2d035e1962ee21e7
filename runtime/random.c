/* random.c - the random words of generated code, for code that libtcc compiles.
 *
 * Initial values are most of what a program waits for before its first step, and the ten rounds of Philox4x32-10
 * (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011) take libtcc's code ten times as long as this.
 * These are integers, so all compilers agree on them; what is made of them stays in the generated code. */
#include "random.h"

void random_words(const nn_run *run, uint64_t place, int row, int element, uint32_t word[4])
{
	uint64_t key = run->seed ^ place;
	uint32_t key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);
	uint32_t w0 = (uint32_t)element, w1 = (uint32_t)row, w2 = (uint32_t)run->step, w3 = 0;
	for (int round = 0; round < 10; round++) {
		uint64_t a = (uint64_t)0xD2511F53u * w0, b = (uint64_t)0xCD9E8D57u * w2;
		w0 = (uint32_t)(b >> 32) ^ w1 ^ key0;
		w1 = (uint32_t)b;
		w2 = (uint32_t)(a >> 32) ^ w3 ^ key1;
		w3 = (uint32_t)a;
		key0 += 0x9E3779B9u;
		key1 += 0xBB67AE85u;
	}
	word[0] = w0;
	word[1] = w1;
	word[2] = w2;
	word[3] = w3;
}
