// The scale of the scales of a super-block: x ≈ scale · q with q in 0 ... highest, weighted.

/// Nine scales are tried for the least squared error; then coordinate descent in at most five passes.
/// - quants: as bytes, 0 ... 255: a negative quant wraps around as in the reference.
/// - Returns: the scales.
KERNEL lane_float search_scales(const lane_float *x, const lane_float *w, int count, int highest, lane_int *quants) {
    lane_float max = lane_float_of(0);
    for (int i = 0; i < count; ++i) max = pick(greater(max, x[i]), max, x[i]);
    const lane_mask zero = less(max, lane_float_of(SMALLEST));

    lane_float best_inverse = lane_float_of((float)highest) / max;
    lane_float best_error = lane_float_of(0);
    const lane_float first_scale = 1.0f / best_inverse;
    for (int i = 0; i < count; ++i) {
        const lane_float q = lane_to_float(nearest(best_inverse * x[i]) & 0xff);
        const lane_float difference = x[i] - first_scale * q;
        best_error += w[i] * difference * difference;
    }
    for (int trial = 0; trial < 8; ++trial) {
        const int offset = trial < 4 ? trial - 4 : trial - 3;
        const lane_float inverse = lane_float_of(0.1f * (float)offset + (float)highest) / max;
        const lane_float scale = 1.0f / inverse;
        lane_float error = lane_float_of(0);
        for (int i = 0; i < count; ++i) {
            const lane_float q = lane_to_float(least(nearest(inverse * x[i]), lane_int_of(highest)));
            const lane_float difference = x[i] - scale * q;
            error += w[i] * difference * difference;
        }
        const lane_mask better = less(error, best_error);
        best_error = pick(better, error, best_error);
        best_inverse = pick(better, inverse, best_inverse);
    }

    lane_float sum_wxq = lane_float_of(0), sum_wqq = lane_float_of(0);
    for (int i = 0; i < count; ++i) {
        const lane_int rounded = least(nearest(best_inverse * x[i]), lane_int_of(highest));
        const lane_float q = lane_to_float(rounded);
        quants[i] = rounded & 0xff;
        sum_wxq += w[i] * x[i] * q;
        sum_wqq += w[i] * q * q;
    }
    // A pass that changes nothing in a lane would change nothing there again, so lanes may run on together.
    for (int pass = 0; pass < 5; ++pass) {
        lane_mask changed = lane_int_of(0);
        for (int i = 0; i < count; ++i) {
            const lane_float q = lane_to_float(quants[i]);
            const lane_float others_wxq = sum_wxq - w[i] * x[i] * q;
            const lane_float others_wqq = sum_wqq - w[i] * q * q;
            const lane_int rounded = least(nearest(x[i] * others_wqq / others_wxq), lane_int_of(highest));
            const lane_float moved = lane_to_float(rounded);
            const lane_float moved_wxq = others_wxq + w[i] * x[i] * moved;
            const lane_float moved_wqq = others_wqq + w[i] * moved * moved;
            const lane_mask better = greater(others_wxq, lane_float_of(0)) & greater(others_wqq, lane_float_of(0))
                & differs(moved, q) & greater(moved_wxq * moved_wxq * sum_wqq, sum_wxq * sum_wxq * moved_wqq);
            quants[i] = pick_int(better, rounded & 0xff, quants[i]);
            sum_wxq = pick(better, moved_wxq, sum_wxq);
            sum_wqq = pick(better, moved_wqq, sum_wqq);
            changed |= better;
        }
        if (!any(changed)) break;
    }
    for (int i = 0; i < count; ++i) quants[i] = pick_int(zero, lane_int_of(0), quants[i]);
    const lane_mask found = greater(sum_wqq, lane_float_of(0)) & ~zero;
    return pick(found, sum_wxq / sum_wqq, lane_float_of(0));
}
