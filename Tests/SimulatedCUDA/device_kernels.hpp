/// Quern's own kernels, as the simulated cards run them.
#pragma once

#include "simulated_kernels.h"

#include <cstddef>

extern const simulated_kernel device_kernels[];
extern const size_t device_kernel_count;
extern const simulated_kernel forward_kernels[];
extern const size_t forward_kernel_count;
extern const simulated_kernel weight_kernels[];
extern const size_t weight_kernel_count;
extern const simulated_kernel refine_kernels[];
extern const size_t refine_kernel_count;
/// The variable that holds the addresses of their tables: that of the module whose kernel runs.
extern void *const device_tables;
extern const size_t device_table_bytes;
