// Q6_K: super-blocks of 256 values: 128 bytes of low nibbles, 64 bytes of upper bit pairs, 16 signed scales,
// half-precision scale of the scales.

KERNEL void encode_symmetric_k(const float *from, size_t count, size_t columns, const float *importance,
                               uint8_t *to) {
    for (size_t block = 0; block < count; block += LANES) {
        lane_blocks blocks = lane_blocks_at(block, count, 256, columns, from, importance, to, q6_k_bytes);
        lane_float x[256];
        lane_load(x, blocks.values, 256);

        symmetric_fit fits[16];
        lane_float scales[16];
        for (int j = 0; j < 16; ++j) {
            const lane_float *part = x + 16 * j;
            lane_float w[16];
            if (importance) {
                lane_importance(w, &blocks, 16 * j, 16);
            } else {
                for (int i = 0; i < 16; ++i) w[i] = part[i] * part[i];
            }
            fits[j] = search_symmetric(part, part, w, 16, 32);
            scales[j] = fits[j].scale;
        }

        const lane_float max = largest(scales, 16);
        // A super-block without a scale is all zero bytes.
        const lane_mask empty = less(magnitude(max), lane_float_of(SMALLEST));
        const lane_float inverse = lane_float_of(-128.0f) / max;
        uint16_t halves[LANES];
        const lane_float scale = lane_to_half(pick(empty, lane_float_of(0), 1.0f / inverse), halves);
        lane_int scale_quants[16], quants[256];
        for (int j = 0; j < 16; ++j) {
            const lane_float *part = x + 16 * j;
            const lane_int scale_quant = least(nearest(inverse * scales[j]), lane_int_of(127));
            scale_quants[j] = pick_int(empty, lane_int_of(0), scale_quant & 0xff);
            const lane_float d = scale * lane_to_float(scale_quant);
            for (int i = 0; i < 16; ++i) quants[16 * j + i] = whole(nearest_within(part[i] / d, -32, 31)) + 32;
            const lane_mask kept = equal(d, lane_float_of(0));
            if (any(kept)) {
                for (int i = 0; i < 16; ++i) {
                    const lane_int searched = symmetric_quant(&fits[j], part[i], 32);
                    quants[16 * j + i] = pick_int(kept, pick_int(empty, lane_int_of(0), searched), quants[16 * j + i]);
                }
            }
        }

        lane_int words[52];
        for (int word = 0; word < 52; ++word) words[word] = lane_int_of(0);
        for (int half = 0; half < 2; ++half) {
            for (int i = 0; i < 32; ++i) {
                const lane_int *q = quants + 128 * half + i;
                lane_int *low = words + 16 * half + i / 4, *high = words + 32 + 8 * half + i / 4;
                const int shift = 8 * (i % 4);
                low[0] |= shift_up((q[0] & 15) | ((q[64] & 15) << 4), shift);
                low[8] |= shift_up((q[32] & 15) | ((q[96] & 15) << 4), shift);
                *high |= shift_up((q[0] >> 4) | ((q[32] >> 4) << 2) | ((q[64] >> 4) << 4) | ((q[96] >> 4) << 6), shift);
            }
        }
        for (int word = 0; word < 4; ++word) words[48 + word] = word_of(scale_quants + 4 * word);
        lane_write_words(&blocks, words, 52);
        lane_write_halves(&blocks, halves);
    }
}

ENCODER void encode_q6_k(const float *from, size_t count, size_t columns, const float *importance, uint8_t *to) {
    if (importance)
        encode_symmetric_k(from, count, columns, importance, to);
    else
        encode_symmetric_k(from, count, columns, 0, to);
}

static void decode_q6_k(const uint8_t *from, size_t count, float *to) {
    for (size_t block = 0; block < count; ++block, from += q6_k_bytes) {
        const float scale = load_half(from + 208);
        for (int part = 0; part < 16; ++part, to += 16) {
            const int half = part / 8, quarter = part % 8 / 2, offset = 16 * (part % 2);
            const row_byte low = row_load_bytes(from + 64 * half + 32 * (quarter % 2) + offset);
            const row_byte high = row_load_bytes(from + 128 + 32 * half + offset);
            const row_byte nibbles = quarter < 2 ? low & 15 : low >> 4;
            const row_byte quants = nibbles | (row_byte)(((high >> (uint8_t)(2 * quarter)) & 3) << 4);
            const float d = scale * (float)(int8_t)from[192 + part];
            row_save(to, (row_from_bytes(quants) - 32.0f) * d);
        }
    }
}
