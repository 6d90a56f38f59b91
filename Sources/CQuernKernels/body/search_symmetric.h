// The scale of a block of signed values: x ≈ scale · q with q in −bound ... bound − 1.

// Blocks whose largest magnitude is smaller count as zero.
#define SMALLEST 1e-15f

typedef struct {
    lane_float scale;
    /// With what the best quants were rounded: nearest(inverse · x).
    lane_float inverse;
    /// Lanes that count as zero: their stored quants are zero, not `bound`.
    lane_mask zero;
} symmetric_fit;

/// The value with the largest magnitude, the first where several have it.
KERNEL lane_float largest(const lane_float *x, int count) {
    lane_float max = lane_float_of(0), size = lane_float_of(0);
    for (int i = 0; i < count; ++i) {
        const lane_mask larger = greater(magnitude(x[i]), size);
        max = pick(larger, x[i], max);
        size = pick(larger, magnitude(x[i]), size);
    }
    return max;
}

/// Σwxq and Σwq² of nineteen trials, in the order of their offsets −9 ... 9.
typedef struct {
    lane_float inverses[19], wxq[19], wqq[19];
} symmetric_trials;

/// Adds up trials `first` ..< `first` + `count_of_trials`, those with offsets `first` − 9 and so on.
/// - x: finite, or what does not round up.
/// - inverse · x stays below bound + offset/10: what it may round to beyond −bound ... bound − 1 follows from that.
KERNEL void try_symmetric(symmetric_trials *trials, int first, int tried, const lane_float *x, const lane_float *w,
                          const lane_float *wx, int count, int bound) {
    const bool reaches_top = first + tried - 1 > 9 - 6, passes_bottom = first + tried - 1 > 9 + 4;
    for (int part = 0; part < LANES / REGISTER; ++part) {
        register_float inverse[5], wxq[5], wqq[5];
UNROLL
        for (int trial = 0; trial < tried; ++trial) {
            inverse[trial] = ((const register_float *)&trials->inverses[first + trial])[part];
            wxq[trial] = wqq[trial] = (register_float)0;
        }
        for (int i = 0; i < count; ++i) {
            const register_float value = ((const register_float *)&x[i])[part];
            const register_float weight = ((const register_float *)&w[i])[part];
            const register_float weighted = ((const register_float *)&wx[i])[part];
UNROLL
            for (int trial = 0; trial < tried; ++trial) {
                register_float q = NEAREST(inverse[trial] * value);
                if (reaches_top) q = register_least(q, (float)(bound - 1));
                if (passes_bottom) q = register_most(q, (float)-bound);
                wxq[trial] += weighted * q;
                wqq[trial] += weight * q * q;
            }
        }
UNROLL
        for (int trial = 0; trial < tried; ++trial) {
            ((register_float *)&trials->wxq[first + trial])[part] = wxq[trial];
            ((register_float *)&trials->wqq[first + trial])[part] = wqq[trial];
        }
    }
}

/// Eighteen trials around −bound / max; the one that leaves the least weighted squared error wins.
/// - finite: x, with zeros in place of what is not finite.
KERNEL symmetric_fit search_symmetric(const lane_float *x, const lane_float *finite, const lane_float *w, int count,
                                      int bound) {
    const lane_float max = largest(x, count);
    symmetric_fit best;
    best.zero = less(magnitude(max), lane_float_of(SMALLEST));
    best.inverse = lane_float_of(0);
    best.scale = lane_float_of(0);
    lane_float wx[32], best_gain = lane_float_of(0);
    for (int i = 0; i < count; ++i) wx[i] = w[i] * x[i];
    symmetric_trials trials;
    for (int trial = 0; trial < 19; ++trial)
        trials.inverses[trial] = lane_float_of(-((float)bound + 0.1f * (float)(trial - 9))) / max;
    try_symmetric(&trials, 0, 4, finite, w, wx, count, bound);
    try_symmetric(&trials, 4, 5, finite, w, wx, count, bound);
    try_symmetric(&trials, 9, 5, finite, w, wx, count, bound);
    try_symmetric(&trials, 14, 5, finite, w, wx, count, bound);
    // Trial 9, without an offset, comes first and is taken as it is.
    for (int turn = 0; turn < 19; ++turn) {
        const int trial = turn == 0 ? 9 : turn <= 9 ? turn - 1 : turn;
        const lane_float inverse = trials.inverses[trial], wxq = trials.wxq[trial], wqq = trials.wqq[trial];
        const lane_float scale = wxq / wqq;
        lane_mask better;
        if (turn == 0)
            better = differs(wqq, lane_float_of(0));
        else
            better = greater(wqq, lane_float_of(0)) & greater(wxq * wxq, best_gain * wqq);
        best.scale = pick(better, scale, best.scale);
        best_gain = pick(better, scale * wxq, best_gain);
        best.inverse = turn == 0 ? inverse : pick(better, inverse, best.inverse);
    }
    best.scale = pick(best.zero, lane_float_of(0), best.scale);
    return best;
}

/// The quant of `x` that the search settled on, as it is stored: 0 ... 2 · bound − 1.
/// - x: as it was searched: finite, and none larger than the largest.
KERNEL lane_int symmetric_quant(const symmetric_fit *fit, lane_float x, int bound) {
    const lane_int rounded = lane_bits(fit->inverse * x + ROUNDING);
    const lane_int held = least(most(rounded, lane_int_of(ROUNDING_BITS - bound)),
                                lane_int_of(ROUNDING_BITS + bound - 1));
    return ~fit->zero & (held - (ROUNDING_BITS - bound));
}

/// Values in coordinate descent with their weights, x², and weights · values.
typedef struct {
    lane_float x[16], w[16], wx[16], quants[16], sum_wxq, sum_wqq;
} symmetric_descent;

/// Moves quant `i` of one register of lanes to its best value for the others.
/// - Returns: where it changed.
KERNEL register_mask descend(symmetric_descent *descent, int i, int part, int bound) {
    const register_float x = ((const register_float *)&descent->x[i])[part];
    const register_float w = ((const register_float *)&descent->w[i])[part];
    const register_float wx = ((const register_float *)&descent->wx[i])[part];
    register_float *quant = (register_float *)&descent->quants[i] + part;
    register_float *sum_wxq = (register_float *)&descent->sum_wxq + part;
    register_float *sum_wqq = (register_float *)&descent->sum_wqq + part;
    const register_float zero = (register_float)0, q = *quant;
    const register_float others_wxq = *sum_wxq - wx * q;
    const register_float others_wqq = *sum_wqq - w * q * q;
    const register_float moved = register_nearest_within(x * others_wqq / others_wxq, -bound, bound - 1);
    const register_float moved_wxq = others_wxq + wx * moved;
    const register_float moved_wqq = others_wqq + w * moved * moved;
    const register_mask differs = register_less(q, moved) | register_less(moved, q);
    const register_mask better = differs & register_less(zero, others_wxq) & register_less(zero, moved_wqq)
        & register_less(*sum_wxq * *sum_wxq * moved_wqq, moved_wxq * moved_wxq * *sum_wqq);
    *quant = register_pick(better, moved, q);
    *sum_wxq = register_pick(better, moved_wxq, *sum_wxq);
    *sum_wqq = register_pick(better, moved_wqq, *sum_wqq);
    return better;
}

// How many blocks descend side by side: each step waits for the one before.
enum { descents = 4 };

/// Coordinate descent: each quant in turn moves to its best value for the others, in at most five passes, with
/// weights x².
/// - x: sixteen values for each of `descents` scales.
/// - stored: the quants as they are stored: 0 ... 2 · bound − 1.
KERNEL void descend_symmetric(const lane_float *x, int bound, lane_int *stored, lane_float scales[descents]) {
    symmetric_descent all[descents];
    lane_mask zero[descents];
    for (int j = 0; j < descents; ++j) {
        symmetric_descent *descent = &all[j];
        const lane_float max = largest(x + 16 * j, 16);
        const lane_float inverse = lane_float_of((float)-bound) / max;
        zero[j] = less(magnitude(max), lane_float_of(SMALLEST));
        lane_float sum_wxq = lane_float_of(0), sum_wqq = lane_float_of(0);
        for (int i = 0; i < 16; ++i) {
            const lane_float value = x[16 * j + i], w = value * value;
            const lane_float q = nearest_within(inverse * value, -bound, bound - 1);
            descent->x[i] = value;
            descent->w[i] = w;
            descent->wx[i] = w * value;
            descent->quants[i] = q;
            sum_wxq += w * value * q;
            sum_wqq += w * q * q;
        }
        descent->sum_wxq = sum_wxq;
        descent->sum_wqq = sum_wqq;
    }
    // A pass that changes nothing in a lane would change nothing there again, so lanes may run on together.
    for (int pass = 0; pass < 5; ++pass) {
        register_mask changed = (register_mask)0;
        for (int i = 0; i < 16; ++i)
            for (int j = 0; j < descents; ++j)
                for (int part = 0; part < LANES / REGISTER; ++part) changed |= descend(&all[j], i, part, bound);
        if (register_lanes_with(changed, -1) == 0) break;
    }
    for (int j = 0; j < descents; ++j) {
        const symmetric_descent *descent = &all[j];
        for (int i = 0; i < 16; ++i) stored[16 * j + i] = ~zero[j] & whole(descent->quants[i] + (float)bound);
        const lane_mask found = greater(descent->sum_wqq, lane_float_of(0)) & ~zero[j];
        scales[j] = pick(found, descent->sum_wxq / descent->sum_wqq, lane_float_of(0));
    }
}
