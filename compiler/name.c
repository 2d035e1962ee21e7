/* name.c - a file's name as a C identifier. */
#include "name.h"

#include <string.h>

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

const char *prefix_of_file(struct arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	const char *end = strrchr(base, '.');
	size_t n = end && end > base ? (size_t)(end - base) : strlen(base);
	struct text text = {.arena = arena};
	/* names that start with _ or with a digit are not a program's own */
	if (n == 0 || !is_letter(*base) || *base == '_')
		text_add(&text, "model_");
	for (size_t i = 0; i < n; i++)
		text_add_bytes(&text, is_letter(base[i]) || is_digit(base[i]) ? base + i : "_", 1);
	return text.at;
}
