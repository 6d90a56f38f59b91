// Norms of stretches of rows: each row has `parts` of them side by side, `width` wide. First sixteen sums for each, then
// from these a factor (and a mean), then the values.

KERNEL const float *quern_stretch(const float *from, size_t stride, size_t width, size_t parts, size_t index) {
    return from + index / parts * stride + index % parts * width;
}

/// Sums in sixteen places: a place of a stretch to a thread.
/// - means: null for Σx², or for Σx where `squares` is 0; else Σ(x − mean)².
extern "C" __global__ void quern_forward_norm_sums(const float *from, size_t stride, size_t width, size_t parts,
                                                   size_t stretches, int32_t squares, const float *means,
                                                   double *sums) {
    const size_t thread = quern_thread(), index = thread / quern_places, place = thread % quern_places;
    if (index >= stretches) return;
    const float *const values = quern_stretch(from, stride, width, parts, index);
    const float mean = means ? means[index] : 0.0f;
    double sum = 0;
    for (size_t i = place; i < width; i += quern_places) {
        const float x = means ? values[i] - mean : values[i];
        const float term = squares ? x * x : x;
        sum += (double)term;
    }
    sums[thread] = sum;
}

/// A stretch to a thread: its mean where `epsilon` is negative, else 1/√(mean + ε) of what was summed.
extern "C" __global__ void quern_forward_norm_factors(const double *sums, size_t stretches, size_t width,
                                                      float epsilon, float *factors) {
    const size_t index = quern_thread();
    if (index >= stretches) return;
    const double total = quern_total(sums + index * quern_places);
    factors[index] = epsilon < 0 ? (float)(total / (double)width)
                                 : (float)(1 / __builtin_sqrt(total / (double)width + (double)epsilon));
}

/// (x − mean) · factor · weight + bias; without means and bias x · factor · weight. `from` and `to` may be the same.
extern "C" __global__ void quern_forward_norm_apply(const float *from, size_t from_stride, float *to, size_t stride,
                                                    size_t width, size_t parts, const float *weight,
                                                    const float *bias, const float *means, const float *factors,
                                                    size_t rows) {
    const size_t column = quern_column();
    if (column >= width * parts) return;
    const size_t part = column / width, place = column % width;
    FOR_ROWS(row, rows) {
        const size_t index = row * parts + part;
        float x = from[row * from_stride + column];
        if (means) x = x - means[index];
        x = x * factors[index] * weight[place];
        if (bias) x = x + bias[place];
        to[row * stride + column] = x;
    }
}
