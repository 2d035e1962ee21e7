/* builtin.h - the texts that are built into the compiler; compiler/embed.sh writes the C file that defines them. */
#ifndef NNC_BUILTIN_H
#define NNC_BUILTIN_H

#include <stddef.h>

/* The standard library: grammar/std, each file as "std/linear.nn", in the order of their names. */
struct builtin_source {
	const char *name, *text; /* size bytes and a 0 */
	size_t size;
};
extern const struct builtin_source builtin_sources[];
extern const int builtin_source_count;

/* The text of runtime/model.h, which every generated header carries. */
const char *model_header_text(void);
/* The text of compiler/tile_template.h. */
const char *tile_template_text(void);
/* And of compiler/add_template.h. */
const char *add_template_text(void);
/* And of compiler/panel_template.h. */
const char *panel_template_text(void);
/* And of compiler/math_template.h. */
const char *math_template_text(void);

#endif
