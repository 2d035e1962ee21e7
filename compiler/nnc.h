/* nnc.h - the compiler as a library: text to graph, graph to C. No globals, nothing printed, no exit.
 *
 *   nnc_model *m = nnc_compile("mnist.nn", text, strlen(text), &options);
 *   if (m) { puts(nnc_emit_c(m, "mnist.h", NULL, NULL)); nnc_free(m); }
 *
 * Everything returned belongs to the model and lives until nnc_free. */
#ifndef NNC_H
#define NNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NNC_VERSION "0.1.0"

enum nnc_severity { NNC_ERROR, NNC_WARNING, NNC_NOTE };

/* One message. line and column count from 1, 0: no place. source_line is the line's text without its end;
 * column..column_end (exclusive) is the part it is about. */
typedef struct nnc_message {
	enum nnc_severity severity;
	const char *file;
	int line, column, column_end;
	const char *text, *source_line;
	const char *group; /* warnings: the name that -Wno-NAME takes; else NULL */
} nnc_message;

enum nnc_real { NNC_FLOAT, NNC_DOUBLE, NNC_QUAD };      /* QUAD: __float128, to verify derivatives */
enum nnc_unroll { NNC_UNROLL_AUTO, NNC_UNROLL_ALL, NNC_UNROLL_NONE };
enum nnc_fp { NNC_FP_FAST, NNC_FP_STRICT };             /* STRICT: the same bits from every compiler */
/* The machine that C in a file is for. AUTO: any, as the C compiler's macros say; SCALAR: plain loops only. */
enum nnc_target { NNC_TARGET_AUTO, NNC_TARGET_AVX512, NNC_TARGET_AVX2, NNC_TARGET_SSE2, NNC_TARGET_NEON, NNC_TARGET_SCALAR };

/* How nnr_open (runtime.h) makes code: by libtcc, at once; by the machine's C compiler, which is waited for; or first by
 * libtcc, and between two calls by the C compiler when it is done, if there is one. */
enum nnc_jit { NNC_JIT_TCC, NNC_JIT_CC, NNC_JIT_AUTO };

/* Zero is the default of every field. Strings are borrowed until nnc_free. */
typedef struct nnc_options {
	void (*report)(void *user, const nnc_message *message); /* NULL: messages are dropped */
	void *user;                                             /* handed to the callbacks */
	void *(*allocate)(void *user, void *block, size_t size); /* realloc's contract; size 0 frees. NULL: the C library's */
	bool *out_of_memory;                                    /* set where memory ran out; may be NULL */
	/* Return the text of an included file (kept until nnc_free) or NULL; *size its length. NULL: files, beside the one
	 * that includes them or along include_path. */
	const char *(*open)(void *user, const char *path, size_t *size);
	const char *const *include_path; /* NULL-terminated */
	const char *const *define;       /* NULL-terminated "NAME=VALUE" of -D: overrides const */
	const char *prefix;              /* of generated names; NULL: the file's name */
	int batch;                       /* 0: the train line's, or 32 */
	enum nnc_real real;
	enum nnc_unroll unroll;
	enum nnc_fp fp;
	enum nnc_target target;
	int64_t ram;                     /* bytes that params, state and work may take together; 0: any. It is an error if they
	                                    cannot. Where nothing is trained, params do not count */
	bool inference_only;
	bool no_simplify;                /* leave the graph as the chain rule made it (tests) */
	const char *dump;                /* pass after which nnc_dump_text is taken: elaborate, differentiate, simplify */
	bool verify;                     /* check the graph after each pass */
	int check_loss;                  /* for derivative checks: k > 0 leaves the k-th loss only and params that it trains,
	                                    and adds a param x.offset[batch, ...], 0 at first, to every real input x in
	                                    training: its gradient is the input's. No update */
	int threads;                     /* that train; 0: one, and batches are not split. The C has a function for a team of
	                                    them where that is the best way */
	/* Read by the run-time library alone: */
	enum nnc_jit jit;
	const char *cache;               /* folder for what the C compiler makes; "none": it is not kept; NULL: nnc in
	                                    $XDG_CACHE_HOME or ~/.cache */
} nnc_options;

/* Tiles for sums of products that code in this process may call: those of runtime/tile.h. */
typedef struct nnc_tiles {
	int lanes, registers;      /* of vectors: reals in one, how many there are */
	int rows, columns;         /* of an outer product, at most; columns count vectors */
	int dot_rows, dot_columns; /* of a dot product */
	int sums;                  /* loops within a tile, at most 4 */
	bool code;                 /* each tile has code of its own: they may be smaller at the end of an index, and lie across samples */
	bool maps;                 /* whether there are the programs of runtime/map.h, too */
} nnc_tiles;

typedef struct nnc_model nnc_model;

/* Compile a model's text; name is used in messages and for the prefix. NULL after errors (reported) or when memory
 * runs out (reported as "out of memory" if that is possible). options may be NULL. */
nnc_model *nnc_compile(const char *name, const char *text, size_t size, const nnc_options *options);
void nnc_free(nnc_model *model);

/* Views of a compiled model; NULL when memory runs out, or after an error that was reported (--unroll=all beyond its
 * limit). */
const char *nnc_graph_text(nnc_model *model);
const char *nnc_dot_text(nnc_model *model);
const char *nnc_dump_text(nnc_model *model);                 /* the graph after options.dump, or NULL */
const char *nnc_summary_text(nnc_model *model);
/* The C file. header: the name to include ("mnist.h"), or NULL to put the header's text in the file itself.
 * weights: NULL, or params as the generated struct has them, to embed as constants; with them state: NULL, or a state,
 * as nnr_params and nnr_state give them. */
const char *nnc_emit_c(nnc_model *model, const char *header, const void *weights, const void *state);
const char *nnc_emit_header(nnc_model *model, const char *header);
/* The same C for a compiler in this process: it includes nothing and declares what it calls, of libm, mem*,
 * what runtime/random.h has and, unless tiles is NULL, the routines of runtime/tile.h and map.h; tiles stay where they are
 * until nnc_free. There is no forward1, as forward takes one row as well.
 *
 * The text may be had in parts, each when something first calls what is in it. `functions` tells which functions of
 * nn_model are wanted, a bit each in the order of its fields; those that the model has not are left out. Their names are
 * any_init, any_forward and so on. The text with init has in place of a function that is in another part one that calls
 * what `void *nn_late(void *parts, int number)` returns for it (NULL: nothing), with the address of `nn_parts`. */
const char *nnc_emit_in_process(nnc_model *model, const nnc_tiles *tiles, unsigned functions);
/* What the text of the last part has as `extern const int nn_words[]`: *n words of 32 bits, gone with the next part. They
 * are to lie where a ptrdiff_t may, and to stay while the code is called. */
const int32_t *nnc_words(const nnc_model *model, size_t *n);
/* Where among these words each program of runtime/map.h begins whose function that text calls as nn_maps[0], nn_maps[1],
 * ...: what runs any such program, or it alone. */
const int32_t *nnc_maps_in_process(const nnc_model *model, int *n);
/* The descriptor of that code without its functions, which are NULL in it; until nnc_free. */
const struct nn_model *nnc_descriptor(nnc_model *model);
/* The tiles that the last such text calls as nn_tiles[0], nn_tiles[1], ..., to be given their functions (runtime/tile.h). */
const struct nn_tile *nnc_tiles_in_process(const nnc_model *model, int *n);
/* Whether it has a function `step`: a loss, and a train line. */
bool nnc_trains(const nnc_model *model);
/* Bytes that it holds. */
size_t nnc_memory(const nnc_model *model);
const char *nnc_prefix(const nnc_model *model);
/* The losses, k from 0: one, unless some have `only`. NULL beyond the last. */
const char *nnc_loss_name(const nnc_model *model, int k);
/* Files that were included, for -MD; NULL-terminated. */
const char *const *nnc_dependencies(nnc_model *model);

/* A handle that holds no model, for nnc_library_help only. */
nnc_model *nnc_library(const nnc_options *options);
/* The definitions of the standard library as one text: name, formals, doc lines, examples. name: only the one of that
 * name, NULL if there is none; NULL: all. */
const char *nnc_library_help(nnc_model *model, const char *name);

/* The nearest of n names, for "did you mean", or NULL if none is near. */
const char *nnc_nearest(const char *name, const char *const *names, int n);

#ifdef __cplusplus
}
#endif
#endif
