// The programs that refine blocks, compiled for the host.
#include "device_kernels.hpp"
#include "device_threads.hpp"

#define QUERN_DEVICE 1
#define ROW 1
// Books are those of `device_kernels.cpp`.
#include "../../Sources/CQuernKernels/codebook.h"
#include "../../Sources/CQuernKernels/codebook_candidates.h"
#include "../../Sources/CQuernKernels/device/prelude.h"
#include "../../Sources/CQuernKernels/device/thread.h"
#include "../../Sources/CQuernKernels/device/refine_bodies.h"
#define QUERN_TYPE 2 // q4_0
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 3 // q4_1
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 6 // q5_0
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 7 // q5_1
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 8 // q8_0
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 10 // q2_k
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 11 // q3_k
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 12 // q4_k
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 13 // q5_k
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 14 // q6_k
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 16 // iq2_xxs
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 17 // iq2_xs
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 18 // iq3_xxs
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 19 // iq1_s
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 20 // iq4_nl
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 21 // iq3_s
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 22 // iq2_s
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 23 // iq4_xs
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef QUERN_TYPE
#define QUERN_TYPE 29 // iq1_m
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef QUERN_TYPE

#define REFINE_KERNELS(type)                                                                                           \
    KERNEL_NAMED(quern_refine_tiles_##type), KERNEL_NAMED(quern_refine_weigh_##type),                                  \
        KERNEL_NAMED(quern_refine_correct_##type), KERNEL_NAMED(quern_refine_try_##type),                              \
        KERNEL_NAMED(quern_refine_keep_##type), KERNEL_NAMED(quern_refine_store_##type)

const simulated_kernel refine_kernels[] = {
    REFINE_KERNELS(2), REFINE_KERNELS(3), REFINE_KERNELS(6), REFINE_KERNELS(7), REFINE_KERNELS(8), REFINE_KERNELS(10),
    REFINE_KERNELS(11), REFINE_KERNELS(12), REFINE_KERNELS(13), REFINE_KERNELS(14), REFINE_KERNELS(16), REFINE_KERNELS(17),
    REFINE_KERNELS(18), REFINE_KERNELS(19), REFINE_KERNELS(20), REFINE_KERNELS(21), REFINE_KERNELS(22), REFINE_KERNELS(23),
    REFINE_KERNELS(29),
};
const size_t refine_kernel_count = sizeof refine_kernels / sizeof *refine_kernels;
