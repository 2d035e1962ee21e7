/* name.h - names that generated C may use. */
#ifndef NNC_NAME_H
#define NNC_NAME_H

#include "memory.h"

/* The prefix of a model's names, from its file: "models/2-layer.net.nn" gives "model_2_layer_net". */
const char *prefix_of_file(struct arena *arena, const char *path);

#endif
