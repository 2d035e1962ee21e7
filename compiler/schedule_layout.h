/* schedule_layout.h - what schedule_layout.c and schedule_classes.c share: values that may be turned, and their axes in
 * classes. */
#ifndef NNC_SCHEDULE_LAYOUT_H
#define NNC_SCHEDULE_LAYOUT_H

#include "schedule_operands.h"

enum { MOST_CLASSES = 32 };

/* A tensor that may be turned. */
struct value {
	struct tensor *old;
	int first;		   /* its axes are nodes first, first + 1 .. */
	int last;		   /* the axis that comes last now */
	struct tensor **with_last; /* by axis: the tensor with that one last, if there is one yet */
	bool copied;		   /* an input or a view, which stays as well */
};

/* An equation that is a sum of products. */
struct sum {
	struct equation *eq;
	uint32_t classes; /* candidates that it has */
	double cycles;	  /* as things are */
	double least;	  /* in any layout */
};

struct layouts {
	struct operands w;
	struct arena *arena;
	LIST(struct value) values;
	LIST(struct sum) sums;
	LIST(int) parent; /* of nodes, as a forest of classes */
	LIST(bool) window;
	int candidate[MOST_CLASSES]; /* roots */
	int n_candidate;
};

/* schedule_classes.c: whether any sum has a read in which several indices move along one axis: without windows there is
 * nothing to gain. */
bool has_windows(struct layouts *l, const equation_list *list);
/* The values of the list that may be turned. */
void find_values(struct layouts *l, const equation_list *list);
/* The sums of products, and the classes of axes that may come last. */
void find_candidates(struct layouts *l, const equation_list *list);
int find_class(struct layouts *l, int node);
/* NULL: it stays as it is. */
struct value *value_of(struct layouts *l, const struct tensor *t);
void remove_value(struct tensor *t);

#endif
