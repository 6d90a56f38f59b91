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

static void forward_silu(const float *gate, const float *up, size_t count, float *to) {
    for (size_t i = 0; i < count; i += 16) {
        const row_float g = row_load_some(gate + i, count - i);
        row_save_some(to + i, g * row_sigmoid(g) * row_load_some(up + i, count - i), count - i);
    }
}

static void forward_gelu(const float *gate, const float *up, size_t count, float *to) {
    for (size_t i = 0; i < count; i += 16) {
        const row_float g = row_gelu(row_load_some(gate + i, count - i));
        row_save_some(to + i, up ? g * row_load_some(up + i, count - i) : g, count - i);
    }
}

static void forward_clamped_silu(const float *gate, const float *up, size_t count, float alpha, float limit,
                                 float *to) {
    for (size_t i = 0; i < count; i += 16) {
        const row_float g = row_at_most(row_load_some(gate + i, count - i), limit);
        const row_float u = row_at_least(row_at_most(row_load_some(up + i, count - i), limit), -limit);
        row_save_some(to + i, (u + 1.0f) * g * row_sigmoid(g * alpha), count - i);
    }
}

static void forward_soft_cap(float *values, size_t count, float scale, float cap) {
    const float inner = scale / cap;
    for (size_t i = 0; i < count; i += 16)
        row_save_some(values + i, row_tanh(row_load_some(values + i, count - i) * inner) * cap, count - i);
}

/// Softmax in place; `sink` is one more score that takes no place.
static void forward_softmax(float *values, size_t count, const float *sink) {
    row_float maxima = -__builtin_inff();
    for (size_t i = 0; i < count; i += 16) {
        const row_float x =
            i + 16 <= count ? row_load(values + i) : row_load_rest(values + i, count - i, -__builtin_inff());
        const row_int larger = x > maxima;
        maxima = (row_float)((larger & (row_int)x) | (~larger & (row_int)maxima));
    }
    float maximum = sink ? *sink : maxima[0];
    for (int place = 0; place < 16; ++place) maximum = maxima[place] > maximum ? maxima[place] : maximum;
    row_double sums[2] = {0, 0};
    for (size_t i = 0; i < count; i += 16) {
        const row_float x =
            i + 16 <= count ? row_load(values + i) : row_load_rest(values + i, count - i, -__builtin_inff());
        const row_float e = row_exp(x - maximum);
        add_to_sums(sums, e);
        row_save_some(values + i, e, count - i);
    }
    double sum = total_of_sums(sums);
    if (sink) {
        const row_float difference = *sink - maximum;
        sum += (double)row_exp(difference)[0];
    }
    forward_scale(values, count, (float)(1 / sum));
}

/// High halves rounded to the nearest BF16, and what is left of each value as another.
static void forward_split(const float *from, size_t count, uint16_t *high, uint16_t *low) {
    for (size_t i = 0; i < count; i += 16) {
        const row_float x = row_load_some(from + i, count - i);
        const row_word bits = (row_word)x;
        const row_word top = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
        const row_word rest = (row_word)(x - (row_float)(top << 16));
        const row_word bottom = (rest + 0x7fff + ((rest >> 16) & 1)) >> 16;
        const row_short highs = __builtin_convertvector(top, row_short);
        const row_short lows = __builtin_convertvector(bottom, row_short);
        const size_t part = count - i < 16 ? count - i : 16;
        memcpy(high + i, &highs, part * 2);
        memcpy(low + i, &lows, part * 2);
    }
}

#define FORWARD_TABLE                                                                                                 \
    {forward_rms_norm,          forward_layer_norm, forward_add,  forward_scale,        forward_rotate_halves,         \
     forward_rotate_neighbours, forward_silu,       forward_gelu, forward_clamped_silu, forward_soft_cap,              \
     forward_softmax,           forward_split}
