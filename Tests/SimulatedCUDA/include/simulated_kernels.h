/// The kernels that the simulated driver knows: what `cuModuleGetFunction` finds, whatever module is asked.
#ifndef SIMULATED_KERNELS_H
#define SIMULATED_KERNELS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct simulated_launch {
    unsigned grid[3];
    unsigned block[3];
    unsigned shared_bytes;
};

struct simulated_kernel {
    const char *name;
    /// Bytes of each argument, with a 0 behind the last: a launch copies them, as the real driver does.
    unsigned short argument_bytes[24];
    /// Does on the host what all threads of the launch do.
    /// - arguments: pointers to the values; addresses of device memory are pointers of the host.
    void (*run)(const struct simulated_launch *launch, void **arguments);
};

/// - Returns: NULL where there is none of that name.
const struct simulated_kernel *simulated_kernel_named(const char *name);

#ifdef __cplusplus
}
#endif

#endif
