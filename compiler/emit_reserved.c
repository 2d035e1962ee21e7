/* emit_reserved.c - names that the model's may not have in C.
 *
 * Both lists are in the order of strcmp: they are searched by halving. */
#include "emit_parts.h"

#include <stdlib.h>
#include <string.h>

/* Keywords of C99 and C++, macros and functions that a declaration of ours must not hide, and our own. */
static const char reserved[][17] = {
	"INFINITY", "NAN", "NULL", "_Bool", "_Complex", "_Imaginary", "add_lanes", "alignas", "alignof", "and", "and_eq", "asm",
	"assert", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char", "char16_t", "char32_t",
	"char8_t", "class", "co_await", "co_return", "co_yield", "compl", "concept", "const", "const_cast", "consteval",
	"constexpr", "constinit", "continue", "decltype", "default", "delete", "divide", "do", "double", "double_t",
	"dynamic_cast", "else", "enum", "errno", "explicit", "export", "extern", "false", "far", "fast_erf", "fast_exp",
	"fast_log", "fast_tanh", "float", "float_t", "for", "fpclassify", "friend", "goto", "i386", "if", "inline",
	"int", "int16_t", "int32_t", "int64_t", "int8_t", "inverse_erf", "isfinite", "isgreater", "isinf", "isless",
	"isnan", "isnormal", "isunordered", "larger", "linux", "long", "main", "major", "memcpy", "memset", "minor",
	"modulo", "mutable", "namespace", "near", "new", "nn_late", "nn_normal", "nn_normalf", "nn_parts", "nn_team", "nn_uniform", "nn_uniformf",
	"nn_words", "noexcept", "normal", "not", "not_eq", "nullptr", "offsetof", "operator", "or", "or_eq",
	"private", "protected", "ptrdiff_t", "public", "random_words", "register", "reinterpret_cast", "requires",
	"restrict", "return", "share_start", "short", "signbit", "signed", "signgam", "size_t", "sizeof", "smaller", "static",
	"static_assert", "static_cast", "stderr", "stdin", "stdout", "struct", "switch", "template", "this",
	"thread_local", "throw", "tile", "true", "try", "typedef", "typeid", "typename", "typeof", "uint16_t",
	"uint32_t", "uint64_t", "uint8_t", "uniform", "union", "unix", "unsigned", "using", "virtual", "void",
	"volatile", "wchar_t", "while", "xor", "xor_eq",
};

/* Functions of libm, which may have a suffix. */
static const char libm_names[][6] = {
	"acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "erf", "erfc", "exp", "exp2", "expm1", "fabs", "floor",
	"log", "log1p", "pow", "rint", "sin", "sinh", "sqrt", "tan", "tanh",
};

/* Of tiles: names with a number behind them, and the highest that there can be. */
static const char *const tile_names[] = {"tile", "lanes", "vector", "any_vector", "mask"};
enum { TILE_ROUTINES = 6 };

static int compare_names(const void *name, const void *other) { return strcmp(name, other); }

static bool is_libm_name(const char *name)
{
	enum { N = sizeof libm_names / sizeof *libm_names, SIZE = sizeof *libm_names };
	char bare[SIZE + 1];
	size_t n = strlen(name);

	if (bsearch(name, libm_names, N, SIZE, compare_names))
		return true;
	if (n < 2 || n > SIZE || !strchr("flq", name[n - 1]))
		return false;
	memcpy(bare, name, n - 1);
	bare[n - 1] = 0;
	return bsearch(bare, libm_names, N, SIZE, compare_names) != NULL;
}

static bool is_tile_name(const char *name)
{
	const char *bar = strrchr(name, '_');

	if (!bar || bar[1] < '1' || bar[1] > '0' + TILE_ROUTINES || bar[2])
		return false;
	for (size_t i = 0; i < sizeof tile_names / sizeof *tile_names; i++)
		if (strlen(tile_names[i]) == (size_t)(bar - name) &&
		    memcmp(tile_names[i], name, (size_t)(bar - name)) == 0)
			return true;
	return false;
}

bool is_reserved_in_c(const char *name)
{
	enum { N = sizeof reserved / sizeof *reserved, SIZE = sizeof *reserved };

	return bsearch(name, reserved, N, SIZE, compare_names) || is_libm_name(name) || is_tile_name(name);
}
