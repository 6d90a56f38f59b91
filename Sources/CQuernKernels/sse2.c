// The x86-64 baseline.
#if defined(__x86_64__)
#define LANES 16
#define LANE_TABLES 1
#define KERNEL_TABLE quern_kernels_sse2
#include "body/kernels.h"
#endif
