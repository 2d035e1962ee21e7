/* elaborate_building.h - the equation that is being built: its indices, and the sums and draws in it that become equations
 * of their own (elaborate_index.c, _read, _reduce, _pending, _equation). */
#ifndef NNC_ELABORATE_BUILDING_H
#define NNC_ELABORATE_BUILDING_H

#include "elaborate.h"

/* A reduction or draw inside the equation being built: becomes an equation of its own, before it. Until the
 * extents are known its value is a READ of `tensor` without subscripts. */
struct pending {
	struct tensor *tensor;
	struct tensor *count; /* stands for the number of terms (mean), replaced by it at the end; NULL: not a mean */
	enum reducer red;
	struct expr *value;
	uint64_t bound; /* slots it reduces */
	uint64_t uses;	/* free slots, once known */
	bool draw;
	bool total;	   /* its rows are the whole evaluated set's */
	int batch_slot;	   /* of the place it stands in */
	struct expr *read; /* how the rest reads it, once known */
	struct span at;
};

struct slot {
	const char *name;
	int64_t extent; /* -1: not known yet */
	int64_t weak;	/* from a read with `else`, taken where nothing else gives an extent; -1: none */
	bool rows, bound;
	bool data;	     /* the rows of the whole evaluated set */
	struct scope *scope; /* its name is visible here only */
	bool visible;
	struct span at, extent_at;
	const char *extent_from;
};

/* The axes `..` stands for in an equation: free ones or a reducer's. */
struct dots {
	int n;	   /* -1: not known yet */
	int first; /* slot */
	bool bound;
	struct scope *scope;
	struct span at;
};

struct range_check {
	struct expr *subscript;
	int64_t extent;
	int axis; /* from 1, for messages */
	struct span at;
	const char *tensor;
};

/* The equation being built. Slot 0 is always the sample's own index. */
struct building {
	struct slot slot[64];
	int n;
	int batch_slot; /* what a batched read uses: 0, or the slot bound by sum[batch] */
	LIST(struct dots) dots;
	LIST(struct pending) pending;
	LIST(struct range_check) checks;
	bool failed;
};

/* ---- elaborate_index.c: the indices of the equation that is being built ---- */
void begin_equation(struct elaborator *E, struct building *b);
int find_slot(struct elaborator *E, const char *name);
int add_slot(struct elaborator *E, const char *name, int64_t extent, bool bound, struct span at);
/* What `..` stands for in a read: n axes, their indices into out. */
bool read_dots(struct elaborator *E, const struct node *item, int n, const struct axis *axis, const char *name,
	       struct expr **out);
bool is_samples_index(const struct node *n);
bool declare_indices(struct elaborator *E, const struct node *items, bool bound, int *slot, int *n, bool *batch);
/* An index has the extent of the axis that it alone is a subscript of. */
bool unify_extent(struct elaborator *E, int slot, const struct axis *axis, struct span at, const char *from);
bool check_extents(struct elaborator *E);
void list_indices(const struct building *b, struct index index[64]);

/* ---- elaborate_read.c ---- */
const char *read_name(const struct node *n);
struct value eval_read(struct elaborator *E, const struct node *n, struct value base);
struct value eval_read_alone(struct elaborator *E, const struct node *n, struct value base);

/* ---- elaborate_reduce.c ---- */
struct value eval_reduce(struct elaborator *E, const struct node *n);
struct value whole_reduce(struct elaborator *E, struct span at, enum reducer red, struct value v, bool mean);

/* ---- elaborate_pending.c: reductions and draws inside the equation ---- */
struct tensor *placeholder(struct elaborator *E, const char *name, enum elem elem, struct span at);
struct value add_pending(struct elaborator *E, struct pending p, bool mean);
struct value pending_draw(struct elaborator *E, struct span at, enum draw draw, const char *site);
uint64_t settle_uses(struct elaborator *E, struct expr *value, bool batched);
int64_t count_terms(const struct building *b, uint64_t bound);
struct expr *resolve_read(void *user, struct expr *read); /* user: the elaborator */

/* ---- elaborate_equation.c ---- */
void assign_equation(struct elaborator *E, const struct node *lhs, const struct node *rhs);
/* Turn what was built into equations of the current part. lhs: slots of the left side's own axes in order.
 * into NULL: a new tensor `name`. Returns the tensor or NULL after errors. */
struct value finish_equation(struct elaborator *E, struct value v, const int *lhs, int nlhs, bool batched,
			     struct tensor *into, const char *name, struct span at);

#endif
