// Scales of groups of weights, and the codes and numbers under them, in each place of a row of values.

/// The bits of the largest magnitude among values and those before them.
KERNEL row_int row_larger_magnitudes(row_int largest, row_float values) {
    return __builtin_elementwise_max(largest, (row_int)values & 0x7fffffff);
}

KERNEL row_float row_or_epsilon(row_float scales, uint32_t source) {
    return CHOOSE(scales == 0, (row_float)source_epsilon(source), scales);
}

// Integers.

typedef struct {
    /// 4 or 8, a constant.
    int bits;
    /// Whether groups have zero points; a constant.
    bool has_zero_points;
    /// A constant.
    uint32_t source;
    /// What is added to integers.
    int offset;
} integer_kind;

/// Of groups whose largest magnitudes are given: the range is half a step wider below zero than above.
KERNEL row_float integer_scales_around_zero(row_float largest, integer_kind kind) {
    const row_float steps = largest / (kind.bits == 4 ? 7.5f : 127.5f);
    return row_or_epsilon(row_in_source(steps, kind.source), kind.source);
}

/// Of groups whose least and largest values are given, which zero is among.
/// - zero_points: become whole numbers.
KERNEL row_float integer_scales_between(row_float lows, row_float highs, integer_kind kind, row_float *zero_points) {
    const float most = kind.bits == 4 ? 7 : 127, least = -most - 1;
    const row_float range = row_in_source(highs - lows, kind.source);
    const row_float scales = row_in_source(range / (most - least), kind.source);
    const row_float quotients = lows / scales;
    row_float zeros = row_in_source(least - row_in_source(quotients, kind.source), kind.source);
    zeros = (row_least(row_most(zeros, least), most) + ROUNDING) - ROUNDING;
    // Where the scale is zero, so is the zero point, or as far as it goes where the group has negative values.
    *zero_points = (row_float)((row_int)zeros & (quotients == quotients));
    return row_or_epsilon(scales, kind.source);
}

KERNEL row_int row_integers(row_float values, float scale, float zero_point, integer_kind kind) {
    const float least = kind.bits == 4 ? -8 : -128, most = kind.bits == 4 ? 7 : 127;
    row_float quotient = row_in_source(values / scale, kind.source);
    if (kind.has_zero_points) quotient = row_in_source(quotient + zero_point, kind.source);
    quotient = row_least(row_most(quotient, least), most);
    return (row_int)(quotient + (ROUNDING + (float)kind.offset)) & ((1 << kind.bits) - 1);
}

// E4M3.

/// The scale under which the largest magnitude becomes the largest number.
KERNEL float float_scale(float largest, uint32_t source) {
    const float scale = in_source(largest / 448.0f, source);
    return scale == 0 ? source_epsilon(source) : scale;
}

// NVFP4 and MXFP4.

/// Scales as they are stored: one eighth stands in for zero.
KERNEL row_byte nvfp4_stored(row_float scales) {
    const row_byte rounded = row_e4m3(scales), eighth = 0x20;
    return rounded | ((row_byte)(rounded == 0) & eighth);
}

/// The scales of up to sixteen groups, whose largest magnitudes are given.
/// - Returns: what values are divided by.
KERNEL row_float nvfp4_scales(row_float largest, float global_scale, uint32_t source, row_byte *codes) {
    *codes = nvfp4_stored(row_in_source(largest / 6.0f, source) * global_scale);
    return row_from_e4m3(*codes) / global_scale;
}

/// The exponent of a group's scale, with a bias of 127. Mantissas from 1.75 on count as the next power of two.
/// - inverse: becomes what values are multiplied by; a power of two loses nothing.
KERNEL uint8_t mxfp4_scale(float largest, uint32_t source, float *inverse) {
    uint32_t exponent = (float_bits(largest) + 0x200000) >> 23;
    if (source == quern_type_f16) {
        // Subnormals of half precision have no exponent, and what goes beyond its range is infinite.
        if (largest < 0x1p-14f) exponent = largest < 0x1.8p-15f ? 0 : 127 - 14;
        if (exponent > 127 + 15) exponent = 255;
        // No power of two is small enough to go with nothing: one stands in for it.
        if (exponent == 0) exponent = 127 + 2;
    }
    *inverse = 0;
    if (exponent >= 255) return 127;
    const uint32_t code = exponent < 2 ? 0 : exponent - 2;
    *inverse = float_from_bits((254 - code) << 23);
    return (uint8_t)code;
}

KERNEL float mxfp4_step(uint32_t code) { return float_from_bits(code ? code << 23 : 0x00400000); }

// bitsandbytes.

/// What codes stand for, of values whose largest magnitude is one.
static const float nf4_values[16] = {
    -1.0f,                  -0.6961928009986877f,   -0.5250730514526367f,  -0.39491748809814453f,
    -0.28444138169288635f,  -0.18477343022823334f,  -0.09105003625154495f, 0.0f,
    0.07958029955625534f,   0.16093020141124725f,   0.24611230194568634f,  0.33791524171829224f,
    0.44070982933044434f,   0.5626170039176941f,    0.7229568362236023f,   1.0f,
};

/// What values are multiplied by before they get a code.
KERNEL float nf4_inverse(float largest) { return 1.0f / (largest < 1e-38f ? 1e-38f : largest); }

/// Codes are counted up by the middles between neighbours.
KERNEL row_int nf4_codes(row_float scaled) {
    const row_float values = row_least(row_most(scaled, -1.0f), 1.0f);
    row_int codes = 0;
    for (int i = 0; i < 15; ++i) codes -= values > (row_float)((nf4_values[i] + nf4_values[i + 1]) / 2);
    return codes;
}

/// Rows of zeros have a scale of zero.
KERNEL float absmax8_factor(float largest) { return 1.0f / (largest < 1e-30f ? 1e-30f : largest) * 127.0f; }

KERNEL row_int absmax8_codes(row_float scaled) { return (row_int)(scaled + ROUNDING) & 0xff; }

KERNEL float absmax8_step(float largest) { return largest / 127; }
