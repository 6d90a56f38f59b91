// Q2_K: super-blocks of 256 values: 16 bytes with a 4-bit scale and, above it, a 4-bit minimum, 64 bytes of quant
// pairs, half-precision scales of the scales and of the minima.

/// Four-bit quants against the largest, as the reference does without importance; all zero where none is positive.
/// - Returns: the scale of the scales.
KERNEL lane_float quantize_small_scales(const lane_float x[16], lane_int quants[16]) {
    lane_float max = lane_float_of(0);
    for (int j = 0; j < 16; ++j) max = pick(greater(x[j], max), x[j], max);
    const lane_mask found = greater(max, lane_float_of(0));
    const lane_float inverse = lane_float_of(15.0f) / max;
    for (int j = 0; j < 16; ++j) quants[j] = pick_int(found, nearest(inverse * x[j]), lane_int_of(0));
    return max / 15.0f;
}

KERNEL void encode_two_bits(const float *from, size_t count, size_t columns, const float *importance, uint8_t *to) {
    for (size_t block = 0; block < count; block += LANES) {
        lane_blocks blocks = lane_blocks_at(block, count, 256, columns, from, importance, to, q2_k_bytes);
        lane_float x[256];
        lane_load(x, blocks.values, 256);
        const lane_float mean_square = importance ? lane_sum_of_squares(x, 256) / 256.0f : lane_float_of(0);

        affine_fit fits[16];
        lane_float scales[16], minima[16], sums[16];
        for (int j = 0; j < 16; ++j) {
            const lane_float *part = x + 16 * j;
            lane_float w[16];
            if (importance) {
                lane_importance(w, &blocks, 16 * j, 16);
                sums[j] = lane_weigh(w, part, 16, mean_square);
                fits[j] = search_affine(part, w, 16, 3, -0.9f, 0.05f, 36, false);
            } else {
                for (int i = 0; i < 16; ++i) w[i] = magnitude(part[i]);
                fits[j] = search_affine(part, w, 16, 3, -0.5f, 0.1f, 15, true);
            }
            scales[j] = fits[j].scale;
            minima[j] = -fits[j].minimum;
        }

        lane_int scale_quants[16], minimum_quants[16], bytes[16];
        lane_float scale, minimum;
        if (importance) {
            scale = search_scales(scales, sums, 16, 15, scale_quants);
            minimum = search_scales(minima, sums, 16, 15, minimum_quants);
        } else {
            scale = quantize_small_scales(scales, scale_quants);
            minimum = quantize_small_scales(minima, minimum_quants);
        }
        // A quant beyond four bits, which only a failed search leaves, spills as in the reference.
        for (int j = 0; j < 16; ++j) bytes[j] = (scale_quants[j] | shift_up(minimum_quants[j], 4)) & 0xff;
        uint16_t scale_halves[LANES], minimum_halves[LANES];
        scale = lane_to_half(scale, scale_halves);
        minimum = lane_to_half(minimum, minimum_halves);

        // Quants are rounded again against what the scales have become.
        lane_int quants[256];
        for (int j = 0; j < 16; ++j) {
            const lane_float *part = x + 16 * j;
            const lane_float d = scale * lane_to_float(bytes[j] & 15);
            const lane_float m = minimum * lane_to_float(bytes[j] >> 4);
            for (int i = 0; i < 16; ++i) quants[16 * j + i] = whole(nearest_within((part[i] + m) / d, 0, 3));
            const lane_mask kept = equal(d, lane_float_of(0));
            if (any(kept)) {
                for (int i = 0; i < 16; ++i) {
                    const lane_int searched = whole(affine_quant(&fits[j], part[i], 3));
                    quants[16 * j + i] = pick_int(kept, searched, quants[16 * j + i]);
                }
            }
        }

        lane_int words[16];
        for (int word = 0; word < 4; ++word) words[word] = word_of(bytes + 4 * word);
        lane_write_words(&blocks, words, 4);
        for (int word = 0; word < 16; ++word) {
            const lane_int *first = quants + 128 * (word / 8) + 4 * (word % 8);
            words[word] = lane_int_of(0);
            for (int i = 0; i < 4; ++i)
                for (int pair = 0; pair < 4; ++pair)
                    words[word] |= shift_up(first[i + 32 * pair], 8 * i + 2 * pair);
        }
        lane_write_words(&blocks, words, 16);
        lane_write_halves(&blocks, scale_halves);
        lane_write_halves(&blocks, minimum_halves);
    }
}

ENCODER void encode_q2_k(const float *from, size_t count, size_t columns, const float *importance, uint8_t *to) {
    if (importance)
        encode_two_bits(from, count, columns, importance, to);
    else
        encode_two_bits(from, count, columns, 0, to);
}

static void decode_q2_k(const uint8_t *from, size_t count, float *to) {
    for (size_t block = 0; block < count; ++block, from += q2_k_bytes) {
        const float scale = load_half(from + 80), minimum = load_half(from + 82);
        for (int part = 0; part < 16; ++part, to += 16) {
            const float d = scale * (float)(from[part] & 15), m = minimum * (float)(from[part] >> 4);
            const row_byte pairs = row_load_bytes(from + 16 + 32 * (part / 8) + 16 * (part % 2));
            const row_byte quants = (pairs >> (uint8_t)(2 * (part % 8 / 2))) & 3;
            row_save(to, row_from_bytes(quants) * d - m);
        }
    }
}
