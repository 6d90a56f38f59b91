// Q1_0: blocks of 128 values: half-precision scale, 16 bytes of signs, set for zero and above.
// Q2_0: blocks of 64 values: half-precision scale, 16 bytes of bit pairs: quant + 1 of four neighbouring values.

/// The scale is the mean magnitude; its sum has an order, hence lanes.
ENCODER void encode_q1_0(const float *from, size_t count, uint8_t *to) {
    for (size_t block = 0; block < count; block += LANES) {
        lane_blocks blocks = lane_blocks_at(block, count, 128, 128, from, 0, to, q1_0_bytes);
        lane_float sum = lane_float_of(0);
        lane_int words[4];
        for (int word = 0; word < 4; ++word) {
            lane_float x[32];
            lane_load(x, blocks.values, 32);
            words[word] = lane_int_of(0);
            for (int i = 0; i < 32; ++i) {
                sum += magnitude(x[i]);
                words[word] |= ~less(x[i], lane_float_of(0)) & (int32_t)(1u << i);
            }
            for (int lane = 0; lane < LANES; ++lane) blocks.values[lane] += 32;
        }
        uint16_t halves[LANES];
        lane_to_half(sum / 128.0f, halves);
        lane_write_halves(&blocks, halves);
        lane_write_words(&blocks, words, 4);
    }
}

static void decode_q1_0(const uint8_t *from, size_t blocks, float *to) {
    const row_word places = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (size_t block = 0; block < blocks; ++block, from += q1_0_bytes) {
        const uint32_t scale = float_bits(load_half(from));
        for (int part = 0; part < 8; ++part, to += 16) {
            uint16_t signs;
            memcpy(&signs, from + 2 + 2 * part, sizeof signs);
            const row_word minus = ((row_word)(uint32_t)~signs >> places) << 31;
            row_save(to, (row_float)(minus ^ scale));
        }
    }
}

/// The scale is the largest magnitude, so that quants are −1, 0 or 1.
ENCODER void encode_q2_0(const float *from, size_t blocks, uint8_t *to) {
    for (size_t block = 0; block < blocks; ++block, from += 64, to += q2_0_bytes) {
        row_int magnitude = 0;
        for (int i = 0; i < 64; i += 16)
            magnitude = __builtin_elementwise_max(magnitude, (row_int)row_load(from + i) & 0x7fffffff);
        const float scale = float_from_bits((uint32_t)__builtin_reduce_max(magnitude));
        store_half(to, half_from_float(scale));
        float inverse;
        if (!row_invert(scale, &inverse)) {
            // Quants are zero where all values are; an infinite inverse gives the reference the lowest quant.
            memset(to + 2, scale == 0 ? 0x55 : 0, 16);
            continue;
        }
        row_byte pairs[4];
        for (int part = 0; part < 4; ++part)
            pairs[part] = (row_byte)(row_rounded(row_load(from + 16 * part) * inverse) + 1);
        row_word fours;
        memcpy(&fours, pairs, sizeof fours);
        row_save_bytes(to + 2, __builtin_convertvector(fours | (fours >> 6) | (fours >> 12) | (fours >> 18), row_byte));
    }
}

static void decode_q2_0(const uint8_t *from, size_t blocks, float *to) {
    for (size_t block = 0; block < blocks; ++block, from += q2_0_bytes, to += 64) {
        const float scale = load_half(from);
        const row_word fours = __builtin_convertvector(row_load_bytes(from + 2), row_word);
        const row_word spread = (fours | (fours << 6) | (fours << 12) | (fours << 18)) & 0x03030303;
        row_byte pairs[4];
        memcpy(pairs, &spread, sizeof pairs);
        for (int part = 0; part < 4; ++part) row_save(to + 16 * part, (row_from_bytes(pairs[part]) - 1.0f) * scale);
    }
}
