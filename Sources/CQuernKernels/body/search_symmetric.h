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
    lane_float max = lane_float_of(0);
    for (int i = 0; i < count; ++i) max = pick(greater(magnitude(x[i]), magnitude(max)), x[i], max);
    return max;
}

/// Eighteen trials around −bound / max; the one that leaves the least weighted squared error wins.
KERNEL symmetric_fit search_symmetric(const lane_float *x, const lane_float *w, int count, int bound) {
    const lane_float max = largest(x, count);
    symmetric_fit best;
    best.zero = less(magnitude(max), lane_float_of(SMALLEST));
    best.inverse = lane_float_of(0);
    best.scale = lane_float_of(0);
    lane_float wx[32], best_gain = lane_float_of(0);
    for (int i = 0; i < count; ++i) wx[i] = w[i] * x[i];
    // Trial 0 comes first and is taken as it is.
    for (int trial = 0; trial < 19; ++trial) {
        const int offset = trial == 0 ? 0 : trial <= 9 ? trial - 10 : trial - 9;
        const lane_float inverse = lane_float_of(-((float)bound + 0.1f * (float)offset)) / max;
        lane_float sum_wxq = lane_float_of(0), sum_wqq = lane_float_of(0);
        for (int i = 0; i < count; ++i) {
            const lane_float q = nearest_within(inverse * x[i], -bound, bound - 1);
            sum_wxq += wx[i] * q;
            sum_wqq += w[i] * q * q;
        }
        const lane_float scale = sum_wxq / sum_wqq;
        lane_mask better;
        if (trial == 0)
            better = differs(sum_wqq, lane_float_of(0));
        else
            better = greater(sum_wqq, lane_float_of(0)) & greater(sum_wxq * sum_wxq, best_gain * sum_wqq);
        best.scale = pick(better, scale, best.scale);
        best_gain = pick(better, scale * sum_wxq, best_gain);
        if (trial == 0)
            best.inverse = inverse;
        else
            best.inverse = pick(better, inverse, best.inverse);
    }
    best.scale = pick(best.zero, lane_float_of(0), best.scale);
    return best;
}

/// The quant of `x` that the search settled on, as it is stored: 0 ... 2 · bound − 1.
KERNEL lane_float symmetric_quant(const symmetric_fit *fit, lane_float x, int bound) {
    const lane_float q = nearest_within(fit->inverse * x, -bound, bound - 1) + (float)bound;
    return pick(fit->zero, lane_float_of(0), q);
}

/// Coordinate descent: each quant in turn moves to its best value for the others, in at most five passes, with
/// weights x².
/// - quants: as they are stored: 0 ... 2 · bound − 1.
/// - Returns: the scales.
KERNEL lane_float descend_symmetric(const lane_float *x, int count, int bound, lane_float *quants) {
    const lane_float max = largest(x, count);
    const lane_mask zero = less(magnitude(max), lane_float_of(SMALLEST));
    const lane_float inverse = lane_float_of((float)-bound) / max;
    lane_float sum_wxq = lane_float_of(0), sum_wqq = lane_float_of(0);
    for (int i = 0; i < count; ++i) {
        const lane_float w = x[i] * x[i];
        const lane_float q = nearest_within(inverse * x[i], -bound, bound - 1);
        quants[i] = q;
        sum_wxq += w * x[i] * q;
        sum_wqq += w * q * q;
    }
    // A pass that changes nothing in a lane would change nothing there again, so lanes may run on together.
    for (int pass = 0; pass < 5; ++pass) {
        lane_mask changed = lane_int_of(0);
        for (int i = 0; i < count; ++i) {
            const lane_float w = x[i] * x[i];
            const lane_float wx = w * x[i];
            const lane_float q = quants[i];
            const lane_float others_wxq = sum_wxq - wx * q;
            const lane_float others_wqq = sum_wqq - w * q * q;
            const lane_float moved = nearest_within(x[i] * others_wqq / others_wxq, -bound, bound - 1);
            const lane_float moved_wxq = others_wxq + wx * moved;
            const lane_float moved_wqq = others_wqq + w * moved * moved;
            const lane_mask better = greater(others_wxq, lane_float_of(0)) & differs(moved, q)
                & greater(moved_wqq, lane_float_of(0))
                & greater(moved_wxq * moved_wxq * sum_wqq, sum_wxq * sum_wxq * moved_wqq);
            quants[i] = pick(better, moved, q);
            sum_wxq = pick(better, moved_wxq, sum_wxq);
            sum_wqq = pick(better, moved_wqq, sum_wqq);
            changed |= better;
        }
        if (!any(changed)) break;
    }
    for (int i = 0; i < count; ++i) quants[i] = pick(zero, lane_float_of(0), quants[i] + (float)bound);
    const lane_mask found = greater(sum_wqq, lane_float_of(0)) & ~zero;
    return pick(found, sum_wxq / sum_wqq, lane_float_of(0));
}
