/* parse.h - what the scanner (nn.l, scan.c), the grammar (nn.y) and parse.c share. Private to them. */
#ifndef NNC_PARSE_H
#define NNC_PARSE_H

#include "syntax.h"

enum { MAX_DEPTH = 1000 }; /* of brackets, and of the tree */

/* Grows as the grammar adds nodes, then becomes the kids of a node. */
struct node_list {
	struct node **item;
	int n, room;
};

struct bracket {
	char kind;  /* ( [ { */
	bool binds; /* the [ of a reducer */
	struct span at;
};

/* One parse: of a file, or of an example in a file's comments. */
struct parser {
	struct context *ctx;
	const struct source *src;
	void *scanner;
	struct node *result;
	bool in_example;
	uint32_t begin;	    /* first byte of the range that is parsed */
	uint32_t offset;    /* of the next byte to scan */
	uint32_t last_end;  /* end of the last token */
	int line;	    /* newlines scanned so far */
	int start;	    /* the pseudo token to give first, then 0 */
	int before, last;   /* the last two tokens given */
	int place;	    /* how many tokens of this statement were given */
	bool after_binder;  /* last is the ] of a reducer */
	bool stopped;	    /* nested too deep, or enough errors: the input ends here */
	struct token *held; /* read, to be given after the end of a line */
	LIST(struct bracket) open;
	/* documentation waiting for the definition on the next line */
	struct text doc;
	LIST(struct span) example;
	int doc_line; /* line of its last line */
};

/* Raw tokens that the grammar does not see. */
enum { RAW_NEWLINE = 10000, RAW_DOC, RAW_EXAMPLE };

/* nn.l: scan bytes [begin, end) of p->src. */
void begin_scan(struct parser *p, uint32_t begin, uint32_t end);

/* scan.c */
const char *read_string(struct parser *p, struct span at); /* the bytes between the quotes, escapes resolved */
void leave_brackets(struct parser *p);			   /* after an error: forget what is open, up to a { */

/* parse.c */
struct node *parse_range(struct context *ctx, struct span range, int start);
void report_too_deep(struct parser *p, struct span at);

/* Building the tree. A list may be NULL, which is empty; kids may be NULL where syntax.h allows it. */
struct node_list *add_node(struct parser *p, struct node_list *list, struct node *node);
struct node_list *prepend_node(struct parser *p, struct node *node, struct node_list *list);
struct node *make_node(struct parser *p, enum node_kind kind, struct span at, int n, struct node *const *kid);
struct node *make_list(struct parser *p, enum node_kind kind, struct span at, const struct node_list *kids);
struct node *make_operation(struct parser *p, struct span at, enum node_op op, struct span op_at, struct node *left,
			    struct node *right);
struct node *make_number(struct parser *p, struct span at, const char *digits, size_t n);
struct node *make_call(struct parser *p, struct span at, const char *name, struct span name_at, struct node_list *args);
struct node *make_pipe(struct parser *p, struct span at, struct node *value, const char *label, struct node *target);
struct node *make_member(struct parser *p, struct span at, struct node *base, const char *path, struct span path_at);
struct node *make_type(struct parser *p, struct span at, const char *name, struct span name_at, struct node *dims);
struct node *make_definition(struct parser *p, struct node *node, struct span at, const char *name, struct span name_at,
			     struct node *formals, struct node *body);
struct node *set_name(struct node *node, const char *name, struct span at);
/* The same for the name of a tensor, which may not be a reducer's. */
struct node *set_tensor_name(struct parser *p, struct node *node, const char *name, struct span at);
bool is_reducer(const char *name);

#define NODE(kind, at, ...)                                                                                            \
	make_node(p, NODE_##kind, at, (int)(sizeof((struct node *[]){__VA_ARGS__}) / sizeof(struct node *)),           \
		  (struct node *[]){__VA_ARGS__})
#define LEAF(kind, at) make_node(p, NODE_##kind, at, 0, NULL)
#define LIST_NODE(kind, at, list) make_list(p, NODE_##kind, at, list)

#endif
