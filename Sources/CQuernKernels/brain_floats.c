#include "CQuernKernels.h"

#include <string.h>

enum { piece = 4096 };

bool quern_pack_brain_floats(const float *from, size_t count, uint16_t *to) {
    for (size_t first = 0; first < count; first += piece) {
        const size_t end = count - first < piece ? count : first + piece;
        uint32_t seen = 0;
        for (size_t i = first; i < end; ++i) {
            uint32_t bits;
            memcpy(&bits, from + i, sizeof bits);
            seen |= bits;
            to[i] = (uint16_t)(bits >> 16);
        }
        if (seen & 0xffff) return false;
    }
    return true;
}
