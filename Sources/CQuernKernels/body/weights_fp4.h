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
        const float step = mxfp4_step(from->scale[i]);
        row_save(to, load_fp4(from->weight + 16 * i) * step);
        row_save(to + 16, load_fp4(from->weight + 16 * i + 8) * step);
    }
}
