// The arm64 baseline.
#if defined(__aarch64__)
#define LANES 16
#define KERNEL_TABLE quern_kernels_neon
#include "body/kernels.h"
#endif
