/* nn.y - the grammar of the language, and the tree that each construct becomes (compiler/syntax.h).
 *
 * LALR(1) without conflicts. The places where that took a decision: a reducer is the last factor of its
 * product, `if` stands only at the start of an expression, the value for reads outside stands inside the
 * brackets, and the bounds of a slice are at the level of `or`. Newlines and statement words are settled
 * before tokens come here (compiler/scan.c). After a syntax error the rest of the statement is skipped,
 * with the block that it opens. */
%define api.pure full
%define api.prefix {nn}
%define api.token.prefix {T_}
%define api.location.type {struct span}
%define api.value.type union
%define parse.error custom
%define parse.lac full
%locations
%expect 0
%param {struct parser *p}
%initial-action { @$ = (struct span){p->src, p->offset, p->offset}; }

%code requires {
#include "parse.h"
}
%code {
#include "memory.h"
#include <string.h>

/* From the first symbol's begin to the last one's end; an empty rule stands at the end of what is before it. */
#define YYLLOC_DEFAULT(now, rhs, n)                                                                                    \
	((now) = (n) ? (struct span){p->src, YYRHSLOC(rhs, 1).begin, YYRHSLOC(rhs, n).end}                             \
		     : (struct span){p->src, YYRHSLOC(rhs, 0).end, YYRHSLOC(rhs, 0).end})

/* The parser's three stacks grow in the arena. Past MAX_STACK (1,000 nested brackets need less) they stay as they
 * are, which ends the parse. */
enum { MAX_STACK = 50000 };
#define yyoverflow(message, states, states_size, values, values_size, places, places_size, room)                       \
	do {                                                                                                           \
		if (*(room) >= MAX_STACK) {                                                                            \
			report_too_deep(p, yylloc);                                                                    \
			break;                                                                                         \
		}                                                                                                      \
		*(room) *= 2;                                                                                          \
		*(states) = move_stack(p, *(states), states_size, *(room), sizeof **(states));                         \
		*(values) = move_stack(p, *(values), values_size, *(room), sizeof **(values));                         \
		*(places) = move_stack(p, *(places), places_size, *(room), sizeof **(places));                         \
	} while (0)
static void *move_stack(struct parser *p, const void *stack, ptrdiff_t size, ptrdiff_t room, size_t item_size)
{
	return memcpy(arena_array(&p->ctx->arena, (size_t)room, item_size), stack, (size_t)size);
}
/* Only LAC's trial stack asks for this, which never outgrows its first 20 states: between two tokens at most
 * three empty rules are reduced. */
#define YYMALLOC(size) ((void)(size), NULL)
#define YYFREE(block) ((void)(block))

#define SPAN(first, last) ((struct span){p->src, (first).begin, (last).end})
#define OPERATION(op, op_at, left, right) make_operation(p, yyloc, op, op_at, left, right)

int nnlex(NNSTYPE *value, struct span *at, struct parser *p);
static void nnerror(const struct span *at, struct parser *p, const char *message);
}

%token END 0 "end of file"
%token FILE "file" EXAMPLE "example"
%token INPUT "input" TARGET "target" OUTPUT "output" PARAM "param" FROZEN "frozen" STATE "state" SETTING "setting" CONST "const"
%token LAYER "layer" RETURN "return" REPEAT "repeat" SCAN "scan" ASSERT "assert" LOSS "loss" MAXIMIZE "maximize"
%token METRIC "metric" TRAIN "train" INCLUDE "include" ONLY "only" PART "part" ERROR "error"
%token IF "if" THEN "then" ELSE "else" AND "and" OR "or" NOT "not" IN "in" NL "end of line"
%token ARROW "->" DOTS ".." FLOOR "//" LE "<=" GE ">=" EQ "==" NE "!=" ADDEQ "+="
%token <const char *> NAME "name" PRIMED "name'" RED "reducer" STR "string"
%token <struct node *> NUM "number"
%token <struct node *> DEF "def" OPTIMIZER "optimizer" INIT "init" /* the DEFINE, with its documentation */

%left OR
%left AND
%precedence NOT

%type <struct node_list *> stmts vars carries formals formal_list named strs options exprs args arg_list items lhss
%type <struct node *> block blocky ifstmt stmt lhs kept var dims type carry formal name1 only goal condition
%type <struct node *> expr pipe target call or add term product reduction factor postfix
%type <struct node *> arg item bound
%type <enum node_op> rel mulop

%%
start: FILE stmts                       { p->result = LIST_NODE(BLOCK, @$, $2); }
     | FILE stmts stmt                  { p->result = LIST_NODE(BLOCK, @$, add_node(p, $2, $3)); }
     | FILE stmts error
     | EXAMPLE expr '=' expr            { p->result = NODE(EXAMPLE, SPAN(@2, @4), $2, $4); }
     | EXAMPLE expr ERROR STR           { p->result = set_name(NODE(EXAMPLE, SPAN(@2, @4), $2, NULL), $4, @4); } ;

stmts: %empty                           { $$ = NULL; }
     | stmts NL
     | stmts stmt NL                    { $$ = add_node(p, $1, $2); }
     | stmts blocky                     { $$ = add_node(p, $1, $2); }
     | stmts error NL                   { yyerrok; }
     | stmts error block                { yyerrok; } ;
block: '{' stmts '}'                    { $$ = LIST_NODE(BLOCK, @$, $2); }
     | '{' stmts stmt '}'               { $$ = LIST_NODE(BLOCK, @$, add_node(p, $2, $3)); }
     | '{' stmts error '}'              { $$ = LIST_NODE(BLOCK, @$, $2); yyerrok; } ;

blocky: DEF NAME '(' formals ')' block  { $$ = make_definition(p, $1, @$, $2, @2, LIST_NODE(ITEMS, @4, $4), $6); }
      | OPTIMIZER NAME '(' formals ')' block { $$ = make_definition(p, $1, @$, $2, @2, LIST_NODE(ITEMS, @4, $4), $6); }
      | INIT NAME '(' formals ')' block { $$ = make_definition(p, $1, @$, $2, @2, LIST_NODE(ITEMS, @4, $4), $6); }
      | REPEAT add block                { $$ = NODE(REPEAT, @$, $2, $3); }
      | REPEAT NAME '<' add block       { $$ = set_name(NODE(REPEAT, @$, $4, $5), $2, @2); }
      | SCAN NAME '<' add carries block { $$ = set_name(NODE(SCAN, @$, $4, LIST_NODE(ITEMS, @5, $5), $6), $2, @2); }
      | PART NAME block                 { $$ = set_name(NODE(PART, @$, $3), $2, @2); }
      | ifstmt ;
ifstmt: IF condition block              { $$ = NODE(IFBLOCK, @$, $2, $3, NULL); }
      | IF condition block ELSE block   { $$ = NODE(IFBLOCK, @$, $2, $3, $5); }
      | IF condition block ELSE ifstmt  { $$ = NODE(IFBLOCK, @$, $2, $3, $5); } ;
condition: expr ;
carries: %empty                         { $$ = NULL; }
       | carries ',' carry              { $$ = add_node(p, $1, $3); } ;
carry: NAME dims '=' expr               { $$ = set_tensor_name(p, NODE(CARRY, @$, $2, $4), $1, @1); } ;

stmt: INPUT vars                        { $$ = set_name(LIST_NODE(DECLARE, @$, $2), "input", @1); }
    | TARGET vars                       { $$ = set_name(LIST_NODE(DECLARE, @$, $2), "target", @1); }
    | SETTING vars                      { $$ = set_name(LIST_NODE(DECLARE, @$, $2), "setting", @1); }
    | CONST vars                        { $$ = set_name(LIST_NODE(DECLARE, @$, $2), "const", @1); }
    | PARAM vars                        { $$ = set_name(LIST_NODE(DECLARE, @$, $2), "param", @1); }
    | FROZEN PARAM vars                 { $$ = set_name(LIST_NODE(DECLARE, @$, $3), "frozen", @1); }
    | STATE vars                        { $$ = set_name(LIST_NODE(DECLARE, @$, $2), "state", @1); }
    | OUTPUT named                      { $$ = LIST_NODE(OUTPUT, @$, $2); }
    | METRIC named                      { $$ = LIST_NODE(METRIC, @$, $2); }
    | LAYER NAME '=' expr               { $$ = set_name(NODE(LAYER, @$, $4), $2, @2); }
    | LOSS goal                         { $$ = $2; $$->at = @$; }
    | MAXIMIZE goal                     { $$ = $2; $$->at = @$; $$->maximize = true; }
    | TRAIN call options only           { $$ = NODE(TRAIN, @$, $2, LIST_NODE(ITEMS, @3, $3), $4); }
    | INCLUDE STR                       { $$ = set_name(LEAF(INCLUDE, @$), $2, @2); }
    | ASSERT expr ',' STR               { $$ = set_name(NODE(ASSERT, @$, $2), $4, @4); }
    | DEF NAME '(' formals ')' '=' expr {
		struct node *value = NODE(RETURN, @7, $7);
		$$ = make_definition(p, $1, @$, $2, @2, LIST_NODE(ITEMS, @4, $4), NODE(BLOCK, @7, value));
	}
    | lhs '=' expr                      { $$ = NODE(ASSIGN, @$, LIST_NODE(ITEMS, @1, add_node(p, NULL, $1)), $3); }
    | lhss '=' expr                     { $$ = NODE(ASSIGN, @$, LIST_NODE(ITEMS, @1, $1), $3); }
    | NAME '[' items ']' ADDEQ expr     { $$ = set_name(NODE(SCATTER, @$, LIST_NODE(ITEMS, @3, $3), $6), $1, @1); }
    | RETURN exprs                      { $$ = LIST_NODE(RETURN, @$, $2); } ;
lhs: NAME                               { $$ = set_tensor_name(p, NODE(LHS, @$, NULL), $1, @1); }
   | PRIMED                             { $$ = set_name(NODE(LHS, @$, NULL), $1, @1); $$->primed = true; }
   | NAME '[' items ']'                 { $$ = set_tensor_name(p, NODE(LHS, @$, LIST_NODE(ITEMS, @3, $3)), $1, @1); }
   | PRIMED '[' items ']'               { $$ = set_name(NODE(LHS, @$, LIST_NODE(ITEMS, @3, $3)), $1, @1); $$->primed = true; } ;
lhss: lhs ',' lhs                       { $$ = add_node(p, add_node(p, NULL, $1), $3); }
    | lhss ',' lhs                      { $$ = add_node(p, $1, $3); } ;
vars: kept                              { $$ = add_node(p, NULL, $1); }
    | vars ',' kept                     { $$ = add_node(p, $1, $3); } ;
kept: var
    | STR ':' var                       { $$ = $3; $$->at = @$; $$->label = $1; } ;
var: NAME dims type                     { $$ = set_tensor_name(p, NODE(VAR, @$, $2, $3, NULL, NULL), $1, @1); }
   | NAME dims type '=' expr            { $$ = set_tensor_name(p, NODE(VAR, @$, $2, $3, $5, NULL), $1, @1); }
   | NAME dims type '~' target          { $$ = set_tensor_name(p, NODE(VAR, @$, $2, $3, NULL, $5), $1, @1); } ;
dims: %empty                            { $$ = NULL; }
    | '[' ']'                           { $$ = LEAF(ITEMS, @$); }
    | '[' items ']'                     { $$ = LIST_NODE(ITEMS, @$, $2); } ;
type: %empty                            { $$ = NULL; }
    | ':' NAME dims                     { $$ = make_type(p, @$, $2, @2, $3); } ;
formals: %empty                         { $$ = NULL; }
       | formal_list ;
formal_list: formal                     { $$ = add_node(p, NULL, $1); }
           | formal_list ',' formal     { $$ = add_node(p, $1, $3); } ;
formal: NAME dims type                  { $$ = set_name(NODE(VAR, @$, $2, $3, NULL, NULL), $1, @1); }
      | NAME dims type '=' expr         { $$ = set_name(NODE(VAR, @$, $2, $3, $5, NULL), $1, @1); }
      | DOTS                            { $$ = LEAF(DOTS, @$); } ;
named: name1                            { $$ = add_node(p, NULL, $1); }
     | named ',' name1                  { $$ = add_node(p, $1, $3); } ;
name1: expr                             { $$ = NODE(ARG, @$, $1); }
     | NAME '=' expr                    { $$ = set_name(NODE(ARG, @$, $3), $1, @1); } ;
goal: expr only                         { $$ = NODE(LOSS, @$, $1, $2); }
    | NAME '=' expr only                { $$ = set_name(NODE(LOSS, @$, $3, $4), $1, @1); } ;
only: %empty                            { $$ = NULL; }
    | ONLY strs                         { $$ = LIST_NODE(ITEMS, @2, $2); } ;
strs: STR                               { $$ = add_node(p, NULL, set_name(LEAF(STRING, @1), $1, @1)); }
    | strs ',' STR                      { $$ = add_node(p, $1, set_name(LEAF(STRING, @3), $3, @3)); } ;
options: %empty                         { $$ = NULL; }
       | options NAME '=' factor        { $$ = add_node(p, $1, set_name(NODE(ARG, SPAN(@2, @4), $4), $2, @2)); } ;

exprs: expr                             { $$ = add_node(p, NULL, $1); }
     | exprs ',' expr                   { $$ = add_node(p, $1, $3); } ;
expr: IF expr THEN expr ELSE expr       { $$ = NODE(IF, @$, $2, $4, $6); }
    | pipe ;
pipe: or
    | pipe ARROW target                 { $$ = make_pipe(p, @$, $1, NULL, $3); }
    | pipe ARROW NAME ':' target        { $$ = make_pipe(p, @$, $1, $3, $5); }
    | pipe ARROW STR ':' target         { $$ = make_pipe(p, @$, $1, $3, $5); } ;
target: NAME                            { $$ = set_name(LEAF(NAME, @$), $1, @1); }
      | call ;
call: NAME '(' args ')'                 { $$ = make_call(p, @$, $1, @1, $3); } ;
or: or OR or                            { $$ = OPERATION(OP_OR, @2, $1, $3); }
  | or AND or                           { $$ = OPERATION(OP_AND, @2, $1, $3); }
  | NOT or                              { $$ = OPERATION(OP_NOT, @1, $2, NULL); }
  | add rel add                         { $$ = OPERATION($2, @2, $1, $3); }
  | add ;
rel: '<' { $$ = OP_LT; } | '>' { $$ = OP_GT; } | LE { $$ = OP_LE; } | GE { $$ = OP_GE; } | EQ { $$ = OP_EQ; } | NE { $$ = OP_NE; } ;
add: term
   | add '+' term                       { $$ = OPERATION(OP_ADD, @2, $1, $3); }
   | add '-' term                       { $$ = OPERATION(OP_SUB, @2, $1, $3); } ;
term: product
    | reduction
    | product mulop reduction           { $$ = OPERATION($2, @2, $1, $3); } ;
product: factor
       | product mulop factor           { $$ = OPERATION($2, @2, $1, $3); } ;
mulop: '*' { $$ = OP_MUL; } | '/' { $$ = OP_DIV; } | FLOOR { $$ = OP_FLOORDIV; } | '%' { $$ = OP_MOD; } | '@' { $$ = OP_MATMUL; } ;
reduction: RED '[' items ']' term       { $$ = set_name(NODE(REDUCE, @$, LIST_NODE(ITEMS, @3, $3), $5), $1, @1); }
         | '-' reduction                { $$ = OPERATION(OP_NEG, @1, $2, NULL); } ;
factor: postfix
      | postfix '^' factor              { $$ = OPERATION(OP_POW, @2, $1, $3); }
      | '-' factor                      { $$ = OPERATION(OP_NEG, @1, $2, NULL); } ;
postfix: postfix '[' items ']'          { $$ = NODE(SUBSCRIPT, @$, $1, LIST_NODE(ITEMS, @3, $3), NULL); }
       | postfix '[' items ELSE expr ']' { $$ = NODE(SUBSCRIPT, @$, $1, LIST_NODE(ITEMS, @3, $3), $5); }
       | postfix '.' NAME               { $$ = make_member(p, @$, $1, $3, @3); }
       | NAME                           { $$ = set_name(LEAF(NAME, @$), $1, @1); }
       | PRIMED                         { $$ = set_name(LEAF(PRIMED, @$), $1, @1); }
       | NUM
       | STR                            { $$ = set_name(LEAF(STRING, @$), $1, @1); }
       | call
       | '(' expr ')'                   { $$ = $2; }
       | '(' expr ',' exprs ')'         { $$ = LIST_NODE(TUPLE, @$, prepend_node(p, $2, $4)); }
       | '(' DOTS ',' exprs ')'         { $$ = LIST_NODE(TUPLE, @$, prepend_node(p, LEAF(DOTS, @2), $4)); }
       | '[' exprs ']'                  { $$ = LIST_NODE(ARRAY, @$, $2); } ;
args: %empty                            { $$ = NULL; }
    | arg_list ;
arg_list: arg                           { $$ = add_node(p, NULL, $1); }
        | arg_list ',' arg              { $$ = add_node(p, $1, $3); } ;
arg: expr                               { $$ = NODE(ARG, @$, $1); }
   | NAME '=' expr                      { $$ = set_name(NODE(ARG, @$, $3), $1, @1); } ;
items: item                             { $$ = add_node(p, NULL, $1); }
     | items ',' item                   { $$ = add_node(p, $1, $3); } ;
item: expr
    | DOTS                              { $$ = LEAF(DOTS, @$); }
    | NAME IN STR                       { $$ = set_name(NODE(MATCH, @$, set_name(LEAF(STRING, @3), $3, @3)), $1, @1); }
    | bound ':' bound                   { $$ = NODE(SLICE, @$, $1, $3, NULL); }
    | bound ':' bound ':' or            { $$ = NODE(SLICE, @$, $1, $3, $5); } ;
bound: %empty                           { $$ = NULL; }
     | or ;
%%

/* What may come next, in the words of a message: the tokens that begin a statement or an expression, and those
 * that continue an expression, are one phrase each. */
struct expected {
	bool next[YYNTOKENS]; /* tokens in no phrase yet */
	const char *phrase[YYNTOKENS];
	int n;
};

static const int begin_statement[] = {
	T_INPUT, T_TARGET, T_OUTPUT, T_PARAM,	T_FROZEN,  T_STATE, T_SETTING, T_CONST,	    T_LAYER, T_RETURN,
	T_SCAN,	 T_ASSERT, T_LOSS,   T_REPEAT,	T_METRIC,  T_TRAIN, T_INCLUDE, T_MAXIMIZE,  T_PART,  T_IF,
	T_DEF,	 T_INIT,   T_NAME,   T_PRIMED,	T_NL,	   T_END,   T_OPTIMIZER};
static const int begin_expression[] = {T_NAME, T_PRIMED, T_NUM, T_STR, T_RED, T_IF, T_NOT, '(', '[', '-'};
static const int continue_expression[] = {
	T_AND, T_OR, '+', '-', '*', '/', T_FLOOR, '%', '@', '^', '<', '>', T_LE, T_GE, T_EQ, T_NE, T_ARROW, '.', '[', '('};
#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

static bool may_follow(const struct expected *expected, int token) { return expected->next[YYTRANSLATE(token)]; }

/* If the token that tells may follow, so may the whole group: one phrase for all of it. */
static void merge_group(struct expected *expected, int telling, const int *group, int n, const char *phrase)
{
	if (!may_follow(expected, telling))
		return;
	for (int i = 0; i < n; i++)
		expected->next[YYTRANSLATE(group[i])] = false;
	expected->phrase[expected->n++] = phrase;
}

/* A token as it stands in messages: the classes of tokens by their name, all others in quotes. */
static const char *token_phrase(struct parser *p, yysymbol_kind_t symbol)
{
	static const int classes[] = {T_NAME, T_NUM, T_STR, T_RED, T_NL, T_END};
	const char *name = yysymbol_name(symbol);
	if (p->in_example && symbol == YYTRANSLATE(T_END))
		return "end of line";
	for (int i = 0; i < COUNT(classes); i++)
		if (symbol == YYTRANSLATE(classes[i]))
			return name;
	if (symbol == YYTRANSLATE(T_PRIMED))
		return "primed name";
	if (name[0] == '\'' && name[1]) /* a character of the grammar, '+' */
		return arena_printf(&p->ctx->arena, "\"%c\"", name[1]);
	return arena_printf(&p->ctx->arena, "\"%s\"", name);
}

static void list_expected(struct parser *p, struct expected *expected)
{
	merge_group(expected, T_DEF, begin_statement, COUNT(begin_statement), "a statement");
	merge_group(expected, T_NUM, begin_expression, COUNT(begin_expression), "an expression");
	merge_group(expected, '+', continue_expression, COUNT(continue_expression), "an operator");
	bool end_of_line = may_follow(expected, T_NL);
	if (end_of_line)
		expected->next[YYTRANSLATE(T_NL)] = expected->next[YYTRANSLATE(T_END)] = false;
	for (int i = 0; i < YYNTOKENS; i++)
		if (expected->next[i])
			expected->phrase[expected->n++] = token_phrase(p, (yysymbol_kind_t)i);
	if (end_of_line)
		expected->phrase[expected->n++] = "end of line";
}

static bool is_operator(int token)
{
	for (int i = 0; i < COUNT(continue_expression); i++)
		if (token == continue_expression[i])
			return true;
	return false;
}

/* The mistakes that deserve their own words. */
static const char *explain_mistake(struct parser *p, int token, struct span at, const struct expected *expected)
{
	bool operand = may_follow(expected, T_NUM), continues = may_follow(expected, '*');
	if (token == T_ELSE && p->before == ']')
		return "\"else\" after \"]\": the value for reads outside stands inside the brackets: x[i - 1 else 0]";
	if (token == T_IF && operand)
		return "\"if\" as an operand needs parentheses: (if c then a else b)";
	if (token == T_NOT && operand)
		return "\"not\" as an operand needs parentheses: (not a)";
	if (token == T_RED && operand)
		return "a reducer as an operand needs parentheses, unless it is the last factor: (sum[i] x[i]) + y";
	if (token == T_RED && may_follow(expected, T_NAME))
		return arena_printf(&p->ctx->arena, "\"%.*s\" is a reducer's name, so it cannot name a tensor",
				    (int)(at.end - at.begin), p->src->text + at.begin);
	if ((token == '<' || token == '>' || token == T_LE || token == T_GE || token == T_EQ || token == T_NE) && continues)
		return "comparisons do not chain: a < b and b < c";
	if (is_operator(token) && p->before == T_NAME && p->place == 2 && !p->in_example)
		return "a statement gives its value a name: y = x -> f";
	return NULL;
}

static bool on_earlier_line(const struct source *src, struct span first, struct span second)
{
	int line[2], column;
	find_place(src, first.begin, &line[0], &column);
	find_place(src, second.begin, &line[1], &column);
	return line[0] < line[1];
}

static int yyreport_syntax_error(const yypcontext_t *context, struct parser *p)
{
	struct span at = *yypcontext_location(context);
	yysymbol_kind_t next[YYNTOKENS], symbol = yypcontext_token(context);
	int n = yypcontext_expected_tokens(context, next, YYNTOKENS);
	struct expected expected = {.n = 0};
	struct bracket open = p->open.n ? p->open.item[p->open.n - 1] : (struct bracket){0};
	bool at_end = symbol == YYTRANSLATE(T_END);

	if (p->stopped) /* and said so */
		return 0;
	for (int i = 0; i < n; i++)
		expected.next[next[i]] = true;
	const char *mistake = explain_mistake(p, p->last, at, &expected);
	struct text list = {.arena = &p->ctx->arena};
	list_expected(p, &expected);
	for (int i = 0; i < expected.n && expected.n <= 5; i++)
		text_printf(&list, "%s%s", i == 0 ? ", expected " : i < expected.n - 1 ? ", " : " or ", expected.phrase[i]);
	if (mistake)
		report_error(p->ctx, at, "%s", mistake);
	else if (at_end && open.kind && !p->in_example)
		report_error(p->ctx, at, "unexpected end of file: \"%c\" is not closed", open.kind);
	else
		report_error(p->ctx, at, "unexpected %s%s", token_phrase(p, symbol), list.n ? list.at : "");
	if (open.kind && !p->in_example && (at_end || (open.kind != '{' && on_earlier_line(p->src, open.at, at))))
		report_note(p->ctx, open.at, "the \"%c\" is here", open.kind);
	p->stopped = p->ctx->distinct >= ENOUGH_ERRORS;
	leave_brackets(p);
	if (p->last == T_RED) /* else the "[" after it would hide the end of the line */
		p->last = T_NNerror;
	return 0;
}

/* Bison's own report: only that the stack is exhausted. */
static void nnerror(const struct span *at, struct parser *p, const char *message)
{
	(void)message;
	report_too_deep(p, *at);
}
