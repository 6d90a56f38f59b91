/// What a file needs that includes programs for devices, to have them run on the host: the threads of a launch one after
/// the other, in an order that nobody would think of, for what depends on it is wrong.
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
    const uint64_t blocks = uint64_t(launch->grid[0]) * launch->grid[1];
    // A prime that does not divide their number comes by all of them.
    const uint64_t step = blocks % 7919 ? 7919 : 7907;
    for (uint64_t i = 0, block = blocks / 3; i < blocks; ++i, block = (block + step) % blocks) {
        blockIdx = {unsigned(block % launch->grid[0]), unsigned(block / launch->grid[0]), 0};
        for (threadIdx = {launch->block[0], 0, 0}; threadIdx.x-- > 0;)
            call(kernel, arguments, std::index_sequence_for<Values...>{});
    }
}

template <typename... Values>
constexpr simulated_kernel named(const char *name, void (*)(Values...),
                                 void (*run)(const simulated_launch *, void **)) {
    return {name, {sizeof(Values)..., 0}, run};
}

} // namespace

#define KERNEL_NAMED(name)                                                                                             \
    named(#name, name, [](const simulated_launch *launch, void **arguments) { run(name, launch, arguments); })
