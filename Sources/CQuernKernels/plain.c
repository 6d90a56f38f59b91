// One lane: the searches in plain floats, as a compiler without vectors (a GPU's, for one) builds them.
#define LANES 1
#define LANE_TABLES 1
#define KERNEL_TABLE quern_kernels_plain
#include "body/kernels.h"
