// Points of the IQ2 code books: eight coordinates of 3 levels, of which level l stands for the odd number 2l + 1.
//
// A packed point (codebook.h) is one integer, so a lane holds the quants of eight values in one register.

/// A point that was not in the book and was replaced by its nearest neighbour has this bit.
enum { codebook_moved = 1 << 17 };

/// The level nearest to inverse · x is the integer nearest to this.
KERNEL lane_float level_of(lane_float x, lane_float inverse) { return 0.5f * (inverse * x - 1.0f); }

/// The levels nearest to inverse · x, packed.
KERNEL lane_int pack_levels(const lane_float x[8], lane_float inverse) {
    lane_int packed = lane_int_of(0);
    for (int i = 0; i < 8; ++i)
        packed |= shift_up(nearest_integer_within(level_of(x[i], inverse), 0, 2), 2 * i);
    return packed;
}

/// Where `pack_levels` has certainly found the nearest levels. Half way between two of them rounding errors may lead to
/// the farther one; values far away wrap around.
/// - largest: the largest magnitude in x.
KERNEL lane_mask levels_certain(const lane_float x[8], lane_float inverse, lane_float largest) {
    lane_int farthest = lane_int_of(0);
    for (int i = 0; i < 8; ++i) {
        const lane_float level = level_of(x[i], inverse);
        const lane_float rounded = level + ROUNDING - ROUNDING;
        farthest = most(farthest, lane_bits(magnitude(level - rounded)));
    }
    return less(lane_from_bits(farthest), lane_float_of(0.5f - 0x1p-14f))
        & less(inverse * largest, lane_float_of(0x1p20f));
}

/// The odd number that coordinate `i` of a packed point stands for.
KERNEL lane_float unpack_odd(lane_int packed, int i) {
    return lane_to_float((shift_up(packed >> (2 * i), 1) & 6) | 1);
}

/// Adds Σwxq and Σwqq over a group of eight.
KERNEL void add_point_sums(lane_int packed, const lane_float *w, const lane_float *wx, lane_float *sum_wxq,
                           lane_float *sum_wqq) {
    for (int i = 0; i < 8; ++i) {
        const lane_float q = unpack_odd(packed, i);
        *sum_wxq += wx[i] * q;
        *sum_wqq += w[i] * q * q;
    }
}

/// Replaces points that are not in the book by the nearest of their neighbours, and marks them `codebook_moved`.
/// - x, w: eight values and the roots of their weights.
/// - scales: one for each trial.
/// - packed: the point of each trial, `step` apart.
/// - wanted: in which lanes to search.
static void move_trials_into_book(const quern_codebook *book, const lane_float x[8], const lane_float w[8],
                                  const lane_float *scales, int trials, lane_int *packed, int step,
                                  const lane_mask *wanted, int live) {
    const codebook_levels levels = {1, 3, 5, 7, 1, 3, 5, 7};
    for (int lane = 0; lane < live; ++lane) {
        if (!((const int32_t *)wanted)[lane]) continue;
        for (int trial = 0; trial < trials; ++trial) {
            int32_t *point = (int32_t *)&packed[trial * step] + lane;
            const int32_t place = book->places[*point];
            if (place >= 0) continue;
            const uint16_t *list = book->neighbours + codebook_list_start(place);
            *point = nearest_neighbour(list, codebook_list_count(place), (const float *)x + lane,
                                       (const float *)w + lane, lane_get(&scales[trial], lane),
                                       levels, 8, 2)
                | codebook_moved;
        }
    }
}

/// The indices of packed points that are in the book.
KERNEL lane_int point_indices(const quern_codebook *book, lane_int points) {
    lane_int indices;
    for (int lane = 0; lane < LANES; ++lane)
        ((int32_t *)&indices)[lane] = book->places[((const int32_t *)&points)[lane] & 0xffff];
    return indices;
}
