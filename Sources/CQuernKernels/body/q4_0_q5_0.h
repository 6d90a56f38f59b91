// Q4_0 and Q5_0: blocks of 32 values: half-precision scale, (Q5_0: 32 fifth bits), 16 bytes of two low nibbles:
// value j and value j + 16.

/// Low nibbles of 32 quants.
KERNEL void row_save_nibbles(uint8_t *to, row_byte low, row_byte high) {
    row_save_bytes(to, (low & 15) | (row_byte)(high << 4));
}

/// Fifth bits of 32 quants, first quant lowest.
KERNEL uint32_t row_fifth_bits(row_byte low, row_byte high) {
    const row_word places = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const row_word low_bits = __builtin_convertvector((low >> 4) & 1, row_word);
    const row_word high_bits = __builtin_convertvector((high >> 4) & 1, row_word);
    return __builtin_reduce_or((low_bits << places) | (high_bits << (places + 16)));
}

/// The quants 0 ... 31 of a block with fifth bits.
KERNEL void row_load_fives(const uint8_t *from, row_byte *low, row_byte *high) {
    const row_word places = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    uint32_t fifth;
    memcpy(&fifth, from, sizeof fifth);
    const row_byte nibbles = row_load_bytes(from + 4);
    *low = (nibbles & 15) | __builtin_convertvector((((row_word)fifth >> places) & 1) << 4, row_byte);
    *high = (nibbles >> 4) | __builtin_convertvector((((row_word)fifth >> (places + 16)) & 1) << 4, row_byte);
}

/// The value with the largest magnitude, the first where several have it.
KERNEL float row_largest(const float *from, row_float a, row_float b) {
    const uint32_t magnitude = row_largest_magnitude(a, b);
    if (magnitude == 0) return 0;
    // As signed integers positive floats come last, as unsigned ones negative floats do.
    const bool positive =
        (uint32_t)__builtin_reduce_max(__builtin_elementwise_max((row_int)a, (row_int)b)) == magnitude;
    const bool negative =
        __builtin_reduce_max(__builtin_elementwise_max((row_word)a, (row_word)b)) == (magnitude | 0x80000000);
    if (!negative) return float_from_bits(magnitude);
    if (!positive) return float_from_bits(magnitude | 0x80000000);
    while ((float_bits(*from) & 0x7fffffff) != magnitude) ++from;
    return *from;
}

/// - bound: 8 or 16.
KERNEL void encode_symmetric_rows(const float *from, size_t blocks, uint8_t *to, int bound) {
    for (size_t block = 0; block < blocks; ++block, from += 32) {
        const row_float a = row_load(from), b = row_load(from + 16);
        const float scale = row_largest(from, a, b) / (float)-bound;
        const float inverse = scale != 0 ? 1.0f / scale : 0.0f;
        // An infinite inverse makes infinities and NaN of the values, and zeros of the quants.
        const bool finite = (float_bits(inverse) & 0x7fffffff) < 0x7f800000;
        const float factor = finite ? inverse : 0.0f, offset = finite ? (float)bound + 0.5f : 0.0f;
        const float highest = (float)(2 * bound - 1);
        const row_byte low = row_truncated(row_at_most(a * factor + offset, highest));
        const row_byte high = row_truncated(row_at_most(b * factor + offset, highest));
        store_half(to, half_from_float(scale));
        to += 2;
        if (bound == 16) {
            const uint32_t fifth = row_fifth_bits(low, high);
            memcpy(to, &fifth, sizeof fifth);
            to += 4;
        }
        row_save_nibbles(to, low, high);
        to += 16;
    }
}

/// Writes 32 quants of every lane: fifth bits where `highest` is 31, then nibbles.
KERNEL void lane_write_quants(lane_blocks *blocks, const lane_int *quants, int highest) {
    if (highest == 31) {
        lane_int fifth = lane_int_of(0);
        for (int i = 0; i < 32; ++i) fifth |= shift_up((quants[i] >> 4) & 1, i);
        lane_write_words(blocks, &fifth, 1);
    }
    lane_int words[4];
    for (int word = 0; word < 4; ++word) {
        lane_int bytes[4];
        for (int i = 0; i < 4; ++i)
            bytes[i] = (quants[4 * word + i] & 15) | ((quants[4 * word + i + 16] & 15) << 4);
        words[word] = word_of(bytes);
    }
    lane_write_words(blocks, words, 4);
}

/// A `row_blocks_encoder`.
KERNEL void encode_symmetric_blocks(const float *from, size_t first, size_t last, size_t columns,
                                    const float *importance, const float *means, uint8_t *to, int bound) {
    const size_t block_bytes = bound == 8 ? q4_0_bytes : q5_0_bytes;
    for (size_t block = first; block < last; block += LANES) {
        lane_blocks blocks = lane_blocks_at(block, last, 32, columns, from, importance, to, block_bytes);
        lane_float x[32], w[32];
        lane_load(x, blocks.values, 32);
        lane_row_weights(w, x, &blocks, from, columns, means);
        const symmetric_fit fit = search_symmetric(x, x, w, 32, bound);
        uint16_t scales[LANES];
        lane_to_half(fit.scale, scales);
        lane_write_halves(&blocks, scales);
        lane_int quants[32];
        for (int i = 0; i < 32; ++i) quants[i] = symmetric_quant(&fit, x[i], bound);
        lane_write_quants(&blocks, quants, 2 * bound - 1);
    }
}

KERNEL void encode_symmetric(const float *from, size_t rows, size_t columns, const float *importance, uint8_t *to,
                             int bound) {
    if (importance)
        encode_by_row_means(encode_symmetric_blocks, from, rows, columns, importance, to,
                            bound == 8 ? q4_0_bytes : q5_0_bytes, bound);
    else
        encode_symmetric_rows(from, rows * columns / 32, to, bound);
}

ENCODER void encode_q4_0(const float *from, size_t rows, size_t columns, const float *importance, uint8_t *to) {
    encode_symmetric(from, rows, columns, importance, to, 8);
}

ENCODER void encode_q5_0(const float *from, size_t rows, size_t columns, const float *importance, uint8_t *to) {
    encode_symmetric(from, rows, columns, importance, to, 16);
}

static void decode_q4_0(const uint8_t *from, size_t blocks, float *to) {
    for (size_t block = 0; block < blocks; ++block, from += q4_0_bytes, to += 32) {
        const float scale = load_half(from);
        const row_byte nibbles = row_load_bytes(from + 2);
        row_save(to, (row_from_bytes(nibbles & 15) - 8.0f) * scale);
        row_save(to + 16, (row_from_bytes(nibbles >> 4) - 8.0f) * scale);
    }
}

static void decode_q5_0(const uint8_t *from, size_t blocks, float *to) {
    for (size_t block = 0; block < blocks; ++block, from += q5_0_bytes, to += 32) {
        const float scale = load_half(from);
        row_byte low, high;
        row_load_fives(from + 2, &low, &high);
        row_save(to, (row_from_bytes(low) - 16.0f) * scale);
        row_save(to + 16, (row_from_bytes(high) - 16.0f) * scale);
    }
}
