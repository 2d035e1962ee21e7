/* library.h - the standard library as help text. */
#ifndef NNC_LIBRARY_H
#define NNC_LIBRARY_H

#include "diagnose.h"

/* All definitions, or the ones of a name: NULL after a report if there is none. */
const char *describe_library(struct context *ctx, const char *name);

#endif
