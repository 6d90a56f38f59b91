// The scale and minimum of a sub-block: x ≈ scale · q + minimum with q in 0 ... highest.

typedef struct {
    lane_float scale;
    /// At most zero.
    lane_float minimum;
    /// With what the best quants were rounded: nearest(inverse · (x − base)).
    lane_float inverse, base;
    /// Lanes whose values are all the same: their quants are zero.
    lane_mask flat;
} affine_fit;

typedef struct {
    lane_float quants[32];
    /// Σwq, Σwq² and Σwqx.
    lane_float wq, wqq, wqx;
} affine_sums;

/// Rounds inverse · (x − base).
/// - wild: whether that may reach 2^22 in some lane, where rounding wraps around.
KERNEL void sum_affine(affine_sums *sums, const lane_float *x, const lane_float *w, int count, int highest,
                       lane_float inverse, lane_float base, bool wild) {
    lane_float sum_wq = lane_float_of(0), sum_wqq = lane_float_of(0), sum_wqx = lane_float_of(0);
    for (int i = 0; i < count; ++i) {
        const lane_float scaled = inverse * (x[i] - base);
        lane_float q;
        if (wild) {
            q = nearest_within(scaled, 0, highest);
        } else {
            q = NEAREST(scaled);
            q = lane_from_bits(least(most(lane_bits(q), lane_int_of(0)), lane_bits(lane_float_of((float)highest))));
        }
        const lane_float wq = w[i] * q;
        sums->quants[i] = q;
        sum_wq += wq;
        sum_wqq += wq * q;
        sum_wqx += wq * x[i];
    }
    sums->wq = sum_wq;
    sums->wqq = sum_wqq;
    sums->wqx = sum_wqx;
}

/// Tries `steps` + 1 scales, solves weighted least squares for each, and keeps the one with the least error.
/// Each improvement moves the minimum from which the following trials start.
/// - lowest, step: the trials' offsets on `highest`: lowest + step · i.
/// - absolute: whether it is the absolute error that is compared, rather than the squared one.
KERNEL affine_fit search_affine(const lane_float *x, const lane_float *w, int count, int highest, float lowest,
                                float step, int steps, bool absolute) {
    lane_float min = x[0], max = x[0], sum_w = w[0], sum_wx = w[0] * x[0];
    for (int i = 1; i < count; ++i) {
        min = pick(less(x[i], min), x[i], min);
        max = pick(greater(x[i], max), x[i], max);
        sum_w += w[i];
        sum_wx += w[i] * x[i];
    }
    min = pick(greater(min, lane_float_of(0)), lane_float_of(0), min);

    affine_fit best;
    best.flat = equal(max, min);
    best.inverse = lane_float_of((float)highest) / (max - min);
    best.base = min;
    best.scale = 1.0f / best.inverse;
    best.minimum = min;
    lane_float best_error = lane_float_of(0);
    for (int i = 0; i < count; ++i) {
        const lane_float q = nearest_within(best.inverse * (x[i] - min), 0, highest);
        const lane_float difference = best.scale * q + min - x[i];
        best_error += w[i] * (absolute ? magnitude(difference) : difference * difference);
    }

    for (int trial = 0; trial <= steps; ++trial) {
        const lane_float inverse = lane_float_of(lowest + step * (float)trial + (float)highest) / (max - best.minimum);
        const lane_float base = best.minimum;
        affine_sums sums;
        // The values lie between the least and the largest, which is rounded to about `highest`.
        const lane_mask tame = less(magnitude(inverse * (min - base)), lane_float_of(0x1p20f))
            & less(magnitude(inverse * (max - base)), lane_float_of(0x1p20f));
        if (any(~(tame | best.flat)))
            sum_affine(&sums, x, w, count, highest, inverse, base, true);
        else
            sum_affine(&sums, x, w, count, highest, inverse, base, false);
        const lane_float sum_wq = sums.wq, sum_wqq = sums.wqq, sum_wqx = sums.wqx;
        const lane_float determinant = sum_w * sum_wqq - sum_wq * sum_wq;
        lane_float scale = (sum_w * sum_wqx - sum_wx * sum_wq) / determinant;
        lane_float minimum = (sum_wqq * sum_wx - sum_wq * sum_wqx) / determinant;
        const lane_mask above = greater(minimum, lane_float_of(0));
        minimum = pick(above, lane_float_of(0), minimum);
        scale = pick(above, sum_wqx / sum_wqq, scale);
        lane_float error = lane_float_of(0);
        for (int i = 0; i < count; ++i) {
            const lane_float difference = scale * sums.quants[i] + minimum - x[i];
            error += w[i] * (absolute ? magnitude(difference) : difference * difference);
        }
        const lane_mask better = greater(determinant, lane_float_of(0)) & less(error, best_error);
        best.scale = pick(better, scale, best.scale);
        best.minimum = pick(better, minimum, best.minimum);
        best.inverse = pick(better, inverse, best.inverse);
        best.base = pick(better, base, best.base);
        best_error = pick(better, error, best_error);
    }
    best.scale = pick(best.flat, lane_float_of(0), best.scale);
    // The search ran on in flat lanes; what it left there does not count.
    best.minimum = pick(best.flat, min, best.minimum);
    return best;
}

/// The quant of `x` that the search settled on.
KERNEL lane_float affine_quant(const affine_fit *fit, lane_float x, int highest) {
    return pick(fit->flat, lane_float_of(0), nearest_within(fit->inverse * (x - fit->base), 0, highest));
}
