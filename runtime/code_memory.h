/* code_memory.h - pages for machine code: first they can be written, then executed, never both. */
#ifndef NNR_CODE_MEMORY_H
#define NNR_CODE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

struct code_memory {
	void *at; /* NULL: there is none */
	size_t size;
};

/* Room for code of any size up to this; what is not written costs nothing. */
struct code_memory open_code(size_t most);
/* The code is complete; what is behind it goes back. false: it cannot be executed, and is gone. */
bool close_code(struct code_memory *code, size_t used);
void free_code(struct code_memory code);

#endif
