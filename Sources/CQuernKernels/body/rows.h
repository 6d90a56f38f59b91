// Sixteen neighbouring values at a time, for kernels bound by memory rather than arithmetic.

typedef float row_float __attribute__((ext_vector_type(16)));
typedef int32_t row_int __attribute__((ext_vector_type(16)));
typedef uint32_t row_word __attribute__((ext_vector_type(16)));
typedef uint16_t row_short __attribute__((ext_vector_type(16)));
typedef uint8_t row_byte __attribute__((ext_vector_type(16)));
typedef int8_t row_signed_byte __attribute__((ext_vector_type(16)));

KERNEL row_float row_load(const float *from) {
    row_float values;
    memcpy(&values, from, sizeof values);
    return values;
}

KERNEL void row_save(float *to, row_float values) { memcpy(to, &values, sizeof values); }

KERNEL row_byte row_load_bytes(const uint8_t *from) {
    row_byte bytes;
    memcpy(&bytes, from, sizeof bytes);
    return bytes;
}

KERNEL void row_save_bytes(uint8_t *to, row_byte bytes) { memcpy(to, &bytes, sizeof bytes); }

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
