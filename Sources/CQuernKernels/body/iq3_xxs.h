// IQ3_XXS: super-blocks of 256 values: half-precision unit of the scales, 64 indices of points, then for each sub-block
// of 32 values a word with four times seven signs and, on top, a 4-bit scale.

ENCODER void encode_iq3_xxs(const float *from, size_t count, size_t columns, const float *importance, uint8_t *to) {
    const quern_candidates *book = quern_candidates_get(quern_codebook_iq3_xxs);
    for (size_t first = 0; first < count; first += LANES) {
        lane_blocks blocks = lane_blocks_at(first, count, 256, columns, from, importance, to, iq3_xxs_bytes);
        lane_float x[256], scales[8];
        lane_load(x, blocks.values, 256);
        const lane_float mean_square = importance ? lane_twice_mean_square(x) : lane_float_of(0);
        lane_int points[64], words[8], scale_quants[8];
        for (int j = 0; j < 8; ++j) {
            quad_search search;
            search.book = book;
            lane_int signs[4];
            load_quads(&search, &blocks, x, 32 * j, mean_square, true, signs);
            const lane_float max = largest_value(search.x, 32);
            const lane_mask wanted = ~less(max, lane_float_of(1e-8f));
            quad_fit fit = search_quads(&search, max, 15, false);
            refine_quads(&search, &fit);
            make_scale_positive(&fit.scale, signs, 4);

            scales[j] = pick(wanted, fit.scale, lane_float_of(0));
            for (int group = 0; group < 8; ++group) points[8 * j + group] = wanted & fit.points[group];
            words[j] = lane_int_of(0);
            for (int group = 0; group < 4; ++group) words[j] |= wanted & shift_up(signs[group] & 127, 7 * group);
        }
        lane_mask none;
        const lane_float unit = quantize_odd_scales(scales, 8, scale_quants, &none);
        for (int j = 0; j < 8; ++j) words[j] = ~none & (words[j] | shift_up(scale_quants[j], 28));

        uint16_t halves[LANES];
        lane_to_half(unit * 1.0125f, halves);
        lane_write_halves(&blocks, halves);
        for (int lane = 0; lane < blocks.live; ++lane) {
            for (int i = 0; i < 64; ++i) {
                const uint16_t index = book->indices[lane_get_int(&points[i], lane)];
                blocks.output[lane][i] = lane_get_int(&none, lane) ? 0 : (uint8_t)index;
            }
        }
        lane_skip(&blocks, 64);
        lane_write_words(&blocks, words, 8);
    }
}

static void decode_iq3_xxs(const uint8_t *from, size_t count, float *to) {
    const quern_codebook *book = quern_codebook_get(quern_codebook_iq3_xxs);
    for (size_t block = 0; block < count; ++block, from += iq3_xxs_bytes) {
        const float unit = load_half(from);
        for (int j = 0; j < 8; ++j) {
            uint32_t word;
            memcpy(&word, from + 66 + 4 * j, sizeof word);
            const float scale = unit * (0.5f + (float)(word >> 28)) * 0.5f;
            for (int group = 0; group < 8; ++group, to += 4) {
                const uint32_t signs = even_signs((word >> (7 * (group / 2))) & 127);
                // 4, 12, 20, 28, 36, 44, 52, 62.
                const four_words levels = quad_levels(book->points[from[2 + 8 * j + group]]);
                save_quad(to, 8 * levels + 4 + 2 * (levels / 7), signs >> (4 * (group % 2)), scale);
            }
        }
    }
}
