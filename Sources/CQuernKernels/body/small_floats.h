// Floats of few bits, rounded to the nearest, halves to even: a sign, exponents with a bias, subnormals, no infinities.
// FP8 E4M3: three mantissa bits, bias 7, up to 448. FP4 E2M1: one mantissa bit, bias 1, up to 6.

#define E4M3 3, 7
#define E2M1 1, 1

/// The codes of magnitudes up to the largest, without signs.
KERNEL row_int row_small_float(row_float magnitude, int mantissa, int bias) {
    const int places = 23 - mantissa;
    const row_word bits = (row_word)magnitude;
    const row_word normal = ((bits + ((1u << (places - 1)) - 1) + ((bits >> places) & 1)) >> places)
        - ((uint32_t)(127 - bias) << mantissa);
    // Steps of subnormals end up in the last bits of a float that is 2^23 of them.
    const uint32_t steps = (uint32_t)(127 + 24 - bias - mantissa) << 23;
    const row_word subnormal = (row_word)(magnitude + float_from_bits(steps)) - steps;
    const row_int small = magnitude < float_from_bits((uint32_t)(128 - bias) << 23);
    return (row_int)(((row_word)small & subnormal) | (~(row_word)small & normal));
}

/// The values of codes without signs.
KERNEL row_float row_from_small_float(row_int codes, int mantissa, int bias) {
    const row_int normal = (codes << (23 - mantissa)) + ((127 - bias) << 23);
    const row_float subnormal = __builtin_convertvector(codes, row_float)
        * float_from_bits((uint32_t)(128 - bias - mantissa) << 23);
    const row_int small = codes < (1 << mantissa);
    return (row_float)((small & (row_int)subnormal) | (~small & normal));
}

KERNEL row_float row_magnitude(row_float values) { return (row_float)((row_int)values & 0x7fffffff); }

/// E4M3 of values, those beyond ±448 becoming the largest.
KERNEL row_byte row_e4m3(row_float values) {
    const row_int sign = (row_int)((row_word)values >> 24) & 0x80;
    return __builtin_convertvector(row_small_float(row_least(row_magnitude(values), 448.0f), E4M3) | sign, row_byte);
}

KERNEL row_float row_from_e4m3(row_byte codes) {
    const row_int wide = __builtin_convertvector(codes, row_int);
    const row_int magnitude = wide & 0x7f;
    const row_int nan = (magnitude == 0x7f) & 0x7fc00000;
    return (row_float)((row_int)row_from_small_float(magnitude, E4M3) | nan | ((wide & 0x80) << 24));
}

/// E2M1 of values, those beyond ±6 becoming the largest. What rounds to zero keeps its sign, zero itself has none.
KERNEL row_int row_e2m1(row_float values) {
    return row_small_float(row_least(row_magnitude(values), 6.0f), E2M1) | ((values < 0) & 8);
}

KERNEL row_float row_from_e2m1(row_int codes) {
    return (row_float)((row_int)row_from_small_float(codes & 7, E2M1) | ((codes & 8) << 28));
}
