// The scale and the points of 32 values in a code book of four coordinates with eight levels (IQ3_XXS, IQ3_S):
// x ≈ scale · (2 · level + 1), weighted.

typedef struct {
    const quern_candidates *book;
    /// Magnitudes; a few may be negative. Weights, and weights · values.
    lane_float x[32], w[32], wx[32];
    /// The square roots of the weights: points are chosen with them instead of the weights.
    lane_float roots[32];
} quad_search;

typedef struct {
    lane_float scale;
    /// Packed points of the book, one for each group of four values.
    lane_int points[8];
    /// Groups whose values did not round to a point of the book.
    lane_mask strayed[8];
} quad_fit;

/// The odd number 2 · level + 1 whose level lies in bits `place` ... `place` + 2 of a word.
KERNEL register_float register_odd(register_int words, int place) {
#if REGISTER == 16
    const register_float odd = {1, 3, 5, 7, 9, 11, 13, 15, 1, 3, 5, 7, 9, 11, 13, 15};
    return PERMUTE(odd, words >> place);
#elif REGISTER == 8
    const register_float odd = {1, 3, 5, 7, 9, 11, 13, 15};
    return PERMUTE(odd, words >> place);
#else
    return register_to_float(2 * ((words >> place) & 7) + 1);
#endif
}

/// The odd number of coordinate `i` of packed points. The level's bits become those of a float so large that its last
/// bit of them stands for two.
KERNEL lane_float lane_odd(lane_int points, int i) {
    const int exponent = 24 - 3 * i;
    const lane_int bits = (points & (7 << (3 * i))) | ((127 + exponent) << 23);
    return lane_from_bits(bits) - (float)((1 << exponent) - 1);
}

// The sum of this and twice a level holds the level in its low bits.
#define TWICE_ROUNDING (2 * ROUNDING)

/// The point that four values round to, packed, and the key of its candidates.
/// - wild: whether inverse · x may reach 2^22 in some lane, where rounding wraps around.
KERNEL lane_int round_quad(const lane_float x[4], lane_float inverse, bool wild, lane_int *key) {
    lane_int point = lane_int_of(0), sides = lane_int_of(0), wrapped = lane_int_of(0);
    lane_float least_offset = lane_float_of(1), largest_offset = lane_float_of(0);
UNROLL
    for (int i = 0; i < 4; ++i) {
        // One less than the odd number wanted: twice the level.
        const lane_float wanted = inverse * x[i] - 1.0f;
        // Half a level beyond the outermost levels all values see the levels in the same order.
        lane_float within = pick(greater(wanted, lane_float_of(0.5f)), wanted, lane_float_of(0.5f));
        within = pick(less(within, lane_float_of(13.5f)), within, lane_float_of(13.5f));
        const lane_float rounded = within + TWICE_ROUNDING;
        const lane_float offset = within - (rounded - TWICE_ROUNDING);
        point |= shift_up(lane_bits(rounded) & 7, 3 * i);
        sides |= (lane_bits(offset) >> (31 - i)) & (1 << i);
        const lane_float squared = offset * offset;
        least_offset = pick(less(squared, least_offset), squared, least_offset);
        largest_offset = pick(greater(squared, largest_offset), squared, largest_offset);
        if (wild) wrapped |= shift_up(least(most(nearest(0.5f * wanted), lane_int_of(0)), lane_int_of(7)), 3 * i);
    }
    // Near a level, and half way between two, the rounding of the errors may make a farther level the nearer one.
    lane_mask certain =
        greater(least_offset, lane_float_of(0x1p-28f)) & less(largest_offset, lane_float_of(1 - 0x1p-13f));
    if (wild) {
        certain &= MASK(wrapped == point);
        point = wrapped;
    }
    *key = pick_int(certain, shift_up(point, 4) + sides, point + candidates_of_point);
    return point;
}

/// Of the candidates listed for each lane the one with the least Σ root · (scale · odd − x)², the first where several
/// have it or none has a finite one.
/// - pairs: two candidates in each word, the first in the lower half.
KERNEL register_int choose_listed(const quad_search *search, int group, int part, register_float scale,
                                  const register_int pairs[candidates_listed / 2]) {
    register_float x[4], w[4];
    for (int i = 0; i < 4; ++i) {
        x[i] = ((const register_float *)&search->x[4 * group + i])[part];
        w[i] = ((const register_float *)&search->roots[4 * group + i])[part];
    }
    register_int best = pairs[0];
    register_float least_error = (register_float)0x1.fffffep127f;
UNROLL
    for (int candidate = 0; candidate < candidates_listed; ++candidate) {
        const register_int pair = pairs[candidate / 2];
        const int half = candidate % 2;
        register_float error = (register_float)0;
UNROLL
        for (int i = 0; i < 4; ++i) {
            const register_float difference = scale * register_odd(pair, 16 * half + 3 * i) - x[i];
            const register_float squared = w[i] * difference * difference;
            error = i == 0 ? squared : error + squared;
        }
        const register_mask better = register_less(error, least_error);
        least_error = register_pick(better, error, least_error);
        best = register_pick_int(better, half ? pair >> 16 : pair, best);
    }
    return best & 4095;
}

/// Replaces the keys of eight groups of four by the points chosen from their candidates.
KERNEL void choose_quads(const quad_search *search, lane_float scale, lane_int chosen[8]) {
    const codebook_levels levels = {1, 3, 5, 7, 9, 11, 13, 15};
    // Loaded long before they are used.
    lane_int pairs[8][candidates_listed / 2];
    for (int group = 0; group < 8; ++group) lane_load_words(pairs[group], search->book->lists, chosen[group]);
    for (int group = 0; group < 8; ++group)
        for (int part = 0; part < LANES / REGISTER; ++part) {
            register_int part_pairs[candidates_listed / 2];
            for (int i = 0; i < candidates_listed / 2; ++i)
                part_pairs[i] = ((const register_int *)&pairs[group][i])[part];
            ((register_int *)&chosen[group])[part] =
                choose_listed(search, group, part, ((const register_float *)&scale)[part], part_pairs);
        }
    for (int group = 0; group < 8; ++group)
        for (int part = 0; part < LANES / REGISTER; ++part) {
            uint32_t lanes =
                register_lanes_with(((const register_int *)&pairs[group][0])[part], candidates_exceed);
            for (; lanes != 0; lanes &= lanes - 1) {
                const int lane = REGISTER * part + __builtin_ctz(lanes);
                const uint32_t list = (uint32_t)lane_get_int(&pairs[group][0], lane);
                ((int32_t *)&chosen[group])[lane] = nearest_neighbour(
                    search->book->long_lists + codebook_alignment * (list >> 16), list & (candidates_exceed - 1),
                    (const float *)&search->x[4 * group] + lane, (const float *)&search->roots[4 * group] + lane,
                    lane_get(&scale, lane), levels, 4, 3);
            }
        }
}

/// Σwxq and Σwq² of points, in the order of the values.
typedef struct {
    lane_float wxq, wqq;
} quad_sums;

KERNEL quad_sums sum_quads(const quad_search *search, const lane_int points[8]) {
    quad_sums sums = {lane_float_of(0), lane_float_of(0)};
UNROLL_BY_FOUR
    for (int i = 0; i < 32; ++i) {
        const lane_float q = lane_odd(points[i / 4], i % 4);
        sums.wxq += search->wx[i] * q;
        sums.wqq += search->w[i] * q * q;
    }
    return sums;
}

/// Tries 2 · reach + 1 scales around max/15 for the least weighted squared error.
/// - max: the largest value; what comes out for a lane where it is zero has no meaning.
/// - strayed: what `strayed` is where no trial is better than none.
KERNEL quad_fit search_quads(const quad_search *search, lane_float max, int reach, bool strayed) {
    quad_fit best;
    best.scale = max / 15.0f;
    for (int group = 0; group < 8; ++group) {
        best.points[group] = lane_int_of(0);
        best.strayed[group] = lane_int_of(strayed ? -1 : 0);
    }
    // Values that lie far beyond the largest, and scales without a finite inverse.
    lane_float farthest = lane_float_of(0);
    for (int i = 0; i < 32; ++i)
        farthest = pick(greater(magnitude(search->x[i]), farthest), magnitude(search->x[i]), farthest);
    const lane_mask tame = equal(max, lane_float_of(0))
        | (less(farthest, max * 65536.0f) & greater(max, lane_float_of(1e-37f)));
    const bool wild = any(~tame);
    lane_float best_gain = lane_float_of(0);
    for (int trial = -reach; trial <= reach; ++trial) {
        const lane_float inverse = lane_float_of(15.0f + (float)trial * 0.2f) / max;
        const lane_float trial_scale = 1.0f / inverse;
        lane_int rounded[8], points[8];
        for (int group = 0; group < 8; ++group)
            rounded[group] = round_quad(search->x + 4 * group, inverse, wild, &points[group]);
        choose_quads(search, trial_scale, points);
        const quad_sums sums = sum_quads(search, points);
        const lane_float scale = sums.wxq / sums.wqq;
        const lane_mask better = greater(sums.wqq, lane_float_of(0))
            & greater(sums.wxq * sums.wxq, best_gain * sums.wqq);
        best.scale = pick(better, scale, best.scale);
        best_gain = pick(better, scale * sums.wxq, best_gain);
        for (int group = 0; group < 8; ++group) {
            best.points[group] = pick_int(better, points[group], best.points[group]);
            best.strayed[group] = pick_int(better, MASK(points[group] != rounded[group]), best.strayed[group]);
        }
    }
    return best;
}

/// Rounds the groups marked in `strayed` once more, now with the scale that was found, and fits the scale to that.
KERNEL void refine_quads(const quad_search *search, quad_fit *fit) {
    lane_mask moved = lane_int_of(0);
    for (int group = 0; group < 8; ++group) moved |= fit->strayed[group];
    moved &= greater(fit->scale, lane_float_of(0));
    const lane_float inverse = 1.0f / fit->scale;
    lane_int points[8];
    for (int group = 0; group < 8; ++group) round_quad(search->x + 4 * group, inverse, true, &points[group]);
    choose_quads(search, fit->scale, points);
    for (int group = 0; group < 8; ++group)
        fit->points[group] = pick_int(moved & fit->strayed[group], points[group], fit->points[group]);
    const quad_sums sums = sum_quads(search, fit->points);
    moved &= greater(sums.wqq, lane_float_of(0));
    fit->scale = pick(moved, sums.wxq / sums.wqq, fit->scale);
}
