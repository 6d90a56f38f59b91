// Functions between the matrix products of a decoder.

/// tanh x to within a few units in the last place, near zero too: t / (t + 2) with t = e^2x − 1.
///
/// 2x = n·ln 2 + r; e^r − 1 by the series of Taylor to the eighth power, whose remainder is below 2^-26 of r; then
/// t = 2^n·(e^r − 1) + (2^n − 1), exact in its second part.
KERNEL row_float row_tanh(row_float x) {
    const row_float limit = 10.0f;
    const row_int high = x > 10.0f, low = x < -10.0f;
    x = (row_float)((high & (row_int)limit) | (~high & (row_int)x));
    x = (row_float)((low & (row_int)-limit) | (~low & (row_int)x));
    const row_float y = x + x;
    const row_float rounded = y * 1.44269504088896341f + ROUNDING;
    const row_float n = rounded - ROUNDING;
    const row_float r = (y - n * 0.693359375f) - n * -2.12194440e-4f;
    row_float p = r * (1.0f / 40320) + (1.0f / 5040);
    p = p * r + (1.0f / 720);
    p = p * r + (1.0f / 120);
    p = p * r + (1.0f / 24);
    p = p * r + (1.0f / 6);
    p = p * r + 0.5f;
    p = p * (r * r) + r;
    const row_word power = (row_word)rounded - (uint32_t)ROUNDING_BITS;
    const row_float scale = (row_float)((power + 127) << 23);
    const row_float t = scale * p + (scale - 1.0f);
    return t / (t + 2.0f);
}

KERNEL row_float row_sigmoid(row_float x) { return 1.0f / (1.0f + row_exp(-x)); }

KERNEL row_float row_gelu(row_float x) {
    const row_float inner = (x + x * x * x * 0.044715f) * 0.797884560802865355f;
    return x * 0.5f * (row_tanh(inner) + 1.0f);
}

KERNEL row_float row_silu(row_float gate, row_float up) { return gate * row_sigmoid(gate) * up; }

/// gpt-oss: (up within ±limit + 1) · g · sigmoid(alpha · g) with g the gate, limited from above.
KERNEL row_float row_clamped_silu(row_float gate, row_float up, float alpha, float limit) {
    const row_float most = limit, least = -limit;
    const row_float g = CHOOSE(gate < most, gate, most);
    row_float u = CHOOSE(up < most, up, most);
    u = CHOOSE(u > least, u, least);
    return (u + 1.0f) * g * row_sigmoid(g * alpha);
}

/// The nearest BF16 numbers, in the low halves of words.
KERNEL row_word row_to_bf16(row_float x) {
    const row_word bits = (row_word)x;
    return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}

/// What BF16 leaves of values, as the nearest BF16 numbers.
KERNEL row_word row_rest_of_bf16(row_float x, row_word bf16) { return row_to_bf16(x - (row_float)(bf16 << 16)); }
