// One lane: plain C floats, the form that other compilers (a GPU's, for one) build too.
#define LANES 1
#define KERNEL_TABLE quern_kernels_plain
#include "body/kernels.h"
