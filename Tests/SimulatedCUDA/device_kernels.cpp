// The programs for devices, compiled for the host: every thread of a launch in turn.
#include "device_kernels.hpp"
#include "device_threads.hpp"

#define QUERN_DEVICE 1
#define LANES 1
#define LANE_TABLES 1
// What C does and C++ frowns upon.
#pragma clang diagnostic ignored "-Wunused-function"
#pragma clang diagnostic ignored "-Wc++20-designator"
#include "../../Sources/CQuernKernels/body/kernels.h"
#include "../../Sources/CQuernKernels/device/books.h"
#include "../../Sources/CQuernKernels/device/thread.h"
#include "../../Sources/CQuernKernels/device/row_kernels.h"
#define QUERN_TYPE 2 // q4_0
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 3 // q4_1
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 6 // q5_0
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 7 // q5_1
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 8 // q8_0
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 10 // q2_k
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 11 // q3_k
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 12 // q4_k
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 13 // q5_k
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 14 // q6_k
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 16 // iq2_xxs
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 17 // iq2_xs
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 18 // iq3_xxs
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 19 // iq1_s
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 20 // iq4_nl
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 21 // iq3_s
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 22 // iq2_s
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 23 // iq4_xs
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 29 // iq1_m
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 34 // tq1_0
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 35 // tq2_0
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 39 // mxfp4
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 40 // nvfp4
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 41 // q1_0
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 42 // q2_0
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef QUERN_TYPE

#define BLOCK_KERNELS(type) KERNEL_NAMED(quern_encode_##type), KERNEL_NAMED(quern_decode_##type)

const simulated_kernel device_kernels[] = {
    KERNEL_NAMED(quern_row_means), KERNEL_NAMED(quern_row_errors), KERNEL_NAMED(quern_row_values),
    BLOCK_KERNELS(2), BLOCK_KERNELS(3), BLOCK_KERNELS(6), BLOCK_KERNELS(7), BLOCK_KERNELS(8), BLOCK_KERNELS(10),
    BLOCK_KERNELS(11), BLOCK_KERNELS(12), BLOCK_KERNELS(13), BLOCK_KERNELS(14), BLOCK_KERNELS(16), BLOCK_KERNELS(17),
    BLOCK_KERNELS(18), BLOCK_KERNELS(19), BLOCK_KERNELS(20), BLOCK_KERNELS(21), BLOCK_KERNELS(22), BLOCK_KERNELS(23),
    BLOCK_KERNELS(29), BLOCK_KERNELS(34), BLOCK_KERNELS(35), BLOCK_KERNELS(39), BLOCK_KERNELS(40), BLOCK_KERNELS(41),
    BLOCK_KERNELS(42),
};
const size_t device_kernel_count = sizeof device_kernels / sizeof *device_kernels;
void *const device_tables = quern_tables;
const size_t device_table_bytes = sizeof quern_tables;
