// The program for forward passes, compiled for the host.
#include "device_kernels.hpp"
#include "device_threads.hpp"

#include "../../Sources/CQuernKernels/device/forward_program.h"

const simulated_kernel forward_kernels[] = {
    KERNEL_NAMED(quern_forward_clear),
    KERNEL_NAMED(quern_forward_copy),
    KERNEL_NAMED(quern_forward_gather),
    KERNEL_NAMED(quern_forward_scatter),
    KERNEL_NAMED(quern_forward_add),
    KERNEL_NAMED(quern_forward_scale),
    KERNEL_NAMED(quern_forward_soft_cap),
    KERNEL_NAMED(quern_forward_rotate),
    KERNEL_NAMED(quern_forward_activate),
    KERNEL_NAMED(quern_forward_split),
    KERNEL_NAMED(quern_forward_add_products),
    KERNEL_NAMED(quern_forward_moments),
    KERNEL_NAMED(quern_forward_norm_sums),
    KERNEL_NAMED(quern_forward_norm_factors),
    KERNEL_NAMED(quern_forward_norm_apply),
    KERNEL_NAMED(quern_forward_softmax_maxima),
    KERNEL_NAMED(quern_forward_softmax_sums),
    KERNEL_NAMED(quern_forward_softmax_factors),
    KERNEL_NAMED(quern_forward_softmax_apply),
};
const size_t forward_kernel_count = sizeof forward_kernels / sizeof *forward_kernels;
