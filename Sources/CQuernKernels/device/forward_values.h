// Steps that work on each value by itself: a column to a thread. Rows are `stride` values apart.

#define FOR_ROWS(row, count) for (size_t row = quern_first_row(); row < (count); row += quern_row_step())

extern "C" __global__ void quern_forward_clear(float *to, size_t stride, size_t width, size_t rows) {
    const size_t column = quern_column();
    if (column >= width) return;
    FOR_ROWS(row, rows) to[row * stride + column] = 0;
}

extern "C" __global__ void quern_forward_copy(const float *from, size_t from_stride, float *to, size_t stride,
                                              size_t width, size_t rows) {
    const size_t column = quern_column();
    if (column >= width) return;
    FOR_ROWS(row, rows) to[row * stride + column] = from[row * from_stride + column];
}

/// Row i comes from row indices[i].
extern "C" __global__ void quern_forward_gather(const float *from, const int32_t *indices, float *to, size_t width,
                                                size_t rows) {
    const size_t column = quern_column();
    if (column >= width) return;
    FOR_ROWS(row, rows) to[row * width + column] = from[(size_t)indices[row] * width + column];
}

/// A row to go to, and how much of what goes there.
struct quern_placement {
    int32_t row;
    float weight;
};

/// Adds row i, times a weight, to another. No two rows go to the same one.
extern "C" __global__ void quern_forward_scatter(const float *from, const quern_placement *placements, float *to,
                                                 size_t width, size_t rows) {
    const size_t column = quern_column();
    if (column >= width) return;
    FOR_ROWS(row, rows) {
        float *const place = to + (size_t)placements[row].row * width + column;
        *place = *place + from[row * width + column] * placements[row].weight;
    }
}

extern "C" __global__ void quern_forward_add(float *to, size_t stride, const float *from, size_t from_stride,
                                             float scale, size_t width, size_t rows) {
    const size_t column = quern_column();
    if (column >= width) return;
    FOR_ROWS(row, rows) {
        float *const place = to + row * stride + column;
        *place = *place + from[row * from_stride + column] * scale;
    }
}

extern "C" __global__ void quern_forward_scale(float *values, size_t stride, float factor, size_t width,
                                               size_t rows) {
    const size_t column = quern_column();
    if (column >= width) return;
    FOR_ROWS(row, rows) values[row * stride + column] = values[row * stride + column] * factor;
}

/// x = cap · tanh(scale · x / cap)
extern "C" __global__ void quern_forward_soft_cap(float *values, size_t stride, float scale, float cap, size_t width,
                                                  size_t rows) {
    const size_t column = quern_column();
    if (column >= width) return;
    const float inner = scale / cap;
    FOR_ROWS(row, rows) {
        const row_float x = values[row * stride + column];
        values[row * stride + column] = (row_tanh(x * inner) * cap)[0];
    }
}

/// Rotates pairs of values by the angles of the row: the pairs of `heads` stretches that begin `length` apart.
/// - neighbours: whether a pair's values stand side by side, or half of all apart.
/// - cosines, sines: [rows, pairs].
extern "C" __global__ void quern_forward_rotate(float *values, size_t stride, size_t heads, size_t length,
                                                const float *cosines, const float *sines, size_t pairs,
                                                int32_t neighbours, size_t rows) {
    const size_t thread = quern_column();
    if (thread >= heads * pairs) return;
    const size_t head = thread / pairs, pair = thread % pairs;
    FOR_ROWS(row, rows) {
        float *const part = values + row * stride + head * length;
        float *const first = part + (neighbours ? 2 * pair : pair);
        float *const second = neighbours ? first + 1 : first + pairs;
        const float c = cosines[row * pairs + pair], s = sines[row * pairs + pair];
        const float a = *first, b = *second;
        *first = a * c - b * s;
        *second = b * c + a * s;
    }
}

enum { quern_silu = 0, quern_gelu, quern_clamped_silu };

/// Between up and down of a feed-forward layer.
/// - up: may be null for `quern_gelu`.
/// - alpha, limit: of `quern_clamped_silu`.
extern "C" __global__ void quern_forward_activate(int32_t activation, const float *gate, size_t gate_stride,
                                                  const float *up, size_t up_stride, float alpha, float limit,
                                                  float *to, size_t stride, size_t width, size_t rows) {
    const size_t column = quern_column();
    if (column >= width) return;
    FOR_ROWS(row, rows) {
        const row_float g = gate[row * gate_stride + column], u = up ? up[row * up_stride + column] : 1.0f;
        row_float x;
        if (activation == quern_silu)
            x = row_silu(g, u);
        else if (activation == quern_clamped_silu)
            x = row_clamped_silu(g, u, alpha, limit);
        else
            x = up ? row_gelu(g) * u : row_gelu(g);
        to[row * stride + column] = x[0];
    }
}

/// The nearest BF16 numbers, and what is left of each value as another; without room for that, only the first.
extern "C" __global__ void quern_forward_split(const float *from, size_t width, size_t rows, uint16_t *high,
                                               uint16_t *low) {
    const size_t column = quern_column();
    if (column >= width) return;
    FOR_ROWS(row, rows) {
        const size_t place = row * width + column;
        const row_float x = from[place];
        const row_word top = row_to_bf16(x);
        high[place] = (uint16_t)top[0];
        if (low) low[place] = (uint16_t)row_rest_of_bf16(x, top)[0];
    }
}

/// Adds products in single precision to sums in double precision.
extern "C" __global__ void quern_forward_add_products(const float *products, double *sums, size_t count) {
    const size_t place = quern_thread();
    if (place < count) sums[place] = sums[place] + (double)products[place];
}

/// Σx², Σ|x| and max|x| of each column, from the first row to the last.
extern "C" __global__ void quern_forward_moments(const float *from, size_t width, size_t rows, double *squares,
                                                 double *magnitudes, float *maxima) {
    const size_t column = quern_column();
    if (column >= width) return;
    double square = 0, magnitude = 0;
    uint32_t largest = 0;
    for (size_t row = 0; row < rows; ++row) {
        const row_float x = from[row * width + column];
        const row_word bits = (row_word)x & 0x7fffffff;
        const double value = ((row_float)bits)[0];
        largest = bits[0] > largest ? bits[0] : largest;
        square += value * value;
        magnitude += value;
    }
    squares[column] = square;
    magnitudes[column] = magnitude;
    maxima[column] = ((row_float)(row_word)largest)[0];
}
