/* verify.h - what the two halves of the checker share: verify_equation.c (one equation), verify.c (tensors, the graph).
 */
#ifndef NNC_VERIFY_H
#define NNC_VERIFY_H

#include "graph.h"

enum { VERIFY_SCANS = 32 };

/* What is known of a tensor so far; bit p of each stands for part p. */
struct status {
	uint8_t mapped;	 /* by a map or view */
	uint8_t added;	 /* by a scatter */
	uint8_t read;	 /* after which it must not change */
	uint32_t scans;	 /* bit d: the body of the open scan of depth d defines it, before or behind the equation */
	uint8_t checked; /* as a tensor: once for inference (2), once for the rest (1) */
};

struct verifier {
	struct graph *g;
	struct status *status; /* by tensor id */
	enum part part;
	const struct equation *eq;
	struct table name[2];		       /* tensors by name: of inference, and of the rest */
	const struct scan *scan[VERIFY_SCANS]; /* those around the equation, outermost first */
	int scans;
	const char *fault; /* the first */
};

/* Keeps the first fault only. The message begins with the equation in work. */
void fault(struct verifier *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The tensor by itself: its place in the graph, name, shape, role. */
void check_tensor(struct verifier *v, const struct tensor *t);
/* v->eq, and what it does to the order of things. */
void check_equation(struct verifier *v);
/* Whether `part` defines t, as far as was seen. */
bool is_value_of(const struct verifier *v, const struct tensor *t, enum part part);
/* Whether t exists for v->part here. */
bool is_readable(const struct verifier *v, const struct tensor *t);

#endif
