// What IQ2_XXS, IQ2_XS and IQ2_S share: values without their signs, trials of a scale, points of a code book.

/// The signs of a group of eight, and the values without them.
/// - x: eight values; where their signs are stored in seven bits, the number of negative ones must be even: the value
///   whose sign matters least changes it, and is negative in `positive` then.
/// - Returns: the signs, first value lowest.
KERNEL lane_int split_signs(const lane_float x[8], const lane_float w[8], bool even, lane_float positive[8]) {
    lane_int signs = lane_int_of(0);
    for (int i = 0; i < 8; ++i) {
        const lane_mask negative = less(x[i], lane_float_of(0));
        signs |= negative & (1 << i);
        positive[i] = pick(negative, -x[i], x[i]);
    }
    if (!even) return signs;
    lane_int parity = signs ^ (signs >> 4);
    parity ^= parity >> 2;
    parity ^= parity >> 1;
    lane_int lightest = lane_int_of(1);
    lane_float least_weight = w[0] * x[0] * x[0];
    for (int i = 1; i < 8; ++i) {
        const lane_float weight = w[i] * x[i] * x[i];
        const lane_mask lighter = less(weight, least_weight);
        least_weight = pick(lighter, weight, least_weight);
        lightest = pick_int(lighter, lane_int_of(1 << i), lightest);
    }
    lightest &= -(parity & 1);
    for (int i = 0; i < 8; ++i)
        positive[i] = lane_from_bits(lane_bits(positive[i]) ^ shift_up((lightest >> i) & 1, 31));
    return signs ^ lightest;
}

KERNEL lane_float largest_value(const lane_float *x, int count) {
    lane_float max = x[0];
    for (int i = 1; i < count; ++i) max = pick(greater(max, x[i]), max, x[i]);
    return max;
}

/// How a type searches the points and the scale of its sub-blocks.
typedef struct {
    const quern_codebook *book;
    /// Of eight values in a sub-block: 2 or 4.
    int groups;
    /// Scales are tried at −reach ... reach tenths around 5 of the book's values; up to 9.
    int reach;
    /// See `split_signs`.
    bool even_signs;
    /// Whether the book has shorter lists for points that are certain.
    bool shortened;
    /// Whether all groups are rounded again to the scale that was found, or only those that were moved into the book.
    bool rounds_all;
} point_search;

/// A sub-block.
typedef struct {
    /// At least zero but where `split_signs` made them negative.
    lane_float x[32];
    /// Weights, their roots, and weight · x.
    lane_float w[32], root[32], wx[32];
    /// The largest magnitude.
    lane_float largest;
    /// Signs and packed points of each group.
    lane_int signs[4], points[4];
    lane_float scale;
} point_block;

/// Fills in a sub-block but for its scale; all points are the first of the book.
/// - first: where in the super-block it begins.
KERNEL void load_points(point_block *block, const point_search *search, const lane_blocks *blocks,
                        const lane_float *values, int first, lane_float mean_square) {
    const lane_float *x = values + first;
    const int count = 8 * search->groups;
    if (blocks->weights[0]) {
        lane_importance(block->w, blocks, first, count);
        lane_weigh(block->w, x, count, mean_square);
    } else {
        for (int i = 0; i < count; ++i) block->w[i] = 0.25f * mean_square + x[i] * x[i];
    }
    for (int group = 0; group < search->groups; ++group) {
        const lane_float *w = block->w + 8 * group;
        block->signs[group] = split_signs(x + 8 * group, w, search->even_signs, block->x + 8 * group);
        block->points[group] = lane_int_of(0);
    }
    block->largest = magnitude(largest(x, count));
    for (int i = 0; i < count; ++i) {
        block->root[i] = lane_sqrt(block->w[i]);
        block->wx[i] = block->w[i] * block->x[i];
    }
}

/// The point of a group at a scale of 1/inverse, whether in the book or not.
KERNEL lane_int round_group(const point_block *block, const point_search *search, int group, lane_float inverse) {
    const lane_float *x = block->x + 8 * group;
    const lane_int packed = pack_levels(x, inverse);
    return search->shortened ? packed | (levels_certain(x, inverse, block->largest) & codebook_certain) : packed;
}

/// Tries scales around `highest`/5 and keeps the one with the largest (Σwxq)²/Σwqq.
/// - wanted: lanes to search; the others hold anything afterwards.
KERNEL void search_points(point_block *block, const point_search *search, lane_float highest, lane_mask wanted,
                          int live) {
    const int trials = 2 * search->reach + 1, groups = search->groups;
    lane_float scales[19];
    lane_int points[19 * 4];
    for (int trial = 0; trial < trials; ++trial) {
        const lane_float inverse = lane_float_of(5.0f + 0.1f * (float)(trial - search->reach)) / highest;
        scales[trial] = 1.0f / inverse;
        for (int group = 0; group < groups; ++group)
            points[groups * trial + group] = round_group(block, search, group, inverse);
    }
    for (int group = 0; group < groups; ++group)
        move_trials_into_book(search->book, block->x + 8 * group, block->root + 8 * group, scales, trials,
                              points + group, groups, &wanted, live);
    lane_float best_gain = lane_float_of(0);
    for (int trial = 0; trial < trials; ++trial) {
        const lane_int *trial_points = points + groups * trial;
        lane_float sum_wxq = lane_float_of(0), sum_wqq = lane_float_of(0);
        for (int group = 0; group < groups; ++group)
            add_point_sums(trial_points[group], block->w + 8 * group, block->wx + 8 * group, &sum_wxq, &sum_wqq);
        const lane_mask better =
            greater(sum_wqq, lane_float_of(0)) & greater(sum_wxq * sum_wxq, best_gain * sum_wqq);
        const lane_float scale = sum_wxq / sum_wqq;
        block->scale = pick(better, scale, block->scale);
        best_gain = pick(better, scale * sum_wxq, best_gain);
        for (int group = 0; group < groups; ++group)
            block->points[group] = pick_int(better, trial_points[group], block->points[group]);
    }
}

/// Rounds groups again to the scale that was found, and fits the scale to the result.
KERNEL void refit_points(point_block *block, const point_search *search, lane_mask wanted, int live) {
    lane_mask rounded[4], refitted = lane_int_of(0);
    for (int group = 0; group < search->groups; ++group) {
        rounded[group] = wanted & greater(block->scale, lane_float_of(0));
        if (!search->rounds_all) rounded[group] &= -((block->points[group] & codebook_moved) / codebook_moved);
        refitted |= rounded[group];
    }
    const lane_float inverse = 1.0f / block->scale;
    lane_float sum_wxq = lane_float_of(0), sum_wqq = lane_float_of(0);
    for (int group = 0; group < search->groups; ++group) {
        lane_int point = round_group(block, search, group, inverse);
        move_trials_into_book(search->book, block->x + 8 * group, block->root + 8 * group, &block->scale, 1, &point, 1,
                              &rounded[group], live);
        block->points[group] = pick_int(rounded[group], point, block->points[group]);
        add_point_sums(block->points[group], block->w + 8 * group, block->wx + 8 * group, &sum_wxq, &sum_wqq);
    }
    block->scale = pick(refitted & greater(sum_wqq, lane_float_of(0)), sum_wxq / sum_wqq, block->scale);
}

/// A scale is stored without its sign: where it is negative, all signs of its groups change, those of eight values to a
/// byte.
KERNEL void make_scale_positive(lane_float *scale, lane_int *signs, int groups) {
    const lane_mask negative = less(*scale, lane_float_of(0));
    *scale = pick(negative, -*scale, *scale);
    for (int group = 0; group < groups; ++group) signs[group] ^= negative & 255;
}

/// Quantizes the scales of all sub-blocks: scale ≈ unit · (2q + 1).
/// - none: receives the lanes whose scales are all zero: their quants and unit are, too.
/// - Returns: the unit, 1/31 of the largest scale.
KERNEL lane_float quantize_odd_scales(const lane_float *scales, int count, lane_int *quants, lane_mask *none) {
    lane_float max = lane_float_of(0);
    for (int j = 0; j < count; ++j) max = pick(greater(max, scales[j]), max, scales[j]);
    *none = equal(max, lane_float_of(0));
    const lane_float unit = max / 31.0f;
    const lane_float inverse = 1.0f / unit;
    for (int j = 0; j < count; ++j)
        quants[j] = ~*none & nearest_integer_within(0.5f * (inverse * scales[j] - 1.0f), 0, 15);
    return unit;
}

/// Decodes a group of eight: level l stands for 8, 25 or 43.
/// - signs: eight bits, first value lowest.
KERNEL void decode_point(uint32_t packed, uint32_t signs, float scale, float *to) {
    typedef VECTOR(uint32_t, 8) eight_words;
    typedef VECTOR(float, 8) eight_floats;
    const eight_words places = {0, 1, 2, 3, 4, 5, 6, 7};
    const eight_words levels = ((eight_words)packed >> (2 * places)) & 3;
    const eight_words magnitudes = 17 * levels + (levels >> 1) + 8;
    const eight_floats values = scale * __builtin_convertvector((magnitudes), eight_floats);
    const eight_words bits = (eight_words)values ^ (((eight_words)signs >> places) << 31);
    memcpy(to, &bits, sizeof bits);
}

/// Eight signs from the seven that are stored: their number is even.
KERNEL uint32_t even_signs(uint32_t seven) {
    return seven | (uint32_t)__builtin_parity(seven) << 7;
}
