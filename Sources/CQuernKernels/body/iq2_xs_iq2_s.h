// Super-blocks of 256 values with sixteen 4-bit scales, each for two points.
//
// IQ2_XS: half-precision unit of the scales, 32 two-byte words with the index of a point and, on top, its seven signs,
// eight bytes with scales. IQ2_S: the unit, 32 low bytes of indices, 32 bytes with eight signs each, eight bytes with
// four upper bit pairs of indices each, eight bytes with scales.

/// The points, signs and scales of LANES super-blocks.
typedef struct {
    lane_int indices[32], signs[32], scales[16];
    lane_float unit;
    /// Lanes whose scales are all zero.
    lane_mask none;
} sixteens;

/// - smallest: sub-blocks whose values are all smaller count as zero.
KERNEL sixteens search_sixteens(const point_search *search, const lane_blocks *blocks, const lane_float *values,
                                lane_float mean_square, float smallest) {
    sixteens result;
    lane_float scales[16];
    for (int j = 0; j < 16; ++j) {
        point_block block;
        load_points(&block, search, blocks, values, 16 * j, mean_square);
        const lane_float highest = largest_value(block.x, 16);
        const lane_mask wanted = ~less(highest, lane_float_of(smallest));
        block.scale = highest / 5.0f;
        search_points(&block, search, highest, wanted, blocks->live);
        refit_points(&block, search, wanted, blocks->live);
        make_scale_positive(&block.scale, block.signs, 2);
        for (int group = 0; group < 2; ++group) {
            result.indices[2 * j + group] = wanted & point_indices(search->book, block.points[group]);
            result.signs[2 * j + group] = wanted & block.signs[group];
        }
        scales[j] = pick(wanted, block.scale, lane_float_of(0));
    }
    result.unit = quantize_odd_scales(scales, 16, result.scales, &result.none);
    return result;
}

/// Two words with sixteen scales, the first lowest.
KERNEL void pack_nibbles(lane_int words[2], const lane_int nibbles[16]) {
    for (int word = 0; word < 2; ++word) {
        words[word] = lane_int_of(0);
        for (int i = 0; i < 8; ++i) words[word] |= shift_up(nibbles[8 * word + i], 4 * i);
    }
}

ENCODER void encode_iq2_xs(const float *from, size_t count, size_t columns, const float *importance, uint8_t *to) {
    const point_search search = {
        .book = quern_codebook_get(quern_codebook_iq2_xs),
        .groups = 2,
        .reach = 9,
        .even_signs = true,
        .shortened = true,
    };
    for (size_t first = 0; first < count; first += LANES) {
        lane_blocks blocks = lane_blocks_at(first, count, 256, columns, from, importance, to, iq2_xs_bytes);
        lane_float values[256];
        lane_load(values, blocks.values, 256);
        const lane_float mean_square = lane_sum_of_squares(values, 256) / 256.0f;
        const sixteens found = search_sixteens(&search, &blocks, values, mean_square, SMALLEST);

        lane_int words[18];
        for (int i = 0; i < 16; ++i) {
            const lane_int low = found.indices[2 * i] | shift_up(found.signs[2 * i] & 127, 9);
            const lane_int high = found.indices[2 * i + 1] | shift_up(found.signs[2 * i + 1] & 127, 9);
            words[i] = ~found.none & (low | shift_up(high, 16));
        }
        pack_nibbles(words + 16, found.scales);
        uint16_t halves[LANES];
        lane_to_half(found.unit, halves);
        lane_write_halves(&blocks, halves);
        lane_write_words(&blocks, words, 18);
    }
}

ENCODER void encode_iq2_s(const float *from, size_t count, size_t columns, const float *importance, uint8_t *to) {
    const point_search search = {
        .book = quern_codebook_get(quern_codebook_iq2_s),
        .groups = 2,
        .reach = 9,
        .even_signs = false,
        .shortened = false,
    };
    for (size_t first = 0; first < count; first += LANES) {
        lane_blocks blocks = lane_blocks_at(first, count, 256, columns, from, importance, to, iq2_s_bytes);
        lane_float values[256];
        lane_load(values, blocks.values, 256);
        const sixteens found = search_sixteens(&search, &blocks, values, lane_twice_mean_square(values), 1e-8f);

        lane_int words[20], upper[8];
        for (int i = 0; i < 8; ++i) {
            lane_int low[4];
            upper[i] = lane_int_of(0);
            for (int k = 0; k < 4; ++k) {
                low[k] = found.indices[4 * i + k] & 255;
                upper[i] |= shift_up(found.indices[4 * i + k] >> 8, 2 * k);
            }
            words[i] = word_of(low);
            words[8 + i] = word_of(found.signs + 4 * i);
        }
        for (int word = 0; word < 2; ++word) words[16 + word] = word_of(upper + 4 * word);
        pack_nibbles(words + 18, found.scales);
        uint16_t halves[LANES];
        lane_to_half(found.unit * 0.9875f, halves);
        lane_write_halves(&blocks, halves);
        lane_write_words(&blocks, words, 20);
    }
}

static void decode_iq2_xs(const uint8_t *from, size_t count, float *to) {
    const quern_codebook *book = quern_codebook_get(quern_codebook_iq2_xs);
    for (size_t block = 0; block < count; ++block, from += iq2_xs_bytes) {
        const float unit = load_half(from);
        for (int group = 0; group < 32; ++group, to += 8) {
            uint16_t word;
            memcpy(&word, from + 2 + 2 * group, sizeof word);
            const int scale_quant = (from[66 + group / 4] >> (4 * (group / 2 % 2))) & 15;
            const float scale = unit * (0.5f + (float)scale_quant) * 0.25f;
            decode_point(book->points[word & 511], even_signs(word >> 9), scale, to);
        }
    }
}

static void decode_iq2_s(const uint8_t *from, size_t count, float *to) {
    const quern_codebook *book = quern_codebook_get(quern_codebook_iq2_s);
    for (size_t block = 0; block < count; ++block, from += iq2_s_bytes) {
        const float unit = load_half(from);
        for (int group = 0; group < 32; ++group, to += 8) {
            const int upper = (from[66 + group / 4] >> (2 * (group % 4))) & 3;
            const int scale_quant = (from[74 + group / 4] >> (4 * (group / 2 % 2))) & 15;
            const float scale = unit * (0.5f + (float)scale_quant) * 0.25f;
            decode_point(book->points[from[2 + group] | upper << 8], from[34 + group], scale, to);
        }
    }
}
