/* code_memory.c - pages for machine code, straight from the system. */
#define _DEFAULT_SOURCE
#include "code_memory.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

struct code_memory open_code(size_t most)
{
	void *at = mmap(NULL, most, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return at == MAP_FAILED ? (struct code_memory){NULL, 0} : (struct code_memory){at, most};
}

bool close_code(struct code_memory *code, size_t used)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), kept = (used + page - 1) / page * page;
	if (kept < code->size && munmap((uint8_t *)code->at + kept, code->size - kept) == 0)
		code->size = kept;
	if (used && mprotect(code->at, code->size, PROT_READ | PROT_EXEC) == 0)
		return true;
	if (code->size)
		free_code(*code);
	*code = (struct code_memory){NULL, 0};
	return false;
}

void free_code(struct code_memory code)
{
	if (code.at)
		munmap(code.at, code.size);
}
