// TQ1_0 and TQ2_0: super-blocks of 256 values, each −1, 0 or 1 times the half-precision scale at the end.
// TQ1_0: 48 bytes of five trits and 4 bytes of four, the first most significant: of values j + 32n, of values
// 160 + j + 16n and of values 240 + j + 4n. A byte is the trits as a fraction of 243, scaled to 256 and rounded up.
// TQ2_0: 64 bytes of bit pairs, the first lowest: of values j + 32n in each half.

/// How a super-block's values become trits.
typedef struct {
    float inverse;
    /// Whether the inverse is finite; where it is not, all values count as zero.
    bool finite;
} trit_scale;

/// The scale is the largest magnitude.
/// - half: receives the scale's encoding.
KERNEL trit_scale trit_scale_of(const float *from, uint8_t *half) {
    row_int magnitude = 0;
    for (int i = 0; i < 256; i += 16)
        magnitude = __builtin_elementwise_max(magnitude, (row_int)row_load(from + i) & 0x7fffffff);
    const float scale = float_from_bits((uint32_t)__builtin_reduce_max(magnitude));
    store_half(half, half_from_float(scale));
    trit_scale trits;
    trits.finite = row_invert(scale, &trits.inverse);
    return trits;
}

/// Sixteen trits: 0, 1 or 2.
KERNEL row_byte row_trits(const float *from, trit_scale scale) {
    const row_float values = scale.finite ? row_load(from) * scale.inverse : (row_float)0;
    return (row_byte)(row_rounded(values) + 1);
}

/// Of five trits, the first most significant, in one number.
KERNEL row_byte row_fraction(row_byte trits) {
    return __builtin_convertvector((__builtin_convertvector(trits, row_short) * 256 + 242) / 243, row_byte);
}

ENCODER void encode_tq1_0(const float *from, size_t count, uint8_t *to) {
    for (size_t block = 0; block < count; ++block, from += 256, to += tq1_0_bytes) {
        const trit_scale scale = trit_scale_of(from, to + 52);
        for (int part = 0; part < 3; ++part) {
            const float *first = from + (part < 2 ? 16 * part : 160);
            row_byte trits = 0;
            for (int n = 0; n < 5; ++n) trits = trits * 3 + row_trits(first + (part < 2 ? 32 : 16) * n, scale);
            row_save_bytes(to + 16 * part, row_fraction(trits));
        }
        uint8_t last[16];
        row_save_bytes(last, row_trits(from + 240, scale));
        for (int j = 0; j < 4; ++j) {
            const int trits = 81 * last[j] + 27 * last[j + 4] + 9 * last[j + 8] + 3 * last[j + 12];
            to[48 + j] = (uint8_t)((trits * 256 + 242) / 243);
        }
    }
}

ENCODER void encode_tq2_0(const float *from, size_t count, uint8_t *to) {
    for (size_t block = 0; block < count; ++block, from += 256, to += tq2_0_bytes) {
        const trit_scale scale = trit_scale_of(from, to + 64);
        for (int part = 0; part < 4; ++part) {
            const float *first = from + 128 * (part / 2) + 16 * (part % 2);
            row_byte pairs = 0;
            for (int n = 0; n < 4; ++n) pairs |= row_trits(first + 32 * n, scale) << (uint8_t)(2 * n);
            row_save_bytes(to + 16 * part, pairs);
        }
    }
}

/// Sixteen values of the first trits of as many fractions.
KERNEL row_float row_from_fractions(row_byte fractions, float scale) {
    const row_short trits = (__builtin_convertvector(fractions, row_short) * 3) >> 8;
    return (__builtin_convertvector(__builtin_convertvector(trits, row_int), row_float) - 1.0f) * scale;
}

static void decode_tq1_0(const uint8_t *from, size_t count, float *to) {
    for (size_t block = 0; block < count; ++block, from += tq1_0_bytes, to += 256) {
        const float scale = load_half(from + 52);
        for (int part = 0; part < 3; ++part) {
            float *first = to + (part < 2 ? 16 * part : 160);
            row_byte fractions = row_load_bytes(from + 16 * part);
            // Three times a fraction, without what is whole, begins with the next trit.
            for (int n = 0; n < 5; ++n, fractions *= 3)
                row_save(first + (part < 2 ? 32 : 16) * n, row_from_fractions(fractions, scale));
        }
        uint8_t last[16];
        for (int j = 0; j < 4; ++j)
            for (int n = 0, power = 1; n < 4; ++n, power *= 3) last[4 * n + j] = (uint8_t)(from[48 + j] * power);
        row_save(to + 240, row_from_fractions(row_load_bytes(last), scale));
    }
}

static void decode_tq2_0(const uint8_t *from, size_t count, float *to) {
    for (size_t block = 0; block < count; ++block, from += tq2_0_bytes, to += 256) {
        const float scale = load_half(from + 64);
        for (int part = 0; part < 4; ++part) {
            const row_byte pairs = row_load_bytes(from + 16 * part);
            float *first = to + 128 * (part / 2) + 16 * (part % 2);
            for (int n = 0; n < 4; ++n)
                row_save(first + 32 * n, (row_from_bytes((pairs >> (uint8_t)(2 * n)) & 3) - 1.0f) * scale);
        }
    }
}
