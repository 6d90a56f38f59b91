// IQ1_S: super-blocks of 256 values: half-precision scale, the low bytes of the indices of 32 points, and for each 32
// values two bytes with the upper three bits of their four indices, a 3-bit scale and the shift.

ENCODER void encode_iq1_s(const float *from, size_t count, size_t columns, const float *importance, uint8_t *to) {
    const quern_codebook *book = quern_codebook_get(quern_codebook_iq1);
    for (size_t block = 0; block < count; block += LANES) {
        lane_blocks blocks = lane_blocks_at(block, count, 256, columns, from, importance, to, iq1_s_bytes);
        lane_float x[256];
        lane_load(x, blocks.values, 256);
        const lane_float mean_square = lane_twice_mean_square(x);

        ternary_fit fits[8];
        lane_float largest_scale = lane_float_of(0);
        for (int j = 0; j < 8; ++j) {
            lane_float w[32];
            lane_weights_or_squares(w, x + 32 * j, &blocks, 32 * j, 32, mean_square);
            fits[j] = fit_ternary(x + 32 * j, w, 32, 1e-12f, blocks.live, book);
            largest_scale = pick(greater(largest_scale, fits[j].scale), largest_scale, fits[j].scale);
        }

        const lane_mask some = differs(largest_scale, lane_float_of(0));
        const lane_float scale = largest_scale / 15.0f, inverse = 1.0f / scale;
        uint16_t halves[LANES];
        lane_to_half(scale * 1.125f, halves);
        lane_write_halves(&blocks, halves);

        lane_int words[12];
        for (int word = 0; word < 12; ++word) words[word] = lane_int_of(0);
        for (int j = 0; j < 8; ++j) {
            const lane_int quant = ternary_scale_quant(inverse * fits[j].scale);
            lane_int upper = some & (shift_up(quant, 12) | shift_up(fits[j].shifts & 1, 15));
            for (int group = 0; group < 4; ++group) {
                const lane_int index = point_indices(book, fits[j].points[group]);
                words[j] |= shift_up(index & 0xff, 8 * group);
                upper |= shift_up(index >> 8, 3 * group);
            }
            words[8 + j / 2] |= shift_up(upper, 16 * (j % 2));
        }
        lane_write_words(&blocks, words, 12);
    }
}

static void decode_iq1_s(const uint8_t *from, size_t count, float *to) {
    const uint16_t *points = quern_codebook_get(quern_codebook_iq1)->points;
    for (size_t block = 0; block < count; ++block, from += iq1_s_bytes) {
        const float scale = load_half(from);
        for (int j = 0; j < 8; ++j, to += 32) {
            const uint8_t *low = from + 2 + 4 * j, *upper = from + 34 + 2 * j;
            const int bits = upper[0] | upper[1] << 8;
            const float part_scale = scale * (float)(2 * (bits >> 12 & 7) + 1);
            const float offset = bits & 0x8000 ? -1.125f : -0.875f;
            for (int group = 0; group < 4; group += 2) {
                const uint16_t first = points[low[group] | (bits >> (3 * group) & 7) << 8];
                const uint16_t second = points[low[group + 1] | (bits >> (3 * group + 3) & 7) << 8];
                row_save(to + 8 * group, ternary_row(first, second, offset, offset) * part_scale);
            }
        }
    }
}
