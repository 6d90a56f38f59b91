#include "device_kernels.hpp"

#include <cstdint>
#include <cstring>

namespace {

template <typename Value> Value argument(void **arguments, int index) {
    return *static_cast<Value *>(arguments[index]);
}

/// vector_add(const float *a, const float *b, float *sums, uint32_t count): sums[i] = a[i] + b[i] for those of the
/// `count` elements that the launch has threads for.
void vector_add(const simulated_launch *launch, void **arguments) {
    const auto a = argument<const float *>(arguments, 0), b = argument<const float *>(arguments, 1);
    const auto sums = argument<float *>(arguments, 2);
    const auto count = argument<uint32_t>(arguments, 3);
    const uint64_t threads = uint64_t(launch->grid[0]) * launch->block[0];
    for (uint64_t i = 0; i < threads && i < count; ++i) sums[i] = a[i] + b[i];
}

} // namespace

const simulated_kernel *simulated_kernel_named(const char *name) {
    static const simulated_kernel own = {"vector_add", {8, 8, 8, 4}, vector_add};
    if (std::strcmp(name, own.name) == 0) return &own;
    for (size_t i = 0; i < device_kernel_count; ++i)
        if (std::strcmp(name, device_kernels[i].name) == 0) return &device_kernels[i];
    for (size_t i = 0; i < forward_kernel_count; ++i)
        if (std::strcmp(name, forward_kernels[i].name) == 0) return &forward_kernels[i];
    for (size_t i = 0; i < weight_kernel_count; ++i)
        if (std::strcmp(name, weight_kernels[i].name) == 0) return &weight_kernels[i];
    for (size_t i = 0; i < refine_kernel_count; ++i)
        if (std::strcmp(name, refine_kernels[i].name) == 0) return &refine_kernels[i];
    return nullptr;
}
