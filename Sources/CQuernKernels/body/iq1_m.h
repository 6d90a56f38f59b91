// IQ1_M: super-blocks of 256 values: the low bytes of the indices of 32 points; sixteen bytes, each with the upper
// three bits of two indices, both with their shift; eight bytes with a 3-bit scale for each 16 values, four in a word,
// which has four bits of the half-precision scale at its top.

/// Replaces the scale of a super-block by the best one for the points, shifts and scale quants.
KERNEL lane_float refit_ternary(lane_float scale, const lane_float *x, const lane_float *w, const ternary_fit fits[16],
                                const lane_int quants[16]) {
    lane_float sum_wxq = lane_float_of(0), sum_wqq = lane_float_of(0);
    for (int j = 0; j < 16; ++j) {
        const lane_float factor = lane_to_float(2 * quants[j] + 1);
        for (int group = 0; group < 2; ++group) {
            const lane_float offset = ternary_offset(fits[j].shifts, group, 2);
            for (int i = 0; i < 8; ++i) {
                const int value = 16 * j + 8 * group + i;
                const lane_float q = ternary_value(fits[j].points[group], i, offset) * factor;
                const lane_float wq = w[value] * q;
                sum_wxq += wq * x[value];
                sum_wqq += wq * q;
            }
        }
    }
    return pick(greater(sum_wqq, lane_float_of(0)), sum_wxq / sum_wqq, scale);
}

ENCODER void encode_iq1_m(const float *from, size_t count, size_t columns, const float *importance, uint8_t *to) {
    const quern_codebook *book = quern_codebook_get(quern_codebook_iq1);
    for (size_t block = 0; block < count; block += LANES) {
        lane_blocks blocks = lane_blocks_at(block, count, 256, columns, from, importance, to, iq1_m_bytes);
        lane_float x[256], w[256];
        lane_load(x, blocks.values, 256);
        const lane_float mean_square = lane_twice_mean_square(x);

        ternary_fit fits[16];
        lane_float largest_scale = lane_float_of(0);
        for (int j = 0; j < 16; ++j) {
            lane_weights_or_squares(w + 16 * j, x + 16 * j, &blocks, 16 * j, 16, mean_square);
            fits[j] = fit_ternary(x + 16 * j, w + 16 * j, 16, 1e-7f, blocks.live, book);
            largest_scale = pick(greater(largest_scale, fits[j].scale), largest_scale, fits[j].scale);
        }

        const lane_mask some = differs(largest_scale, lane_float_of(0));
        lane_float scale = largest_scale / 15.0f;
        const lane_float inverse = 1.0f / scale;
        lane_int quants[16];
        for (int j = 0; j < 16; ++j) quants[j] = ternary_scale_quant(inverse * fits[j].scale);
        uint16_t halves[LANES];
        lane_to_half(refit_ternary(scale, x, w, fits, quants) * 1.1125f, halves);

        lane_int words[14];
        for (int word = 0; word < 14; ++word) words[word] = lane_int_of(0);
        for (int j = 0; j < 16; ++j) {
            const lane_int first = point_indices(book, fits[j].points[0]);
            const lane_int second = point_indices(book, fits[j].points[1]);
            const lane_int shifts = some & (shift_up(fits[j].shifts & 2, 2) | shift_up(fits[j].shifts & 1, 7));
            words[j / 2] |= shift_up((first & 0xff) | shift_up(second & 0xff, 8), 16 * (j % 2));
            words[8 + j / 4] |= shift_up((first >> 8) | shift_up(second >> 8, 4) | shifts, 8 * (j % 4));
            words[12 + j / 8] |= shift_up(some & quants[j], 16 * (j / 4 % 2) + 3 * (j % 4));
        }
        for (int lane = 0; lane < LANES; ++lane) {
            const uint32_t half = halves[lane];
            uint32_t *low = (uint32_t *)&words[12] + lane, *high = (uint32_t *)&words[13] + lane;
            if (!lane_get_int(&some, lane)) continue;
            *low |= (half & 0xf) << 12 | (half & 0xf0) << 24;
            *high |= (half & 0xf00) << 4 | (half & 0xf000) << 16;
        }
        lane_write_words(&blocks, words, 14);
    }
}

static void decode_iq1_m(const uint8_t *from, size_t count, float *to) {
    const uint16_t *points = quern_codebook_get(quern_codebook_iq1)->points;
    for (size_t block = 0; block < count; ++block, from += iq1_m_bytes) {
        const uint8_t *scales = from + 48;
        const float scale = float_from_half(
            (uint16_t)(scales[1] >> 4 | (scales[3] & 0xf0) | (scales[5] & 0xf0) << 4 | (scales[7] & 0xf0) << 8));
        for (int j = 0; j < 16; ++j, to += 16) {
            const uint8_t *low = from + 2 * j, *four_scales = scales + 2 * (j / 4);
            const int upper = from[32 + j];
            const int quant = (four_scales[0] | four_scales[1] << 8) >> (3 * (j % 4)) & 7;
            const uint16_t first = points[low[0] | (upper & 7) << 8], second = points[low[1] | (upper & 0x70) << 4];
            const row_float values =
                ternary_row(first, second, upper & 8 ? -1.125f : -0.875f, upper & 0x80 ? -1.125f : -0.875f);
            row_save(to, values * (scale * (float)(2 * quant + 1)));
        }
    }
}
