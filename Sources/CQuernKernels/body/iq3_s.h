// IQ3_S: super-blocks of 256 values: half-precision unit of the scales, the low bytes of 64 indices of points, their
// ninth bits, 256 signs, eight 4-bit scales.

ENCODER void encode_iq3_s(const float *from, size_t count, size_t columns, const float *importance, uint8_t *to) {
    const quern_candidates *book = quern_candidates_get(quern_codebook_iq3_s);
    for (size_t first = 0; first < count; first += LANES) {
        lane_blocks blocks = lane_blocks_at(first, count, 256, columns, from, importance, to, iq3_s_bytes);
        lane_float x[256], scales[8];
        lane_load(x, blocks.values, 256);
        const lane_float mean_square = importance ? lane_twice_mean_square(x) : lane_float_of(0);
        for (int lane = 0; lane < blocks.live; ++lane) memset(blocks.output[lane], 0, iq3_s_bytes);
        // As in the reference, sub-blocks of zeros take no room: the points and signs of the next one lie there.
        int filled[LANES] = {0};
        for (int j = 0; j < 8; ++j) {
            quad_search search;
            search.book = book;
            lane_int signs[4];
            load_quads(&search, &blocks, x, 32 * j, mean_square, false, signs);
            const lane_float max = largest_value(search.x, 32);
            const lane_mask zero = equal(max, lane_float_of(0));
            quad_fit fit = search_quads(&search, max, 9, true);
            // One group that strayed makes all round anew.
            for (int group = 1; group < 8; ++group) fit.strayed[0] |= fit.strayed[group];
            for (int group = 1; group < 8; ++group) fit.strayed[group] = fit.strayed[0];
            refine_quads(&search, &fit);
            make_scale_positive(&fit.scale, signs, 4);
            scales[j] = pick(zero, lane_float_of(0), fit.scale);

            for (int lane = 0; lane < blocks.live; ++lane) {
                if (lane_get_int(&zero, lane)) continue;
                uint8_t *output = blocks.output[lane] + 2;
                for (int group = 0; group < 8; ++group) {
                    const uint16_t index = book->indices[lane_get_int(&fit.points[group], lane)];
                    output[8 * filled[lane] + group] = (uint8_t)index;
                    output[64 + j] |= (uint8_t)(index >> 8 << group);
                }
                for (int group = 0; group < 4; ++group)
                    output[72 + 4 * filled[lane] + group] = (uint8_t)lane_get_int(&signs[group], lane);
                filled[lane] += 1;
            }
        }
        lane_int scale_quants[8];
        lane_mask none;
        const lane_float unit = quantize_odd_scales(scales, 8, scale_quants, &none);
        uint16_t halves[LANES];
        lane_to_half(unit * 1.033f, halves);
        lane_write_halves(&blocks, halves);
        lane_skip(&blocks, 104);
        lane_int bytes[4];
        for (int j = 0; j < 4; ++j) bytes[j] = scale_quants[2 * j] | shift_up(scale_quants[2 * j + 1], 4);
        const lane_int word = word_of(bytes);
        lane_write_words(&blocks, &word, 1);
    }
}

static void decode_iq3_s(const uint8_t *from, size_t count, float *to) {
    const quern_codebook *book = quern_codebook_get(quern_codebook_iq3_s);
    for (size_t block = 0; block < count; ++block, from += iq3_s_bytes) {
        const float unit = load_half(from);
        for (int j = 0; j < 8; ++j) {
            const int scale_quant = (from[106 + j / 2] >> (4 * (j % 2))) & 15;
            const float scale = unit * (float)(2 * scale_quant + 1);
            for (int group = 0; group < 8; ++group, to += 4) {
                const int index = from[2 + 8 * j + group] | ((from[66 + j] >> group) & 1) << 8;
                const uint32_t signs = from[74 + 4 * j + group / 2] >> (4 * (group % 2));
                save_quad(to, 2 * quad_levels(book->points[index]) + 1, signs, scale);
            }
        }
    }
}
