/* builtin.h - the texts that are built into the compiler; compiler/embed.sh writes the C file that defines them. */
#ifndef NNC_BUILTIN_H
#define NNC_BUILTIN_H

#include <stddef.h>
#include <stdint.h>

/* The standard library: grammar/std, each file as "std/linear.nn", in the order of their names. */
struct builtin_source {
	const char *name, *text; /* size bytes and a 0 */
	size_t size;
};
extern const struct builtin_source builtin_sources[];
extern const int builtin_source_count;

/* Where its definitions stand, ordered by name and then by what. */
struct builtin_definition {
	char what[10], name[38];
	int source;			  /* which of the files */
	uint32_t begin, name_at, end; /* bytes; the end: where the documentation of the next one begins */
};
extern const struct builtin_definition builtin_definitions[];
extern const int builtin_definition_count;

/* The text of runtime/model.h, which every generated header carries. */
const char *model_header_text(void);
/* The text of compiler/tile_template.h. */
const char *tile_template_text(void);
/* And of compiler/add_template.h. */
const char *add_template_text(void);
/* And of compiler/panel_template.h. */
const char *panel_template_text(void);
/* And of compiler/across_template.h. */
const char *across_template_text(void);
/* And of compiler/math_template.h. */
const char *math_template_text(void);

#endif
