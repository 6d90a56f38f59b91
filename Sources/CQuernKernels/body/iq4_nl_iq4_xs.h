// IQ4_NL and IQ4_XS: four-bit indices of sixteen uneven levels; nibbles of value j and value j + 16 of 32 in one byte.
// IQ4_NL: blocks of 32 values: half-precision scale, 16 bytes of nibbles.
// IQ4_XS: super-blocks of 256 values: half-precision scale of the scales, 2 bytes with the upper two and 4 bytes with
// the lower four bits of eight scales, 128 bytes of nibbles.

/// Writes the indices of 32 values.
KERNEL void write_nonlinear(lane_blocks *blocks, const lane_float x[32], lane_float inverse) {
    lane_int indices[32];
    for (int i = 0; i < 32; ++i) indices[i] = nonlinear_index(inverse * x[i]);
    lane_write_quants(blocks, indices, 15);
}

KERNEL void encode_nonlinear(const float *from, size_t count, size_t columns, const float *importance, uint8_t *to) {
    for (size_t block = 0; block < count; block += LANES) {
        lane_blocks blocks = lane_blocks_at(block, count, 32, columns, from, importance, to, iq4_nl_bytes);
        lane_float x[32], w[32];
        lane_load(x, blocks.values, 32);
        const lane_float mean_square = importance ? lane_sum_of_squares(x, 32) * (2.0f / 32) : lane_float_of(0);
        lane_weights_or_squares(w, x, &blocks, 0, 32, mean_square);
        const lane_float scale = search_nonlinear(x, w);
        uint16_t halves[LANES];
        lane_to_half(scale, halves);
        lane_write_halves(&blocks, halves);
        write_nonlinear(&blocks, x, nonlinear_inverse(scale));
    }
}

KERNEL void encode_nonlinear_k(const float *from, size_t count, size_t columns, const float *importance,
                               uint8_t *to) {
    for (size_t block = 0; block < count; block += LANES) {
        lane_blocks blocks = lane_blocks_at(block, count, 256, columns, from, importance, to, iq4_xs_bytes);
        lane_float x[256], scales[8];
        lane_load(x, blocks.values, 256);
        const lane_float mean_square = importance ? lane_sum_of_squares(x, 256) * (2.0f / 256) : lane_float_of(0);
        for (int j = 0; j < 8; ++j) {
            lane_float w[32];
            lane_weights_or_squares(w, x + 32 * j, &blocks, 32 * j, 32, mean_square);
            scales[j] = search_nonlinear(x + 32 * j, w);
        }

        const lane_float scale = -largest(scales, 8) / 32.0f;
        const lane_float inverse = nonlinear_inverse(scale);
        lane_float scale_quants[8];
        lane_int low = lane_int_of(0), high = lane_int_of(0);
        for (int j = 0; j < 8; ++j) {
            scale_quants[j] = nearest_within(inverse * scales[j], -32, 31);
            const lane_int stored = whole(scale_quants[j]) + 32;
            low |= shift_up(stored & 15, 4 * j);
            high |= shift_up(stored >> 4, 2 * j);
        }
        uint16_t halves[LANES];
        lane_to_half(scale, halves);
        lane_write_halves(&blocks, halves);
        for (int lane = 0; lane < LANES; ++lane) halves[lane] = (uint16_t)((const int32_t *)&high)[lane];
        lane_write_halves(&blocks, halves);
        lane_write_words(&blocks, &low, 1);
        // Unlike the other types this one rounds its values against the scale before its rounding to half precision.
        for (int j = 0; j < 8; ++j)
            write_nonlinear(&blocks, x + 32 * j, nonlinear_inverse(scale * scale_quants[j]));
    }
}

ENCODER void encode_iq4_nl(const float *from, size_t count, size_t columns, const float *importance, uint8_t *to) {
    if (importance)
        encode_nonlinear(from, count, columns, importance, to);
    else
        encode_nonlinear(from, count, columns, 0, to);
}

ENCODER void encode_iq4_xs(const float *from, size_t count, size_t columns, const float *importance, uint8_t *to) {
    if (importance)
        encode_nonlinear_k(from, count, columns, importance, to);
    else
        encode_nonlinear_k(from, count, columns, 0, to);
}

/// Decodes 32 values from their nibbles.
KERNEL void decode_nonlinear(const uint8_t *nibbles, float scale, float *to) {
    for (int i = 0; i < 16; ++i) {
        to[i] = scale * nonlinear_level(nibbles[i] & 15);
        to[i + 16] = scale * nonlinear_level(nibbles[i] >> 4);
    }
}

static void decode_iq4_nl(const uint8_t *from, size_t blocks, float *to) {
    for (size_t block = 0; block < blocks; ++block, from += iq4_nl_bytes, to += 32)
        decode_nonlinear(from + 2, load_half(from), to);
}

static void decode_iq4_xs(const uint8_t *from, size_t count, float *to) {
    for (size_t block = 0; block < count; ++block, from += iq4_xs_bytes) {
        const float scale = load_half(from);
        for (int j = 0; j < 8; ++j, to += 32) {
            const int low = from[4 + j / 2] >> (4 * (j % 2)) & 15, high = from[2 + j / 4] >> (2 * (j % 4)) & 3;
            decode_nonlinear(from + 8 + 16 * j, scale * (float)((low | high << 4) - 32), to);
        }
    }
}
