// The scale of a block of values on the sixteen uneven levels of IQ4_NL and IQ4_XS: x ≈ scale · level.

#define NONLINEAR_LEVELS {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

/// Level `index`, 0 ... 15.
KERNEL float nonlinear_level(int index) {
    static const int8_t levels[16] = NONLINEAR_LEVELS;
    return levels[index];
}

/// Halfway from the level before `index` to level `index`: from there on a value is rounded to level `index`. The
/// differences that the reference compares are exact around it, so that comparing with it decides alike.
KERNEL float nonlinear_threshold(int index) {
    return (nonlinear_level(index - 1) + nonlinear_level(index)) * 0.5f;
}

/// The level nearest to `a`, the upper one of two; the highest for a NaN.
KERNEL lane_float nonlinear_nearest(lane_float a) {
    lane_float level = lane_float_of(nonlinear_level(15));
    for (int i = 15; i > 0; --i)
        level = pick(less(a, lane_float_of(nonlinear_threshold(i))), lane_float_of(nonlinear_level(i - 1)), level);
    return level;
}

/// The index of that level.
KERNEL lane_int nonlinear_index(lane_float a) {
    lane_int index = lane_int_of(15);
    for (int i = 1; i < 16; ++i) index += less(a, lane_float_of(nonlinear_threshold(i)));
    return index;
}

/// 1 / scale, or zero for zero.
KERNEL lane_float nonlinear_inverse(lane_float scale) {
    return pick(equal(scale, lane_float_of(0)), lane_float_of(0), 1.0f / scale);
}

/// Sixteen trials around −127 / max for 32 values; the one that leaves the least weighted squared error wins.
/// - Returns: the scales, zero where all values are.
KERNEL lane_float search_nonlinear(const lane_float x[32], const lane_float w[32]) {
    const lane_float max = largest(x, 32);
    const lane_mask zero = less(magnitude(max), lane_float_of(SMALLEST));
    lane_float best_scale = lane_float_of(0), best_gain = lane_float_of(0);
    // Trial 0 comes first and is taken as it is; trial 8 has the same inverse up to rounding.
    for (int trial = 0; trial < 16; ++trial) {
        const lane_float inverse = trial == 0 ? 1.0f / (max / -nonlinear_level(0))
                                              : lane_float_of((float)(trial - 8) + nonlinear_level(0)) / max;
        lane_float sum_wqx = lane_float_of(0), sum_wqq = lane_float_of(0);
        for (int i = 0; i < 32; ++i) {
            const lane_float q = nonlinear_nearest(inverse * x[i]);
            const lane_float wq = w[i] * q;
            sum_wqx += wq * x[i];
            sum_wqq += wq * q;
        }
        const lane_float scale = sum_wqx / sum_wqq;
        lane_mask better = greater(sum_wqq, lane_float_of(0));
        if (trial > 0) better &= greater(sum_wqx * sum_wqx, best_gain * sum_wqq);
        best_scale = pick(better, scale, best_scale);
        best_gain = pick(better, scale * sum_wqx, best_gain);
    }
    return pick(zero, lane_float_of(0), best_scale);
}
