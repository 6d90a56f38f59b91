// Steps of a decoder on single rows: activations and scores.

static void forward_silu(const float *gate, const float *up, size_t count, float *to) {
    for (size_t i = 0; i < count; i += 16) {
        const row_float g = row_load_some(gate + i, count - i);
        row_save_some(to + i, row_silu(g, row_load_some(up + i, count - i)), count - i);
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
        const row_float g = row_load_some(gate + i, count - i), u = row_load_some(up + i, count - i);
        row_save_some(to + i, row_clamped_silu(g, u, alpha, limit), count - i);
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
        const row_word top = row_to_bf16(x), bottom = row_rest_of_bf16(x, top);
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
