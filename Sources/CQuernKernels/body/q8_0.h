// Q8_0: blocks of 32 values: half-precision scale, 32 signed bytes.

/// Rounds to the nearest integer, halves away from zero: truncation after adding the largest float below one half.
KERNEL row_signed_byte row_rounded(row_float values) {
    const row_int half = ((row_int)values & (int32_t)0x80000000) | 0x3effffff;
    return __builtin_convertvector(__builtin_convertvector(values + (row_float)half, row_int), row_signed_byte);
}

ENCODER void encode_q8_0(const float *from, size_t blocks, uint8_t *to) {
    for (size_t block = 0; block < blocks; ++block, from += 32, to += q8_0_bytes) {
        const row_float a = row_load(from), b = row_load(from + 16);
        const float scale = float_from_bits(row_largest_magnitude(a, b)) / 127.0f;
        store_half(to, half_from_float(scale));
        float inverse;
        if (!row_invert(scale, &inverse)) {
            memset(to + 2, 0, 32);
            continue;
        }
        const row_signed_byte low = row_rounded(a * inverse), high = row_rounded(b * inverse);
        memcpy(to + 2, &low, sizeof low);
        memcpy(to + 18, &high, sizeof high);
    }
}

static void decode_q8_0(const uint8_t *from, size_t blocks, float *to) {
    for (size_t block = 0; block < blocks; ++block, from += q8_0_bytes, to += 32) {
        const float scale = load_half(from);
        row_signed_byte low, high;
        memcpy(&low, from + 2, sizeof low);
        memcpy(&high, from + 18, sizeof high);
        row_save(to, __builtin_convertvector(__builtin_convertvector(low, row_int), row_float) * scale);
        row_save(to + 16, __builtin_convertvector(__builtin_convertvector(high, row_int), row_float) * scale);
    }
}
