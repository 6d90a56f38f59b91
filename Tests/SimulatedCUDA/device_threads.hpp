/// What a file needs that includes programs for devices, to have them run on the host: every thread of a launch in turn.
#pragma once

#include "simulated_kernels.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#define __global__
#define __constant__
// What C does and C++ frowns upon.
#pragma clang diagnostic ignored "-Wunused-function"
#pragma clang diagnostic ignored "-Wc++20-designator"

namespace {

struct Place {
    unsigned x, y, z;
};

thread_local Place blockIdx, blockDim, gridDim, threadIdx;

template <typename... Values, size_t... indices>
void call(void (*kernel)(Values...), void **arguments, std::index_sequence<indices...>) {
    kernel(*static_cast<Values *>(arguments[indices])...);
}

/// Does what all threads of a launch do.
template <typename... Values>
void run(void (*kernel)(Values...), const simulated_launch *launch, void **arguments) {
    blockDim = {launch->block[0], launch->block[1], launch->block[2]};
    gridDim = {launch->grid[0], launch->grid[1], launch->grid[2]};
    for (blockIdx = {0, 0, 0}; blockIdx.y < launch->grid[1]; ++blockIdx.y)
        for (blockIdx.x = 0; blockIdx.x < launch->grid[0]; ++blockIdx.x)
            for (threadIdx = {0, 0, 0}; threadIdx.x < launch->block[0]; ++threadIdx.x)
                call(kernel, arguments, std::index_sequence_for<Values...>{});
}

template <typename... Values>
constexpr simulated_kernel named(const char *name, void (*)(Values...),
                                 void (*run)(const simulated_launch *, void **)) {
    return {name, {sizeof(Values)..., 0}, run};
}

} // namespace

#define KERNEL_NAMED(name)                                                                                             \
    named(#name, name, [](const simulated_launch *launch, void **arguments) { run(name, launch, arguments); })
