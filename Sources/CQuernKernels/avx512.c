// AVX-512 with 512-bit registers.
#if defined(__x86_64__)
#include "kernel_table.h"

#define LANES 32
#define HALF_CONVERSION 1
#define PERMUTE_LANES 16
#define LANE_TABLES 1
#define KERNEL_TABLE quern_kernels_avx512
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,f16c"))), apply_to = function)
#include "body/kernels.h"
#pragma clang attribute pop
#endif
