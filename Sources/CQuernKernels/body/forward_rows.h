// Steps of a decoder on single rows: norms, sums, rotations. Sums run in sixteen places in double precision.

/// The first `count` values, at most sixteen.
KERNEL void row_save_some(float *to, row_float values, size_t count) {
    if (count >= 16) {
        row_save(to, values);
    } else {
        for (size_t i = 0; i < count; ++i) to[i] = values[i];
    }
}

KERNEL row_float row_load_some(const float *from, size_t count) {
    return count >= 16 ? row_load(from) : row_load_rest(from, count, 0);
}

static void forward_rms_norm(const float *from, size_t count, const float *weight, float epsilon, float *to) {
    row_double sums[2] = {0, 0};
    for (size_t i = 0; i < count; i += 16) {
        const row_float x = row_load_some(from + i, count - i);
        add_to_sums(sums, x * x);
    }
    const float scale = (float)(1 / __builtin_sqrt(total_of_sums(sums) / (double)count + (double)epsilon));
    for (size_t i = 0; i < count; i += 16) {
        const row_float x = row_load_some(from + i, count - i);
        row_save_some(to + i, x * scale * row_load_some(weight + i, count - i), count - i);
    }
}

static void forward_layer_norm(const float *from, size_t count, const float *weight, const float *bias, float epsilon,
                               float *to) {
    row_double sums[2] = {0, 0};
    for (size_t i = 0; i < count; i += 16) add_to_sums(sums, row_load_some(from + i, count - i));
    const float mean = (float)(total_of_sums(sums) / (double)count);
    row_double squares[2] = {0, 0};
    for (size_t i = 0; i < count; i += 16) {
        const row_float x =
            (i + 16 <= count ? row_load(from + i) : row_load_rest(from + i, count - i, mean)) - mean;
        add_to_sums(squares, x * x);
    }
    const float scale = (float)(1 / __builtin_sqrt(total_of_sums(squares) / (double)count + (double)epsilon));
    for (size_t i = 0; i < count; i += 16) {
        row_float x = (row_load_some(from + i, count - i) - mean) * scale * row_load_some(weight + i, count - i);
        if (bias) x += row_load_some(bias + i, count - i);
        row_save_some(to + i, x, count - i);
    }
}

static void forward_add(float *to, const float *from, size_t count, float scale) {
    for (size_t i = 0; i < count; i += 16) {
        const row_float sum = row_load_some(to + i, count - i) + row_load_some(from + i, count - i) * scale;
        row_save_some(to + i, sum, count - i);
    }
}

static void forward_scale(float *values, size_t count, float scale) {
    for (size_t i = 0; i < count; i += 16)
        row_save_some(values + i, row_load_some(values + i, count - i) * scale, count - i);
}

static void forward_rotate_halves(float *values, const float *cosines, const float *sines, size_t pairs) {
    for (size_t i = 0; i < pairs; i += 16) {
        const size_t rest = pairs - i;
        const row_float c = row_load_some(cosines + i, rest), s = row_load_some(sines + i, rest);
        const row_float a = row_load_some(values + i, rest), b = row_load_some(values + pairs + i, rest);
        row_save_some(values + i, a * c - b * s, rest);
        row_save_some(values + pairs + i, b * c + a * s, rest);
    }
}

static void forward_rotate_neighbours(float *values, const float *cosines, const float *sines, size_t pairs) {
    size_t i = 0;
    for (; i + 16 <= pairs; i += 16) {
        const row_float c = row_load(cosines + i), s = row_load(sines + i);
        const row_float x = row_load(values + 2 * i), y = row_load(values + 2 * i + 16);
        const row_float a =
            __builtin_shufflevector(x, y, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        const row_float b =
            __builtin_shufflevector(x, y, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
        const row_float p = a * c - b * s, q = b * c + a * s;
        row_save(values + 2 * i,
                 __builtin_shufflevector(p, q, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
        row_save(values + 2 * i + 16,
                 __builtin_shufflevector(p, q, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31));
    }
    for (; i < pairs; ++i) {
        const float a = values[2 * i], b = values[2 * i + 1];
        values[2 * i] = a * cosines[i] - b * sines[i];
        values[2 * i + 1] = b * cosines[i] + a * sines[i];
    }
}
