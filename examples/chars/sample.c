/* sample.c - write text with the C of chars.nn or gpt.nn: sample LENGTH TEMPERATURE SEED PROMPT
 *
 *   nnc --prefix=text --inference-only --weights=embed --load chars.safetensors chars.nn -o text.c
 *   cc -O2 sample.c text.c -lm -o sample && ./sample 500 0.7 1 "ROMEO:"
 *
 * The weights are constants of text.c; nothing is read or allocated. The network gives scores for the byte after each
 * byte of a window. Here the window is what was written last; the next byte is drawn from the scores behind it. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

enum { WINDOW = TEXT_TEXT, CLASSES = TEXT_LOGITS / WINDOW };

/* Uniform in [0, 1): xorshift64* (Marsaglia 2003, Vigna 2016). */
static float draw(uint64_t *random)
{
	*random ^= *random >> 12;
	*random ^= *random << 25;
	*random ^= *random >> 27;
	return (float)(*random * UINT64_C(0x2545f4914f6cdd1d) >> 40) / 16777216.0f;
}

/* A class drawn with probabilities softmax(score / temperature). */
static int choose(const float *score, float temperature, uint64_t *random)
{
	float p[CLASSES], top = score[0], sum = 0;
	for (int i = 1; i < CLASSES; i++)
		top = fmaxf(top, score[i]);
	for (int i = 0; i < CLASSES; i++)
		sum += p[i] = expf((score[i] - top) / temperature);
	float rest = draw(random) * sum;
	for (int i = 0; i < CLASSES; i++)
		if ((rest -= p[i]) < 0)
			return i;
	return CLASSES - 1;
}

/* The last bytes written, and how many they are. */
struct window {
	int32_t byte[WINDOW];
	int n;
};

static void append(struct window *window, int byte)
{
	if (window->n == WINDOW)
		memmove(window->byte, window->byte + 1, (size_t)--window->n * sizeof window->byte[0]);
	window->byte[window->n++] = byte;
	putchar(byte);
}

int main(int argc, char **argv)
{
	static struct window window; /* what lies behind its last byte has no influence on that byte's scores */
	static float scores[WINDOW][CLASSES];
	static text_work1 work;
	if (argc != 5 || !*argv[4] || atof(argv[2]) <= 0) {
		fprintf(stderr, "usage: sample LENGTH TEMPERATURE SEED PROMPT\n");
		return 2;
	}
	float temperature = (float)atof(argv[2]);
	uint64_t random = strtoull(argv[3], NULL, 0) * 2 + 1; /* never 0 */
	for (const unsigned char *at = (const unsigned char *)argv[4]; *at; at++)
		append(&window, *at % CLASSES);
	for (int i = 0; i < atoi(argv[1]); i++) {
		text_forward1(&text_weights, window.byte, scores[0], &work);
		append(&window, choose(scores[window.n - 1], temperature, &random));
	}
	putchar('\n');
	return 0;
}
