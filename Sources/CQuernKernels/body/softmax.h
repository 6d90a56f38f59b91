// Distributions over a vocabulary, and how far one is from another.

typedef VECTOR(double, 8) row_double;

/// Adds sixteen values to sixteen sums.
KERNEL void add_to_sums(row_double sums[2], row_float values) {
    sums[0] += __builtin_convertvector(__builtin_shufflevector(values, values, 0, 1, 2, 3, 4, 5, 6, 7), row_double);
    sums[1] +=
        __builtin_convertvector(__builtin_shufflevector(values, values, 8, 9, 10, 11, 12, 13, 14, 15), row_double);
}

KERNEL double total_of_sums(const row_double sums[2]) {
    double total = 0;
    for (int place = 0; place < 16; ++place) total += sums[place / 8][place % 8];
    return total;
}

/// The last values of a row, fewer than sixteen, filled up with `filler`.
KERNEL row_float row_load_rest(const float *from, size_t count, float filler) {
    float values[16];
    for (size_t i = 0; i < 16; ++i) values[i] = i < count ? from[i] : filler;
    return row_load(values);
}

static void softmax(const float *values, size_t count, quern_softmax *result) {
    row_float maximum = -__builtin_inff();
    row_int index = 0, here = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    size_t i = 0;
    for (; i < count; i += 16) {
        const row_float part =
            i + 16 <= count ? row_load(values + i) : row_load_rest(values + i, count - i, -__builtin_inff());
        const row_int larger = part > maximum;
        maximum = (row_float)((larger & (row_int)part) | (~larger & (row_int)maximum));
        index = (larger & here) | (~larger & index);
        here += 16;
    }
    result->maximum = maximum[0];
    result->index = (uint32_t)index[0];
    for (int place = 1; place < 16; ++place) {
        const uint32_t candidate = (uint32_t)index[place];
        if (maximum[place] > result->maximum
            || (maximum[place] == result->maximum && candidate < result->index)) {
            result->maximum = maximum[place];
            result->index = candidate;
        }
    }
    row_double sums[2] = {0, 0};
    for (i = 0; i + 16 <= count; i += 16) add_to_sums(sums, row_exp(row_load(values + i) - result->maximum));
    if (i < count)
        add_to_sums(sums, row_exp(row_load_rest(values + i, count - i, -__builtin_inff()) - result->maximum));
    result->sum = total_of_sums(sums);
}

/// p·(e^−δ − 1 + δ), never negative, where q = p·e^−δ. Near zero by its series: the difference would lose everything.
KERNEL row_float divergence_terms(row_float p, row_float q, row_float delta) {
    row_float series = delta * (1.0f / 40320) - (1.0f / 5040);
    series = series * delta + (1.0f / 720);
    series = series * delta - (1.0f / 120);
    series = series * delta + (1.0f / 24);
    series = series * delta - (1.0f / 6);
    series = series * delta + 0.5f;
    series = series * (delta * delta) * p;
    // What has no weight adds nothing, however far apart: 0 · ∞ is no number.
    const row_int weighs = p > 0.0f;
    const row_float product = (row_float)(weighs & (row_int)(p * delta));
    const row_float difference = (q - p) + product;
    const row_int near = (row_float)((row_int)delta & 0x7fffffff) < 0.5f;
    return (row_float)((near & (row_int)series) | (~near & (row_int)difference));
}

static double divergence(const float *a, const float *b, size_t count, const quern_softmax *of_a,
                         const quern_softmax *of_b, float offset) {
    const float ratio = (float)(of_a->sum / of_b->sum);
    row_double sums[2] = {0, 0};
    for (size_t i = 0; i < count; i += 16) {
        row_float a_part, b_part;
        if (i + 16 <= count) {
            a_part = row_load(a + i);
            b_part = row_load(b + i);
        } else {
            a_part = row_load_rest(a + i, count - i, -__builtin_inff());
            b_part = row_load_rest(b + i, count - i, -__builtin_inff());
        }
        const row_float p = row_exp(a_part - of_a->maximum);
        const row_float q = row_exp(b_part - of_b->maximum) * ratio;
        add_to_sums(sums, divergence_terms(p, q, (a_part - b_part) - offset));
    }
    return total_of_sums(sums) / of_a->sum;
}
