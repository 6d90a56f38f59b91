// Causal softmax of scores [heads, rows, width], in place. Column 0 is the position `low`, row 0 the position `first`; a
// row sees the positions up to its own, `window` of them at most (0: all). What it does not see becomes 0.

struct quern_scores {
    float *values;
    uint64_t heads, rows, width, first, low, window;
    /// Null, or one more score for each head.
    const float *sinks;
    /// 0, or what scores are capped with.
    float cap;
};

/// Where the scores that row `index` of all heads sees begin, and how many they are.
KERNEL float *quern_seen(const quern_scores &scores, size_t index, size_t *count) {
    const size_t position = scores.first + index % scores.rows;
    const size_t sees = scores.window && position + 1 > scores.window ? position + 1 - scores.window : 0;
    const size_t from = sees > scores.low ? sees : scores.low;
    *count = position + 1 - from;
    return scores.values + index * scores.width + (from - scores.low);
}

KERNEL float quern_largest(const quern_scores &scores, size_t index, const float *maxima) {
    float largest = scores.sinks ? scores.sinks[index / scores.rows] : maxima[index * quern_places];
    for (int place = 0; place < quern_places; ++place) {
        const float x = maxima[index * quern_places + place];
        largest = x > largest ? x : largest;
    }
    return largest;
}

/// Caps the scores, and finds the largest in each of sixteen places of a row: a place to a thread.
extern "C" __global__ void quern_forward_softmax_maxima(quern_scores scores, float *maxima) {
    const size_t thread = quern_thread(), index = thread / quern_places, place = thread % quern_places;
    if (index >= scores.heads * scores.rows) return;
    size_t count;
    float *const values = quern_seen(scores, index, &count);
    const float inner = scores.cap > 0 ? 1.0f / scores.cap : 0.0f;
    float largest = -__builtin_inff();
    for (size_t i = place; i < count; i += quern_places) {
        if (scores.cap > 0) {
            const row_float x = values[i];
            values[i] = (row_tanh(x * inner) * scores.cap)[0];
        }
        largest = values[i] > largest ? values[i] : largest;
    }
    maxima[thread] = largest;
}

/// e^(x − largest), and its sums in sixteen places of a row: a place to a thread.
extern "C" __global__ void quern_forward_softmax_sums(quern_scores scores, const float *maxima, double *sums) {
    const size_t thread = quern_thread(), index = thread / quern_places, place = thread % quern_places;
    if (index >= scores.heads * scores.rows) return;
    size_t count;
    float *const values = quern_seen(scores, index, &count);
    const float largest = quern_largest(scores, index, maxima);
    double sum = 0;
    for (size_t i = place; i < count; i += quern_places) {
        const row_float x = values[i] - largest;
        values[i] = row_exp(x)[0];
        sum += (double)values[i];
    }
    sums[thread] = sum;
}

/// What a row is to be multiplied with: a row to a thread.
extern "C" __global__ void quern_forward_softmax_factors(quern_scores scores, const float *maxima, const double *sums,
                                                         float *factors) {
    const size_t index = quern_thread();
    if (index >= scores.heads * scores.rows) return;
    double total = quern_total(sums + index * quern_places);
    if (scores.sinks) {
        const row_float x = scores.sinks[index / scores.rows] - quern_largest(scores, index, maxima);
        total += (double)row_exp(x)[0];
    }
    factors[index] = (float)(1 / total);
}

/// A column to a thread.
extern "C" __global__ void quern_forward_softmax_apply(quern_scores scores, const float *factors) {
    const size_t column = quern_column();
    if (column >= scores.width) return;
    FOR_ROWS(index, scores.heads * scores.rows) {
        size_t count;
        const float *const values = quern_seen(scores, index, &count);
        float *const place = scores.values + index * scores.width + column;
        *place = place >= values && place < values + count ? *place * factors[index] : 0.0f;
    }
}
