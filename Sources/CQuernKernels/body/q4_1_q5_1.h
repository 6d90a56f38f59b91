// Q4_1 and Q5_1: blocks of 32 values: half-precision scale and minimum, (Q5_1: 32 fifth bits), 16 bytes of two low
// nibbles: value j and value j + 16.

/// Floats as integers of the same order, and back; −0 comes before +0.
KERNEL row_int row_ordered(row_float a) { return (row_int)a ^ (((row_int)a >> 31) & 0x7fffffff); }
KERNEL float float_of_ordered(int32_t a) { return float_from_bits((uint32_t)(a ^ ((a >> 31) & 0x7fffffff))); }

KERNEL void row_range(const float *from, row_float a, row_float b, float *min, float *max) {
    const row_int ordered_a = row_ordered(a), ordered_b = row_ordered(b);
    *min = float_of_ordered(__builtin_reduce_min(__builtin_elementwise_min(ordered_a, ordered_b)));
    *max = float_of_ordered(__builtin_reduce_max(__builtin_elementwise_max(ordered_a, ordered_b)));
    if (*min != 0 && *max != 0) return;
    // Zeros of both signs are equal to the reference: it keeps the first, and its sign reaches the file.
    *min = *max = *from;
    for (int i = 1; i < 32; ++i) {
        if (from[i] < *min) *min = from[i];
        if (from[i] > *max) *max = from[i];
    }
}

/// - highest: 15 or 31.
KERNEL void encode_affine_rows(const float *from, size_t blocks, uint8_t *to, int highest) {
    for (size_t block = 0; block < blocks; ++block, from += 32) {
        const row_float a = row_load(from), b = row_load(from + 16);
        float min, max, inverse;
        row_range(from, a, b, &min, &max);
        const float scale = (max - min) / (float)highest;
        store_half(to, half_from_float(scale));
        store_half(to + 2, half_from_float(min));
        to += 4;
        row_byte low = 0, high = 0;
        if (row_invert(scale, &inverse)) {
            low = row_truncated(row_at_most((a - min) * inverse + 0.5f, (float)highest));
            high = row_truncated(row_at_most((b - min) * inverse + 0.5f, (float)highest));
        }
        if (highest == 31) {
            const uint32_t fifth = row_fifth_bits(low, high);
            memcpy(to, &fifth, sizeof fifth);
            to += 4;
        }
        row_save_nibbles(to, low, high);
        to += 16;
    }
}

/// A `row_blocks_encoder`.
KERNEL void encode_affine_blocks(const float *from, size_t first, size_t last, size_t columns,
                                 const float *importance, const float *means, uint8_t *to, int highest) {
    const size_t block_bytes = highest == 15 ? q4_1_bytes : q5_1_bytes;
    for (size_t block = first; block < last; block += LANES) {
        lane_blocks blocks = lane_blocks_at(block, last, 32, columns, from, importance, to, block_bytes);
        lane_float x[32], w[32];
        lane_load(x, blocks.values, 32);
        lane_row_weights(w, x, &blocks, from, columns, means);
        const affine_fit fit = search_affine(x, w, 32, highest, -0.9f, 0.05f, 36, false);
        uint16_t halves[LANES];
        lane_to_half(fit.scale, halves);
        lane_write_halves(&blocks, halves);
        lane_to_half(fit.minimum, halves);
        lane_write_halves(&blocks, halves);
        lane_int quants[32];
        for (int i = 0; i < 32; ++i) quants[i] = whole(affine_quant(&fit, x[i], highest));
        lane_write_quants(&blocks, quants, highest);
    }
}

KERNEL void encode_affine(const float *from, size_t rows, size_t columns, const float *importance, uint8_t *to,
                          int highest) {
    if (importance)
        encode_by_row_means(encode_affine_blocks, from, rows, columns, importance, to,
                            highest == 15 ? q4_1_bytes : q5_1_bytes, highest);
    else
        encode_affine_rows(from, rows * columns / 32, to, highest);
}

ENCODER void encode_q4_1(const float *from, size_t rows, size_t columns, const float *importance, uint8_t *to) {
    encode_affine(from, rows, columns, importance, to, 15);
}

ENCODER void encode_q5_1(const float *from, size_t rows, size_t columns, const float *importance, uint8_t *to) {
    encode_affine(from, rows, columns, importance, to, 31);
}

static void decode_q4_1(const uint8_t *from, size_t blocks, float *to) {
    for (size_t block = 0; block < blocks; ++block, from += q4_1_bytes, to += 32) {
        const float scale = load_half(from), min = load_half(from + 2);
        const row_byte nibbles = row_load_bytes(from + 4);
        row_save(to, row_from_bytes(nibbles & 15) * scale + min);
        row_save(to + 16, row_from_bytes(nibbles >> 4) * scale + min);
    }
}

static void decode_q5_1(const uint8_t *from, size_t blocks, float *to) {
    for (size_t block = 0; block < blocks; ++block, from += q5_1_bytes, to += 32) {
        const float scale = load_half(from), min = load_half(from + 2);
        row_byte low, high;
        row_load_fives(from + 4, &low, &high);
        row_save(to, row_from_bytes(low) * scale + min);
        row_save(to + 16, row_from_bytes(high) * scale + min);
    }
}
