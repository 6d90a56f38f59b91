// MXFP4 and NVFP4: four-bit floats (E2M1: sign, then the magnitudes 0, ½, 1, 1½, 2, 3, 4, 6) under a shared scale.
// MXFP4: blocks of 32 values: scale as a power of two (E8M0), 16 bytes of two nibbles: value j and value j + 16.
// NVFP4: blocks of 64 values in four parts: four scales (E4M3 without a sign), then 8 bytes for each part: value j and
// value j + 8.
// As in the reference, magnitudes count halves and scales are half of what they say.

/// Codes of magnitudes with the signs of `values`; zero has none.
KERNEL row_byte row_signed_fp4(row_int codes, row_float values) {
    return __builtin_convertvector(codes | (((row_int)values < 0) & (codes != 0) & 8), row_byte);
}

/// The codes of the values nearest to `values`, of two the one nearer to zero.
/// - scale: more than a sixteenth of the largest magnitude, so that distances around middles are exact.
KERNEL row_byte row_fp4(row_float values, float scale) {
    static const float middles[7] = {0.5f, 1.5f, 2.5f, 3.5f, 5, 7, 10};
    const row_float magnitude = (row_float)((row_int)values & 0x7fffffff);
    row_int codes = 0;
    for (int i = 0; i < 7; ++i) codes -= magnitude > middles[i] * scale;
    return row_signed_fp4(codes, values);
}

/// The same for any scale: rounded distances decide, and the first of several, which for values much larger than the
/// scale can be any.
KERNEL row_byte row_fp4_far(row_float values, float scale) {
    static const float levels[8] = {0, 1, 2, 3, 4, 6, 8, 12};
    const row_float magnitude = (row_float)((row_int)values & 0x7fffffff);
    row_float least = magnitude;
    row_int codes = 0;
    for (int i = 1; i < 8; ++i) {
        const row_float distance = (row_float)((row_int)(levels[i] * scale - magnitude) & 0x7fffffff);
        const row_int better = distance < least;
        least = (row_float)((better & (row_int)distance) | (~better & (row_int)least));
        codes = (better & i) | (~better & codes);
    }
    return row_signed_fp4(codes, values);
}

/// ⌊log₂ a⌋ as the reference takes it, with a logarithm in single precision, which rounds up what lies closely below a
/// power of two: half a unit in the last place of the logarithm is 88, 44, 22 … 2^-24ths of `a`.
/// - Parameter a: finite and greater than zero.
KERNEL int floor_log2(float a) {
    const double wide = a;
    uint64_t bits;
    memcpy(&bits, &wide, sizeof bits);
    const int exponent = (int)(bits >> 52) - 1023;
    const uint32_t logarithm = (uint32_t)(exponent < 0 ? ~exponent : exponent);
    const uint64_t close = 88u >> (__builtin_clz(logarithm | 1) - 24);
    return (int)((bits + (close << 29)) >> 52) - 1023;
}

/// Half of 2^(code − 127).
KERNEL float half_from_e8m0(uint8_t code) {
    return float_from_bits(code < 2 ? 0x00200000u << code : (uint32_t)(code - 1) << 23);
}

ENCODER void encode_mxfp4(const float *from, size_t blocks, uint8_t *to) {
    for (size_t block = 0; block < blocks; ++block, from += 32, to += mxfp4_bytes) {
        const row_float a = row_load(from), b = row_load(from + 16);
        const float largest = float_from_bits(row_largest_magnitude(a, b));
        // Below 2^-125 the exponent wraps around, and the quants of so large a scale are all zero.
        to[0] = largest > 0 && is_finite(largest) ? (uint8_t)(floor_log2(largest) + 125) : 0;
        const float scale = half_from_e8m0(to[0]);
        row_save_nibbles(to + 1, row_fp4(a, scale), row_fp4(b, scale));
    }
}

/// E4M3, halves rounded up; from 256 on it is the largest value, 448.
KERNEL uint8_t e4m3_from_float(float a) {
    if (!(a > 0)) return 0;
    if (a < 0x1p-6f) {
        const int steps = (int)(a * 512.0f + 0.5f);
        return (uint8_t)(steps < 7 ? steps : 7);
    }
    const uint32_t code = ((float_bits(a) + 0x80000) >> 20) - (120 << 3);
    return (uint8_t)(code < 15 << 3 ? code : 0x7e);
}

/// Half of the value; the code of a NaN counts as zero.
KERNEL float half_from_e4m3(uint8_t code) {
    if (code == 0x7f) return 0;
    const uint32_t magnitude = code & 0x7f;
    if (magnitude < 8) return (float)magnitude * 0x1p-10f;
    return float_from_bits((magnitude << 20) + (119u << 23));
}

typedef VECTOR(uint8_t, 8) part_byte;

ENCODER void encode_nvfp4(const float *from, size_t blocks, uint8_t *to) {
    for (size_t block = 0; block < blocks; ++block, to += nvfp4_bytes) {
        for (int part = 0; part < 4; ++part, from += 16) {
            const row_float values = row_load(from);
            const float largest = float_from_bits(row_largest_magnitude(values, values));
            to[part] = e4m3_from_float(largest / 6.0f);
            const float scale = half_from_e4m3(to[part]);
            const row_byte codes = largest < 16 * scale ? row_fp4(values, scale) : row_fp4_far(values, scale);
            const part_byte low = __builtin_shufflevector(codes, codes, 0, 1, 2, 3, 4, 5, 6, 7);
            const part_byte high = __builtin_shufflevector(codes, codes, 8, 9, 10, 11, 12, 13, 14, 15);
            const part_byte nibbles = low | (part_byte)(high << 4);
            memcpy(to + 4 + 8 * part, &nibbles, sizeof nibbles);
        }
    }
}

/// Twice the value of one code.
KERNEL float fp4_level(int code) {
    static const int8_t levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
    return levels[code];
}

static void decode_mxfp4(const uint8_t *from, size_t blocks, float *to) {
    for (size_t block = 0; block < blocks; ++block, from += mxfp4_bytes, to += 32) {
        const float scale = half_from_e8m0(from[0]);
        for (int i = 0; i < 16; ++i) {
            to[i] = fp4_level(from[1 + i] & 15) * scale;
            to[i + 16] = fp4_level(from[1 + i] >> 4) * scale;
        }
    }
}

static void decode_nvfp4(const uint8_t *from, size_t blocks, float *to) {
    for (size_t block = 0; block < blocks; ++block, from += nvfp4_bytes) {
        for (int part = 0; part < 4; ++part, to += 16) {
            const float scale = half_from_e4m3(from[part]);
            for (int i = 0; i < 8; ++i) {
                to[i] = fp4_level(from[4 + 8 * part + i] & 15) * scale;
                to[i + 8] = fp4_level(from[4 + 8 * part + i] >> 4) * scale;
            }
        }
    }
}
