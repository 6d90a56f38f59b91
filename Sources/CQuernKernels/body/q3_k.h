// Q3_K: super-blocks of 256 values: 32 bytes of third bits, 64 bytes of low bit pairs, 12 bytes with sixteen 6-bit
// scales, half-precision scale of the scales.

/// Sixteen 6-bit scales: low nibbles in bytes 0 ..< 8, upper bit pairs in bytes 8 ..< 12.
KERNEL void pack_signed_scales(lane_int bytes[12], const lane_int scales[16]) {
    for (int j = 0; j < 8; ++j) bytes[j] = (scales[j] & 15) | ((scales[j + 8] & 15) << 4);
    for (int j = 0; j < 4; ++j) {
        bytes[8 + j] = (scales[j] >> 4) | ((scales[j + 4] >> 4) << 2) | ((scales[j + 8] >> 4) << 4)
            | ((scales[j + 12] >> 4) << 6);
    }
}

/// Scales against −32 / their largest, as the reference does without importance; all zero where there is none.
/// - Returns: the scale of the scales.
KERNEL lane_float quantize_signed_scales(const lane_float x[16], lane_int quants[16]) {
    const lane_float max = largest(x, 16);
    const lane_mask none = equal(max, lane_float_of(0));
    const lane_float inverse = lane_float_of(-32.0f) / max;
    for (int j = 0; j < 16; ++j) {
        // The reference keeps the low byte, with its sign.
        const lane_int byte = ((nearest(inverse * x[j]) & 0xff) ^ 0x80) - 0x80;
        const lane_int held = most(lane_int_of(-32), least(lane_int_of(31), byte)) + 32;
        quants[j] = pick_int(none, lane_int_of(0), held);
    }
    return pick(none, lane_float_of(0), 1.0f / inverse);
}

KERNEL void encode_three_bits(const float *from, size_t count, size_t columns, const float *importance, uint8_t *to) {
    for (size_t block = 0; block < count; block += LANES) {
        lane_blocks blocks = lane_blocks_at(block, count, 256, columns, from, importance, to, q3_k_bytes);
        lane_float x[256];
        lane_int searched[256];
        lane_load(x, blocks.values, 256);
        const lane_float mean_square = importance ? lane_twice_mean_square(x) : lane_float_of(0);

        lane_float scales[16], sums[16];
        if (importance) {
            for (int j = 0; j < 16; ++j) {
                const lane_float *part = x + 16 * j;
                lane_float w[16];
                lane_importance(w, &blocks, 16 * j, 16);
                sums[j] = lane_weigh(w, part, 16, mean_square);
                const symmetric_fit fit = search_symmetric(part, part, w, 16, 4);
                for (int i = 0; i < 16; ++i) searched[16 * j + i] = symmetric_quant(&fit, part[i], 4);
                scales[j] = fit.scale;
            }
        } else {
            for (int j = 0; j < 16; j += descents) descend_symmetric(x + 16 * j, 4, searched + 16 * j, scales + j);
        }

        lane_int scale_quants[16], quants[256];
        lane_float scale;
        if (importance) {
            // Scales may have overflown.
            lane_float finite[16];
            for (int j = 0; j < 16; ++j)
                finite[j] = pick(less(magnitude(scales[j]), lane_float_of(__builtin_inff())), scales[j],
                                 lane_float_of(0));
            const symmetric_fit fit = search_symmetric(scales, finite, sums, 16, 32);
            for (int j = 0; j < 16; ++j) scale_quants[j] = symmetric_quant(&fit, finite[j], 32);
            scale = fit.scale;
        } else {
            scale = quantize_signed_scales(scales, scale_quants);
        }
        uint16_t halves[LANES];
        scale = lane_to_half(scale, halves);
        for (int j = 0; j < 16; ++j) {
            const lane_float d = scale * lane_to_float(scale_quants[j] - 32);
            const lane_mask kept = equal(d, lane_float_of(0));
            for (int i = 16 * j; i < 16 * j + 16; ++i) {
                const lane_int rounded = nearest_integer_within(x[i] / d, -4, 3) + 4;
                quants[i] = pick_int(kept, searched[i], rounded);
            }
        }

        lane_int words[24], bytes[12];
        for (int word = 0; word < 24; ++word) words[word] = lane_int_of(0);
        for (int i = 0; i < 32; ++i) {
            for (int j = 0; j < 8; ++j) words[i / 4] |= shift_up(quants[32 * j + i] >> 2, 8 * (i % 4) + j);
            for (int j = 0; j < 8; ++j)
                words[8 + 8 * (j / 4) + i / 4] |= shift_up(quants[32 * j + i] & 3, 8 * (i % 4) + 2 * (j % 4));
        }
        lane_write_words(&blocks, words, 24);
        pack_signed_scales(bytes, scale_quants);
        for (int word = 0; word < 3; ++word) words[word] = word_of(bytes + 4 * word);
        lane_write_words(&blocks, words, 3);
        lane_write_halves(&blocks, halves);
    }
}

ENCODER void encode_q3_k(const float *from, size_t count, size_t columns, const float *importance, uint8_t *to) {
    if (importance)
        encode_three_bits(from, count, columns, importance, to);
    else
        encode_three_bits(from, count, columns, 0, to);
}

static void decode_q3_k(const uint8_t *from, size_t count, float *to) {
    for (size_t block = 0; block < count; ++block, from += q3_k_bytes) {
        const float scale = load_half(from + 108);
        const uint8_t *scales = from + 96;
        for (int part = 0; part < 16; ++part, to += 16) {
            const int nibble = part < 8 ? scales[part] & 15 : scales[part - 8] >> 4;
            const int scale_quant = (nibble | (((scales[8 + part % 4] >> (2 * (part / 4))) & 3) << 4)) - 32;
            const int group = part / 2, offset = 16 * (part % 2);
            const row_byte pairs = row_load_bytes(from + 32 + 32 * (group / 4) + offset);
            const row_byte thirds = row_load_bytes(from + offset);
            const row_byte quants =
                ((pairs >> (uint8_t)(2 * (group % 4))) & 3) | (row_byte)(((thirds >> (uint8_t)group) & 1) << 2);
            row_save(to, (row_from_bytes(quants) - 4.0f) * (scale * (float)scale_quant));
        }
    }
}
