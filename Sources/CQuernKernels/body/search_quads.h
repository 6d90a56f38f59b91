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

/// The odd number 2 · level + 1 of coordinate `i` of packed points.
/// The level's bits are put into a float large enough for its last bit to stand for two.
KERNEL register_float register_odd(register_int points, int i) {
    const int exponent = 24 - 3 * i;
    const register_int bits = (points & (7 << (3 * i))) | ((127 + exponent) << 23);
    return register_from_bits(bits) - (float)((1 << exponent) - 1);
}

/// The point each of four values rounds to, packed, and the key of its candidates.
KERNEL lane_int round_quad(const lane_float x[4], lane_float inverse, lane_int *key) {
    lane_int point = lane_int_of(0), sides = lane_int_of(0);
    lane_mask certain = ~lane_int_of(0);
    for (int i = 0; i < 4; ++i) {
        // One less than the odd number wanted: twice the level.
        const lane_float wanted = inverse * x[i] - 1.0f;
        const lane_int level = least(most(nearest(0.5f * wanted), lane_int_of(0)), lane_int_of(7));
        point |= shift_up(level, 3 * i);
        // Half a level beyond the outermost levels all values see the levels in the same order.
        lane_float within = pick(greater(wanted, lane_float_of(13.5f)), lane_float_of(13.5f), wanted);
        within = pick(less(within, lane_float_of(0.5f)), lane_float_of(0.5f), within);
        const lane_float offset = within - lane_to_float(level + level);
        sides |= greater(offset, lane_float_of(0)) & (1 << i);
        // Near a level, and half way between two, rounding may make a farther level the nearer one. Where the reference
        // wraps around, the offset is large.
        certain &= less(magnitude(magnitude(offset) - 0.5f), lane_float_of(0.5f - 0x1p-14f));
    }
    *key = point + pick_int(certain, shift_up(sides, 12), lane_int_of(candidates_of_point));
    return point;
}

/// Of the candidates of each key the one with the least Σ root · (scale · odd − x)², the first where several have it
/// or none has a finite one.
KERNEL lane_int choose_quads(const quad_search *search, int group, lane_float scale, lane_int keys) {
    lane_int chosen;
    for (int part = 0; part < LANES / REGISTER; ++part) {
        register_float x[4], w[4];
        for (int i = 0; i < 4; ++i) {
            x[i] = ((const register_float *)&search->x[4 * group + i])[part];
            w[i] = ((const register_float *)&search->roots[4 * group + i])[part];
        }
        const register_float scales = ((const register_float *)&scale)[part];
        const register_int key = ((const register_int *)&keys)[part];

        const register_int place = register_gather(search->book->places, key);
        const register_int start = register_shift_down(place, 8), last = place & 255;
        const int rounds = register_largest(last);
        register_int pair = register_gather(search->book->pairs, start), best = pair;
        register_float least_error = (register_float)0x1.fffffep127f;
        for (int round = 0;;) {
            for (int half = 0; half < 2; ++half) {
                const register_int point = half ? register_shift_down(pair, 16) : pair;
                register_float error = (register_float)0;
                for (int i = 0; i < 4; ++i) {
                    const register_float difference = scales * register_odd(point, i) - x[i];
                    const register_float squared = w[i] * difference * difference;
                    error = i == 0 ? squared : error + squared;
                }
                const register_mask better = register_less(error, least_error);
                least_error = register_pick(better, error, least_error);
                best = register_pick_int(better, point, best);
            }
            if (++round > rounds) break;
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
        const lane_float w = search->w[i];
        const lane_int level = (points[i / 4] >> (3 * (i % 4))) & 7;
        const lane_float q = lane_to_float(level + level + 1);
        sums.wxq += search->wx[i] * q;
        sums.wqq += w * q * q;
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
    lane_float best_gain = lane_float_of(0);
    for (int trial = -reach; trial <= reach; ++trial) {
        const lane_float inverse = lane_float_of(15.0f + (float)trial * 0.2f) / max;
        const lane_float trial_scale = 1.0f / inverse;
        lane_int rounded[8], points[8];
        for (int group = 0; group < 8; ++group) {
            lane_int key;
            rounded[group] = round_quad(search->x + 4 * group, inverse, &key);
            points[group] = choose_quads(search, group, trial_scale, key);
        }
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
        round_quad(search->x + 4 * group, inverse, &key);
        const lane_int point = choose_quads(search, group, fit->scale, key);
        fit->points[group] = pick_int(moved & fit->strayed[group], point, fit->points[group]);
    }
    const quad_sums sums = sum_quads(search, fit->points);
    moved &= greater(sums.wqq, lane_float_of(0));
    fit->scale = pick(moved, sums.wxq / sums.wqq, fit->scale);
}
