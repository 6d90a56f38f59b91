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

/// Where to look for the points of a group of four.
typedef struct {
    /// Where the candidates begin, and their last pair from there.
    register_int starts[LANES / REGISTER], lasts[LANES / REGISTER];
    /// The largest of the latter.
    int longest[LANES / REGISTER];
} quad_lists;

KERNEL void find_lists(quad_lists *lists, const quern_candidates *book, lane_int keys) {
    for (int part = 0; part < LANES / REGISTER; ++part) {
        const register_int place = register_gather(book->places, ((const register_int *)&keys)[part]);
        lists->starts[part] = register_shift_down(place, 8);
        lists->lasts[part] = place & 255;
        lists->longest[part] = register_largest(place & 255);
    }
}

/// Of the candidates in each list the one with the least Σ root · (scale · odd − x)², the first where several have it
/// or none has a finite one.
KERNEL lane_int choose_quads(const quad_search *search, int group, lane_float scale, const quad_lists *lists) {
    lane_int chosen;
    for (int part = 0; part < LANES / REGISTER; ++part) {
        register_float x[4], w[4];
        for (int i = 0; i < 4; ++i) {
            x[i] = ((const register_float *)&search->x[4 * group + i])[part];
            w[i] = ((const register_float *)&search->roots[4 * group + i])[part];
        }
        const register_float scales = ((const register_float *)&scale)[part];
        const register_int start = lists->starts[part], last = lists->lasts[part];
        const int longest = lists->longest[part];
        register_int pair = register_gather(search->book->pairs, start), best = pair;
        register_float least_error = (register_float)0x1.fffffep127f;
        for (int round = 0;;) {
            for (int half = 0; half < 2; ++half) {
                register_float error = (register_float)0;
                for (int i = 0; i < 4; ++i) {
                    const register_float difference = scales * register_odd(pair, 16 * half + 3 * i) - x[i];
                    const register_float squared = w[i] * difference * difference;
                    error = i == 0 ? squared : error + squared;
                }
                const register_mask better = register_less(error, least_error);
                least_error = register_pick(better, error, least_error);
                best = register_pick_int(better, half ? pair >> 16 : pair, best);
            }
            if (++round > longest) break;
            // A list that has ended goes on with its last pair, which changes nothing.
            pair = register_gather(search->book->pairs, start + register_least(last, round));
        }
        ((register_int *)&chosen)[part] = best & 4095;
    }
    return chosen;
}

/// Σwxq and Σwq² of points, in the order of the values.
typedef struct {
    lane_float wxq, wqq;
} quad_sums;

KERNEL quad_sums sum_quads(const quad_search *search, const lane_int points[8]) {
    quad_sums sums = {lane_float_of(0), lane_float_of(0)};
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
        // All lists are found before the first is gone through: a length that is known late stalls the processor.
        quad_lists lists[8];
        for (int group = 0; group < 8; ++group) {
            lane_int key;
            rounded[group] = round_quad(search->x + 4 * group, inverse, wild, &key);
            find_lists(&lists[group], search->book, key);
        }
        for (int group = 0; group < 8; ++group)
            points[group] = choose_quads(search, group, trial_scale, &lists[group]);
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
    for (int group = 0; group < 8; ++group) {
        lane_int key;
        quad_lists lists;
        round_quad(search->x + 4 * group, inverse, true, &key);
        find_lists(&lists, search->book, key);
        const lane_int point = choose_quads(search, group, fit->scale, &lists);
        fit->points[group] = pick_int(moved & fit->strayed[group], point, fit->points[group]);
    }
    const quad_sums sums = sum_quads(search, fit->points);
    moved &= greater(sums.wqq, lane_float_of(0));
    fit->scale = pick(moved, sums.wxq / sums.wqq, fit->scale);
}
