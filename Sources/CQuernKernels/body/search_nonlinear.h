// The scale of a block of values on the sixteen uneven levels of IQ4_NL and IQ4_XS: x ≈ scale · level.

#ifdef LANE_TABLES

// Beyond every level.
#define NONE 128

/// The index of the level nearest to `a`, the upper one of two; the highest for a NaN.
KERNEL lane_int nonlinear_index(lane_float a) {
    // What lies around each multiple of 8, modulo 256, up to 4 away: the threshold there, if any, and the index of the
    // level below.
    static const float thresholds[32] = {
        NONE, 7, 19, NONE, 31.5f, NONE, 45.5f, NONE, 61, NONE, 79, NONE, NONE, 101,
        NONE, NONE, NONE, NONE, -115.5f, NONE, -93.5f, NONE, NONE, -74, NONE, -57,
        NONE, -42, -28.5f, NONE, -16, -4.5f,
    };
    static const int32_t below[32] = {
        8, 8, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 14, 15, 0,
        0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 6, 6, 7,
    };
    const lane_float low = lane_float_of(nonlinear_level(0)), high = lane_float_of(nonlinear_level(15));
    a = pick(less(a, high), a, high);
    a = pick(greater(a, low), a, low);
    // Adding 1.5 × 2^26 rounds to a multiple of 8 and leaves its eighth in the low bits.
    const lane_int place = lane_bits(a + 100663296.0f);
    return lane_lookup(below, place) + 1 + less(a, lane_from_bits(lane_lookup(thresholds, place)));
}

/// The level nearest to `a`.
KERNEL lane_float nonlinear_nearest(lane_float a) {
    static const float levels[32] = NONLINEAR_LEVELS;
    return lane_from_bits(lane_lookup(levels, nonlinear_index(a)));
}

#else

/// The index of the level nearest to `a`, the upper one of two; the highest for a NaN.
KERNEL lane_int nonlinear_index(lane_float a) {
    lane_int index = lane_int_of(15);
    for (int i = 1; i < 16; ++i) index += less(a, lane_float_of(nonlinear_threshold(i)));
    return index;
}

/// The level nearest to `a`.
KERNEL lane_float nonlinear_nearest(lane_float a) {
    lane_float level = lane_float_of(nonlinear_level(15));
    for (int i = 15; i > 0; --i)
        level = pick(less(a, lane_float_of(nonlinear_threshold(i))), lane_float_of(nonlinear_level(i - 1)), level);
    return level;
}

#endif

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
