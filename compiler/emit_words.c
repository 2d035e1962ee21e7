/* emit_words.c - constants of code in process that are no text: what the routines of the host read, as they read it.
 *
 * A compiler takes longer for a table of numbers than for the function around it. So programs of vector instructions
 * and the shapes of tiles are handed over beside the text, as one list of words, which it calls nn_words. */
#include "emit_parts.h"

#include <string.h>

const char *words_text(struct emitter *e, const void *words, int n)
{
	int at = e->words.n;

	for (int i = 0; i < n; i++) {
		int32_t word;

		memcpy(&word, (const char *)words + (size_t)i * sizeof word, sizeof word);
		list_add(e->arena, &e->words, word);
	}
	while ((size_t)e->words.n * sizeof(int32_t) % sizeof(ptrdiff_t))
		list_add(e->arena, &e->words, 0);
	return arena_printf(e->arena, "nn_words + %d", at);
}

void declare_words(struct emitter *e)
{
	if (e->words.n)
		write_line(e, "extern const int nn_words[];");
}
