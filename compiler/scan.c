/* scan.c - from raw tokens (nn.l) to the tokens of the grammar: what depends on the tokens around.
 *
 * A newline ends a statement unless it stands inside brackets, after something that asks for more, or before
 * something that continues. So a newline is kept back until the next token is known; that token is then held
 * while the end of line is given. A statement word (`input`, `loss`) is a keyword only as the first word of a
 * statement that has an operand, and a reducer only before "[". Comments with `##` and `#>` wait for the
 * definition on the next line, and travel with its keyword. */
#include "parse.h"

#include "nn.tab.h"

#include <string.h>

struct token {
	int kind;
	NNSTYPE value;
	struct span at;
};

int scan_raw(NNSTYPE *value, struct span *at, void *scanner);
int nnlex(NNSTYPE *value, struct span *at, struct parser *p);

/* Words that are keywords at the start of a statement. */
static const struct word {
	const char *text;
	int token;
} statement_words[] = {
	{"input", T_INPUT},	    {"target", T_TARGET},     {"setting", T_SETTING}, {"const", T_CONST},
	{"param", T_PARAM},	    {"frozen", T_FROZEN},     {"state", T_STATE},     {"layer", T_LAYER},
	{"optimizer", T_OPTIMIZER}, {"init", T_INIT},	      {"output", T_OUTPUT},   {"metric", T_METRIC},
	{"loss", T_LOSS},	    {"maximize", T_MAXIMIZE}, {"train", T_TRAIN},     {"include", T_INCLUDE},
	{"assert", T_ASSERT},	    {"part", T_PART},
};

static const char *skip_blanks(const char *text)
{
	while (*text == ' ' || *text == '\t' || *text == '\r')
		text++;
	return text;
}

/* A blank and then a letter, digit, string, parenthesis or minus: after `loss` this is a loss, not a name. */
static bool operand_follows(const char *text)
{
	const char *next = skip_blanks(text);
	return next > text && ((*next >= '0' && *next <= '9') || (*next >= 'a' && *next <= 'z') ||
			       (*next >= 'A' && *next <= 'Z') || (*next && strchr("_\"(-", *next)));
}

/* What a name is where it stands. first: it would begin a statement. */
static int classify_name(const struct parser *p, const char *name, struct span at, bool first)
{
	const char *rest = p->src->text + at.end, *next = skip_blanks(rest);
	if (*next == '[' && is_reducer(name))
		return T_RED;
	if (*next == '"' && strcmp(name, "only") == 0)
		return T_ONLY;
	if (*next == '"' && strcmp(name, "error") == 0 && p->in_example)
		return T_ERROR;
	if ((!first && p->last != T_FROZEN) || !operand_follows(rest))
		return T_NAME;
	if (p->last == T_FROZEN && strcmp(name, "param") == 0)
		return T_PARAM;
	for (size_t i = 0; first && i < sizeof statement_words / sizeof *statement_words; i++)
		if (*name == *statement_words[i].text && strcmp(name, statement_words[i].text) == 0)
			return statement_words[i].token;
	return T_NAME;
}

/* After these a newline ends nothing: there is more to come, or nothing to end. */
static const int ask_for_more[] = {
	0,   T_FILE, T_NL, '{', ',', '+',  '-',	 '*',	'/',  '@',   '^',     '%',  T_FLOOR, '=',    '<',
	'>', T_LE,   T_GE, '~', ':', T_EQ, T_NE, T_AND, T_OR, T_NOT, T_ARROW, T_IF, T_THEN,  T_ELSE, T_ADDEQ,
};
/* No statement starts with these, so such a line continues the one before. */
static const int continue_statement[] = {
	'+',  '-',  '*',  '/',	'%',   '@',  '^',     '<',    '>',    T_FLOOR,
	T_LE, T_GE, T_EQ, T_NE, T_AND, T_OR, T_ARROW, T_ELSE, T_THEN,
};
#define IS_IN(set, token) is_in(set, sizeof(set) / sizeof *(set), token)
static bool is_in(const int *set, size_t n, int token)
{
	for (size_t i = 0; i < n; i++)
		if (set[i] == token)
			return true;
	return false;
}

/* The innermost bracket that is open, or 0. */
static char innermost(const struct parser *p) { return (char)(p->open.n > 0 ? p->open.item[p->open.n - 1].kind : 0); }

static bool newline_ends_statement(const struct parser *p)
{
	bool inside = innermost(p) == '(' || innermost(p) == '[';
	return !inside && !p->after_binder && !IS_IN(ask_for_more, p->last);
}

/* The documentation that waits is nobody's. */
static void drop_documentation(struct parser *p)
{
	for (int i = 0; i < p->example.n; i++)
		report_warning(p->ctx, p->example.item[i], "example",
			       "this example stands directly above no definition, so it is not run");
	p->example.n = 0;
	p->doc = (struct text){.arena = &p->ctx->arena};
}

static bool alone_on_its_line(const struct parser *p, struct span at)
{
	uint32_t begin = at.begin;
	while (begin > p->begin && strchr(" \t\r", p->src->text[begin - 1]))
		begin--;
	return begin == p->begin || p->src->text[begin - 1] == '\n';
}

/* Keep a comment with ## or #>; it belongs together with the one on the line before. */
static void keep_documentation(struct parser *p, int kind, struct span at)
{
	if (!alone_on_its_line(p, at)) {
		if (kind == RAW_EXAMPLE)
			report_warning(p->ctx, at, "example",
				       "an example stands on a line of its own above a definition");
		return;
	}
	if (p->doc_line + 1 != p->line)
		drop_documentation(p);
	p->doc_line = p->line;
	while (at.end > at.begin && strchr(" \t\r", p->src->text[at.end - 1]))
		at.end--;
	at.begin += 2;
	if (kind == RAW_EXAMPLE) {
		list_add(&p->ctx->arena, &p->example, at);
		return;
	}
	if (at.begin < at.end && p->src->text[at.begin] == ' ')
		at.begin++;
	if (p->doc.at)
		text_add(&p->doc, "\n");
	text_add_bytes(&p->doc, p->src->text + at.begin, at.end > at.begin ? at.end - at.begin : 0);
}

/* The DEFINE that a keyword begins, with the documentation directly above it. */
static struct node *begin_definition(struct parser *p, struct span at, const char *what)
{
	struct node *node = LEAF(DEFINE, at);
	node->what = what;
	if (p->doc_line + 1 != p->line || !alone_on_its_line(p, at)) {
		drop_documentation(p);
		return node;
	}
	node->doc = p->doc.at;
	p->doc = (struct text){.arena = &p->ctx->arena};
	for (int i = 0; i < p->example.n; i++) {
		struct node *example = parse_range(p->ctx, p->example.item[i], T_EXAMPLE);
		if (example)
			list_add(&p->ctx->arena, &node->example, example);
	}
	p->example.n = 0;
	return node;
}

/* Turn a raw token into the grammar's. first: it would begin a statement. */
static void settle_token(struct parser *p, struct token *token, bool first)
{
	const char *name = token->kind == T_NAME ? token->value.T_NAME : NULL;
	if (name)
		token->kind = classify_name(p, name, token->at, first);
	switch (token->kind) {
	case T_DEF: token->value.T_DEF = begin_definition(p, token->at, "def"); break;
	case T_OPTIMIZER: token->value.T_OPTIMIZER = begin_definition(p, token->at, "optimizer"); break;
	case T_INIT: token->value.T_INIT = begin_definition(p, token->at, "init"); break;
	case T_RED: token->value.T_RED = name; /* fall through */
	default: drop_documentation(p);
	}
}

/* Keep count of what is open. A bracket that closes another kind stays out: the grammar reports it. */
static int follow_brackets(struct parser *p, int token, struct span at)
{
	p->after_binder = false;
	if ((token == ')' && innermost(p) == '(') || (token == ']' && innermost(p) == '[')) {
		p->open.n--;
		p->after_binder = p->open.item[p->open.n].binds;
	} else if (token == '}') {
		leave_brackets(p);
		p->open.n -= p->open.n > 0;
	} else if (token == '(' || token == '[' || token == '{') {
		if (p->open.n == MAX_DEPTH) {
			report_too_deep(p, at);
			return T_END;
		}
		list_add(&p->ctx->arena, &p->open, (struct bracket){(char)token, token == '[' && p->last == T_RED, at});
	}
	return token;
}

/* A { that was read last stays, without the brackets it wrongly stands in. */
void leave_brackets(struct parser *p)
{
	bool in_block = innermost(p) == '{';
	struct bracket last = in_block ? p->open.item[--p->open.n] : (struct bracket){0};
	while (innermost(p) && innermost(p) != '{')
		p->open.n--;
	if (in_block)
		p->open.item[p->open.n++] = last;
}

/* Read the next token that the grammar sees. True when a newline before it, at *newline, ends a statement. */
static bool read_token(struct parser *p, struct token *token, struct span *newline)
{
	bool ended = false;
	for (;;) {
		token->kind = p->stopped ? T_END : scan_raw(&token->value, &token->at, p->scanner);
		if (token->kind == RAW_DOC || token->kind == RAW_EXAMPLE) {
			keep_documentation(p, token->kind, token->at);
		} else if (token->kind != RAW_NEWLINE) {
			break;
		} else {
			p->line++;
			if (!ended && newline_ends_statement(p)) {
				ended = true;
				*newline = token->at;
			}
		}
	}
	if (token->kind == T_END) /* so that an error here shows the last line that has something */
		token->at = (struct span){p->src, p->last_end, p->last_end};
	bool first = ended || p->last == T_FILE || p->last == T_NL || p->last == '{' || p->last == '}';
	settle_token(p, token, first);
	return ended && !IS_IN(continue_statement, token->kind);
}

int nnlex(NNSTYPE *value, struct span *at, struct parser *p)
{
	struct token token = {0};
	struct span newline;
	if (p->start) {
		token = (struct token){.kind = p->start, .at = {p->src, p->offset, p->offset}};
		p->start = 0;
	} else if (p->held) {
		token = *p->held;
		p->held = NULL;
	} else if (read_token(p, &token, &newline)) {
		p->held = arena_alloc(&p->ctx->arena, sizeof token);
		*p->held = token;
		token = (struct token){.kind = T_NL, .at = newline};
	}
	token.kind = follow_brackets(p, token.kind, token.at);
	bool begins = token.kind == T_FILE || token.kind == T_NL || token.kind == '{' || token.kind == '}';
	p->place = begins ? 0 : p->place + 1;
	p->before = p->last;
	p->last = token.kind;
	p->last_end = token.at.end;
	*value = token.value;
	*at = token.at;
	return token.kind;
}

/* The bytes between the quotes, with \" \\ \n resolved. */
const char *read_string(struct parser *p, struct span at)
{
	const char *text = p->src->text;
	char *copy = arena_copy(&p->ctx->arena, text + at.begin + 1, at.end - at.begin - 2), *to = copy;
	for (uint32_t i = at.begin + 1; i < at.end - 1; i++) {
		char c = text[i];
		if (c == '\\') {
			c = text[++i];
			if (c == 'n')
				c = '\n';
			else if (c != '"' && c != '\\')
				report_error(p->ctx, (struct span){p->src, i - 1, i + 1},
					     "\"\\%c\" is no escape: only \\\", \\\\ and \\n are", c);
		}
		*to++ = c;
	}
	*to = 0;
	return copy;
}
