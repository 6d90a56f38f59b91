// Sixteen neighbouring values at a time, for kernels bound by memory rather than arithmetic.

#define ROW 16
#include "row_types.h"

/// Four consecutive values from each of sixteen places: to[i] receives value i of every place.
/// - offset: of the values, from each place.
KERNEL void row_load_fours(row_float to[4], const float *const from[16], size_t offset) {
    row_float a, b, c, d;
    for (int i = 0; i < 4; ++i) {
        memcpy((float *)&a + 4 * i, from[4 * i] + offset, 16);
        memcpy((float *)&b + 4 * i, from[4 * i + 1] + offset, 16);
        memcpy((float *)&c + 4 * i, from[4 * i + 2] + offset, 16);
        memcpy((float *)&d + 4 * i, from[4 * i + 3] + offset, 16);
    }
#define LOW_VALUES(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define HIGH_VALUES(a, b) __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define LOW_PAIRS(a, b) __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define HIGH_PAIRS(a, b) __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
    to[0] = LOW_PAIRS(LOW_VALUES(a, b), LOW_VALUES(c, d));
    to[1] = HIGH_PAIRS(LOW_VALUES(a, b), LOW_VALUES(c, d));
    to[2] = LOW_PAIRS(HIGH_VALUES(a, b), HIGH_VALUES(c, d));
    to[3] = HIGH_PAIRS(HIGH_VALUES(a, b), HIGH_VALUES(c, d));
#undef LOW_VALUES
#undef HIGH_VALUES
#undef LOW_PAIRS
#undef HIGH_PAIRS
}

KERNEL row_float row_from_bytes(row_byte bytes) {
    return __builtin_convertvector(__builtin_convertvector(bytes, row_int), row_float);
}

KERNEL row_byte row_truncated(row_float values) {
    return __builtin_convertvector(__builtin_convertvector(values, row_int), row_byte);
}

/// a where it is greater than `low`, else `low`: a NaN becomes `low`.
KERNEL row_float row_at_least(row_float a, float low) {
    const row_int mask = a > low;
    const row_int bound = (row_int)((row_float)low);
    return (row_float)((mask & (row_int)a) | (~mask & bound));
}

KERNEL row_float row_at_most(row_float a, float high) {
    const row_int mask = a < high;
    const row_int bound = (row_int)((row_float)high);
    return (row_float)((mask & (row_int)a) | (~mask & bound));
}

/// The bits of the largest magnitude among 32 values, which order as the magnitudes do.
KERNEL uint32_t row_largest_magnitude(row_float a, row_float b) {
    const row_int magnitude_a = (row_int)a & 0x7fffffff, magnitude_b = (row_int)b & 0x7fffffff;
    return (uint32_t)__builtin_reduce_max(__builtin_elementwise_max(magnitude_a, magnitude_b));
}

/// The inverse of a block's scale. Where it is infinite or the scale is zero the block's quants are all zero:
/// - Returns: false then.
KERNEL bool row_invert(float scale, float *inverse) {
    *inverse = 1.0f / scale;
    return (float_bits(*inverse) & 0x7fffffff) < 0x7f800000 && *inverse != 0;
}
