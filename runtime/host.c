/* host.c - what the run-time library asks of its host: memory, and an ear for messages. */
#define _DEFAULT_SOURCE
#include "handle.h"

#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

static void *allocate_from_c_library(void *user, void *block, size_t size)
{
	(void)user;
	if (size == 0) {
		free(block);
		return NULL;
	}
	return realloc(block, size);
}

void host_init(struct host *host, const nnc_options *options)
{
	*host = (struct host){.allocate = allocate_from_c_library};
	if (!options)
		return;
	if (options->allocate)
		host->allocate = options->allocate;
	host->report = options->report;
	host->user = options->user;
}

void *host_alloc(const struct host *host, size_t count, size_t size)
{
	bool overflow = size && count > SIZE_MAX / size;
	void *block;
	if (host->allocate ==
	    allocate_from_c_library) /* pages that are never used, as of gradients, are never touched */
		block = calloc(count ? count : 1, size ? size : 1);
	else if ((block = overflow ? NULL : host->allocate(host->user, NULL, count && size ? count * size : 1)))
		memset(block, 0, count * size);
	if (!block)
		host_fail(host, NNR_MEMORY, NULL, "out of memory");
	return block;
}

/* Where this cannot be had nothing is lost. */
void host_expect(void *block, size_t size)
{
#ifdef MADV_POPULATE_WRITE
	enum { PAGE = 4096 };
	char *first = (char *)block + (PAGE - (uintptr_t)block % PAGE) % PAGE;
	if (size > (size_t)(first - (char *)block) + PAGE)
		(void)madvise(first, (size_t)((char *)block + size - first) / PAGE * PAGE, MADV_POPULATE_WRITE);
#else
	(void)block;
	(void)size;
#endif
}

void *host_resize(const struct host *host, void *block, size_t size)
{
	void *resized = host->allocate(host->user, block, size ? size : 1);
	if (!resized)
		host_fail(host, NNR_MEMORY, NULL, "out of memory");
	return resized;
}

void host_free(const struct host *host, void *block)
{
	if (block)
		host->allocate(host->user, block, 0);
}

enum { MAX_MESSAGE = 2000 }; /* longer ones are cut: a message must not need memory */

static void send(const struct host *host, enum nnc_severity severity, struct place at, const char *format, va_list args)
{
	char text[MAX_MESSAGE];
	if (!host->report)
		return;
	vsnprintf(text, sizeof text, format, args);
	nnc_message message = {.severity = severity,
			       .file = at.file,
			       .line = at.line,
			       .column = at.column,
			       .column_end = at.column_end,
			       .source_line = at.source_line,
			       .text = text};
	host->report(host->user, &message);
}

void host_report(const struct host *host, enum nnc_severity severity, struct place at, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	send(host, severity, at, format, args);
	va_end(args);
}

nnr_status host_fail(const struct host *host, nnr_status status, const char *file, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	send(host, NNC_ERROR, (struct place){.file = file}, format, args);
	va_end(args);
	return status;
}
