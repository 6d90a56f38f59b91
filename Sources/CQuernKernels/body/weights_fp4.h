// compressed-tensors `nvfp4-pack-quantized` and `mxfp4-pack-quantized`: FP4 E2M1, two to a byte, under FP8 E4M3 scales
// for 16 values, themselves under a divisor, or under powers of two (E8M0) for 32 values.

KERNEL void save_fp4(uint8_t *to, row_float values) {
    const row_nibble_byte bytes = row_nibbles(row_e2m1(values));
    memcpy(to, &bytes, sizeof bytes);
}

KERNEL row_float load_fp4(const uint8_t *from) {
    row_nibble_byte bytes;
    memcpy(&bytes, from, sizeof bytes);
    return row_from_e2m1(row_from_nibbles(bytes));
}

/// Scales as they are stored: one eighth stands in for zero.
KERNEL row_byte nvfp4_stored(row_float scales) {
    const row_byte rounded = row_e4m3(scales), eighth = 0x20;
    return rounded | ((row_byte)(rounded == 0) & eighth);
}

/// The scales of up to sixteen groups, whose largest magnitudes are given.
/// - Returns: what values are divided by.
KERNEL row_float nvfp4_scales(row_float largest, float global_scale, uint32_t source, row_byte *codes) {
    *codes = nvfp4_stored(row_in_source(largest / 6.0f, source) * global_scale);
    return row_from_e4m3(*codes) / global_scale;
}

KERNEL void quantize_nvfp4_groups(const float *from, size_t groups, float global_scale, uint32_t source,
                                  uint8_t *weight, uint8_t *scale) {
    for (size_t first = 0; first < groups; first += 16, from += 256, weight += 128) {
        const size_t count = groups - first < 16 ? groups - first : 16;
        // Full chunks on their own: then the sixteen groups need no test of their number.
        const row_float largest = count == 16 ? row_largest_of_groups(from, 16) : row_largest_of_groups(from, count);
        row_byte codes;
        float values[16];
        row_save(values, nvfp4_scales(largest, global_scale, source, &codes));
        memcpy(scale + first, &codes, count);
        for (size_t i = 0; i < count; ++i) save_fp4(weight + 8 * i, row_load(from + 16 * i) / values[i]);
    }
}

ENCODER void quantize_nvfp4(const quern_weight_layout *layout, const float *from, size_t groups,
                            const quern_weight_parts *to) {
    switch (layout->source) {
    case quern_type_f16:
        return quantize_nvfp4_groups(from, groups, layout->global_scale, quern_type_f16, to->weight, to->scale);
    case quern_type_bf16:
        return quantize_nvfp4_groups(from, groups, layout->global_scale, quern_type_bf16, to->weight, to->scale);
    default:
        return quantize_nvfp4_groups(from, groups, layout->global_scale, quern_type_f32, to->weight, to->scale);
    }
}

/// The exponent of a group's scale, with a bias of 127. Mantissas from 1.75 on count as the next power of two.
/// - inverse: becomes what values are multiplied by; a power of two loses nothing.
KERNEL uint8_t mxfp4_scale(float largest, uint32_t source, float *inverse) {
    uint32_t exponent = (float_bits(largest) + 0x200000) >> 23;
    if (source == quern_type_f16) {
        // Subnormals of half precision have no exponent, and what goes beyond its range is infinite.
        if (largest < 0x1p-14f) exponent = largest < 0x1.8p-15f ? 0 : 127 - 14;
        if (exponent > 127 + 15) exponent = 255;
        // No power of two is small enough to go with nothing: one stands in for it.
        if (exponent == 0) exponent = 127 + 2;
    }
    *inverse = 0;
    if (exponent >= 255) return 127;
    const uint32_t code = exponent < 2 ? 0 : exponent - 2;
    *inverse = float_from_bits((254 - code) << 23);
    return (uint8_t)code;
}

KERNEL void quantize_mxfp4_groups(const float *from, size_t groups, uint32_t source, uint8_t *weight, uint8_t *scale) {
    for (size_t first = 0; first < groups; first += 16) {
        const size_t count = groups - first < 16 ? groups - first : 16;
        float values[16];
        for (size_t i = 0; i < count; ++i) values[i] = largest_of(row_group_magnitudes(0, from + 32 * i, 32));
        for (size_t i = 0; i < count; ++i) scale[first + i] = mxfp4_scale(values[i], source, &values[i]);
        for (size_t i = 0; i < count; ++i, from += 32, weight += 16) {
            save_fp4(weight, row_in_source(row_load(from) * values[i], source));
            save_fp4(weight + 8, row_in_source(row_load(from + 16) * values[i], source));
        }
    }
}

ENCODER void quantize_mxfp4(const quern_weight_layout *layout, const float *from, size_t groups,
                            const quern_weight_parts *to) {
    switch (layout->source) {
    case quern_type_f16:
        return quantize_mxfp4_groups(from, groups, quern_type_f16, to->weight, to->scale);
    case quern_type_bf16:
        return quantize_mxfp4_groups(from, groups, quern_type_bf16, to->weight, to->scale);
    default:
        return quantize_mxfp4_groups(from, groups, quern_type_f32, to->weight, to->scale);
    }
}

static void dequantize_nvfp4(const quern_weight_layout *layout, const quern_weight_parts *from, size_t groups,
                             float *to) {
    for (size_t first = 0; first < groups; first += 16) {
        const size_t count = groups - first < 16 ? groups - first : 16;
        row_byte codes = 0;
        memcpy(&codes, from->scale + first, count);
        float steps[16];
        row_save(steps, row_from_e4m3(codes) / layout->global_scale);
        for (size_t i = 0; i < count; ++i, to += 16)
            row_save(to, load_fp4(from->weight + 8 * (first + i)) * steps[i]);
    }
}

static void dequantize_mxfp4(const quern_weight_parts *from, size_t groups, float *to) {
    for (size_t i = 0; i < groups; ++i, to += 32) {
        const uint32_t code = from->scale[i];
        const float step = float_from_bits(code ? code << 23 : 0x00400000);
        row_save(to, load_fp4(from->weight + 16 * i) * step);
        row_save(to + 16, load_fp4(from->weight + 16 * i + 8) * step);
    }
}
