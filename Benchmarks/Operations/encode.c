// The usual encoders, for programs whose `float` is something else.
#include "../../Sources/CQuernKernels/kernel_table.h"

bool encode_blocks(uint32_t type, const void *from, size_t rows, size_t columns, const void *importance, uint8_t *to) {
    return quern_kernels_plain.encode(type, from, rows, columns, importance, to);
}
