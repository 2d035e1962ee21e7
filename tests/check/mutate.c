/* mutate.c - compile damaged copies of models; whatever is in them, the compiler returns.
 *
 *   mutate SEED COUNT MODEL.nn...     COUNT copies in all; prints what became of them
 *
 * A copy has one to four of these: a byte changed, a piece removed or doubled, a piece of another model put in. The
 * copy under work is kept in the file `mutant`, for after a crash. */
#include "nnc.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 16 };
struct text {
	char at[MOST];
	size_t n;
};

static uint64_t state;
static size_t pick(size_t n)
{
	uint64_t z = state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return n ? (size_t)(z % n) : 0;
}

static int read_text(const char *path, struct text *t)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		return 0;
	t->n = fread(t->at, 1, sizeof t->at, file);
	fclose(file);
	return 1;
}

/* Replace n bytes at a place by m others. */
static void splice(struct text *t, size_t at, size_t n, const char *with, size_t m)
{
	if (t->n - n + m > MOST)
		return;
	char copy[256];
	m = m > sizeof copy ? sizeof copy : m;
	memcpy(copy, with, m);
	memmove(t->at + at + m, t->at + at + n, t->n - at - n);
	memcpy(t->at + at, copy, m);
	t->n += m - n;
}

static void mutate(struct text *t, const struct text *other)
{
	static const char marks[] = "[](){}.,;:=+-*/%@^<>~'\"#\n 0129xyij_";
	size_t at = pick(t->n), n = pick(12);
	if (n > t->n - at)
		n = t->n - at;
	switch (pick(4)) {
	case 0: splice(t, at, t->n > at, marks + pick(sizeof marks - 1), 1); break;
	case 1: splice(t, at, n, "", 0); break;
	case 2: splice(t, at, 0, t->at + at, n); break;
	case 3: {
		size_t from = pick(other->n), m = pick(24);
		splice(t, at, n, other->at + from, m > other->n - from ? other->n - from : m);
	}
	}
}

static void count(void *user, const nnc_message *message)
{
	int *errors = user;
	*errors += message->severity == NNC_ERROR && message->text && message->text[0];
}

int main(int argc, char **argv)
{
	static struct text model, other;
	long compiled = 0, refused = 0;
	if (argc < 4)
		return 2;
	long copies = atol(argv[2]);
	state = strtoull(argv[1], NULL, 10);
	for (long i = 0; i < copies; i++) {
		if (!read_text(argv[3 + pick((size_t)argc - 3)], &model) ||
		    !read_text(argv[3 + pick((size_t)argc - 3)], &other))
			return 3;
		for (size_t k = 1 + pick(4); k > 0 && model.n; k--)
			mutate(&model, &other);
		FILE *file = fopen("mutant", "wb");
		if (!file || fwrite(model.at, 1, model.n, file) != model.n || fclose(file))
			return 3;
		int errors = 0;
		nnc_options options = {.report = count, .user = &errors, .verify = true};
		nnc_model *m = nnc_compile("mutant.nn", model.at, model.n, &options);
		if (m && !(nnc_emit_c(m, NULL, NULL, NULL) && nnc_graph_text(m))) {
			printf("no output, and no error\n");
			return 1;
		}
		if (!m == !errors) {
			printf("%s\n", m ? "an error was reported, but there is a model" : "no model, and no error");
			return 1;
		}
		compiled += m != NULL;
		refused += m == NULL;
		nnc_free(m);
	}
	printf("%ld damaged models: %ld refused, %ld compiled\n", copies, refused, compiled);
	return 0;
}
