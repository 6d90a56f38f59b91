// AVX2 with half-precision conversion: x86-64 processors since 2013.
#if defined(__x86_64__)
#include "kernel_table.h"

#define LANES 32
#define HALF_CONVERSION 1
#define PERMUTE_LANES 8
#define KERNEL_TABLE quern_kernels_avx2
#pragma clang attribute push(__attribute__((target("avx2,f16c"))), apply_to = function)
#include "body/kernels.h"
#pragma clang attribute pop
#endif
