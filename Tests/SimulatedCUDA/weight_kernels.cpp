// The program for weights, compiled for the host.
#include "device_kernels.hpp"
#include "device_threads.hpp"

#include "../../Sources/CQuernKernels/device/weight_program.h"

const simulated_kernel weight_kernels[] = {
    KERNEL_NAMED(quern_weight_ranges),
    KERNEL_NAMED(quern_weight_scales),
    KERNEL_NAMED(quern_weight_codes),
    KERNEL_NAMED(quern_weight_values),
    KERNEL_NAMED(quern_weight_pack),
    KERNEL_NAMED(quern_weight_store_scales),
    KERNEL_NAMED(quern_weight_store_zero_points),
    KERNEL_NAMED(quern_fit_tiles),
    KERNEL_NAMED(quern_fit_scales),
    KERNEL_NAMED(quern_fit_codes),
    KERNEL_NAMED(quern_fit_panel),
    KERNEL_NAMED(quern_fit_round_panel),
    KERNEL_NAMED(quern_factor_squares),
    KERNEL_NAMED(quern_factor_row),
    KERNEL_NAMED(quern_factor_columns),
};
const size_t weight_kernel_count = sizeof weight_kernels / sizeof *weight_kernels;
