// IQ2_XXS: super-blocks of 256 values: half-precision unit of the scales, then for each sub-block of 32 values four
// bytes with the indices of its points, and a word with seven signs for each point and, on top, a 4-bit scale.

ENCODER void encode_iq2_xxs(const float *from, size_t count, size_t columns, const float *importance, uint8_t *to) {
    const point_search search = {
        .book = quern_codebook_get(quern_codebook_iq2_xxs),
        .groups = 4,
        .reach = 6,
        .even_signs = true,
        .shortened = true,
        .rounds_all = true,
    };
    for (size_t first = 0; first < count; first += LANES) {
        lane_blocks blocks = lane_blocks_at(first, count, 256, columns, from, importance, to, iq2_xxs_bytes);
        lane_float values[256], scales[8];
        lane_load(values, blocks.values, 256);
        const lane_float mean_square = lane_sum_of_squares(values, 256) / 256.0f;
        lane_int words[16], scale_quants[8];
        for (int j = 0; j < 8; ++j) {
            point_block block;
            load_points(&block, &search, &blocks, values, 32 * j, mean_square);
            lane_int quants[32];
            block.scale = search_scales(block.x, block.w, 32, 4, quants);
            const lane_float highest = 3.0f * block.scale;
            const lane_mask wanted = greater(highest, lane_float_of(0))
                & ~less(largest_value(block.x, 32), lane_float_of(SMALLEST));
            search_points(&block, &search, highest, wanted, blocks.live);
            refit_points(&block, &search, wanted, blocks.live);
            make_scale_positive(&block.scale, block.signs, 4);

            lane_int indices[4];
            for (int group = 0; group < 4; ++group) indices[group] = point_indices(search.book, block.points[group]);
            words[2 * j] = wanted & word_of(indices);
            words[2 * j + 1] = lane_int_of(0);
            for (int group = 0; group < 4; ++group)
                words[2 * j + 1] |= wanted & shift_up(block.signs[group] & 127, 7 * group);
            scales[j] = pick(wanted, block.scale, lane_float_of(0));
        }
        lane_mask none;
        const lane_float unit = quantize_odd_scales(scales, 8, scale_quants, &none);
        for (int j = 0; j < 8; ++j) words[2 * j + 1] |= shift_up(scale_quants[j], 28);
        for (int i = 0; i < 16; ++i) words[i] &= ~none;
        uint16_t halves[LANES];
        lane_to_half(unit, halves);
        lane_write_halves(&blocks, halves);
        lane_write_words(&blocks, words, 16);
    }
}

static void decode_iq2_xxs(const uint8_t *from, size_t count, float *to) {
    const quern_codebook *book = quern_codebook_get(quern_codebook_iq2_xxs);
    for (size_t block = 0; block < count; ++block, from += iq2_xxs_bytes) {
        const float unit = load_half(from);
        for (int j = 0; j < 8; ++j) {
            const uint8_t *indices = from + 2 + 8 * j;
            uint32_t word;
            memcpy(&word, indices + 4, sizeof word);
            const float scale = unit * (0.5f + (float)(word >> 28)) * 0.25f;
            for (int group = 0; group < 4; ++group, to += 8)
                decode_point(book->points[indices[group]], even_signs((word >> (7 * group)) & 127), scale, to);
        }
    }
}
