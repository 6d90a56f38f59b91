// The exponential function, sixteen values at a time.

/// e^x of each value to within two units in the last place, denormal results included: zero below −104, infinity above
/// 88.73. A NaN stays one.
///
/// x = n·ln 2 + r with |r| ≤ ln 2 / 2, ln 2 in two pieces of which n times the first is exact; then the polynomial of
/// the Cephes library's `expf` in r, times 2^n in two steps, for n reaches beyond the exponents of normal numbers.
KERNEL row_float row_exp(row_float x) {
    const row_int too_low = x < -104.0f, too_high = x > 89.0f;
    const row_float low = -104.0f, high = 89.0f;
    x = (row_float)((too_low & (row_int)low) | (~too_low & (row_int)x));
    x = (row_float)((too_high & (row_int)high) | (~too_high & (row_int)x));
    const row_float rounded = x * 1.44269504088896341f + ROUNDING;
    const row_float n = rounded - ROUNDING;
    const row_float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    row_float p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = (p * (r * r) + r) + 1.0f;
    const row_word power = (row_word)rounded - (uint32_t)ROUNDING_BITS;
    const row_word half = (row_word)((row_int)power >> 1);
    p *= (row_float)((half + 127) << 23);
    return p * (row_float)((power - half + 127) << 23);
}
