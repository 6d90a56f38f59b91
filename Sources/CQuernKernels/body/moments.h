// Sums over the rows of activations, column by column: what calibration keeps.

/// Rows that are added while sixteen sums are at hand.
#define MOMENT_ROWS 4
/// Columns whose sums stay in the nearest cache while the rows go by.
#define MOMENT_COLUMNS 512

KERNEL row_double moment_load(const double *from) {
    row_double values;
    memcpy(&values, from, sizeof values);
    return values;
}

KERNEL void moment_save(double *to, row_double values) { memcpy(to, &values, sizeof values); }

/// Adds `rows` values below each other to the sums of sixteen columns.
KERNEL void moments_of_sixteen(const float *from, size_t rows, size_t stride, double *squares, double *magnitudes,
                               float *maxima) {
    row_double square[2] = {moment_load(squares), moment_load(squares + 8)};
    row_double magnitude[2] = {moment_load(magnitudes), moment_load(magnitudes + 8)};
    row_int largest = (row_int)row_load(maxima);
    for (size_t row = 0; row < rows; ++row) {
        const row_int bits = (row_int)row_load(from + row * stride) & 0x7fffffff;
        const row_float values = (row_float)bits;
        largest = __builtin_elementwise_max(largest, bits);
        const row_double low = __builtin_convertvector(
            __builtin_shufflevector(values, values, 0, 1, 2, 3, 4, 5, 6, 7), row_double);
        const row_double high = __builtin_convertvector(
            __builtin_shufflevector(values, values, 8, 9, 10, 11, 12, 13, 14, 15), row_double);
        // The square of a float is exact in double precision.
        square[0] += low * low;
        square[1] += high * high;
        magnitude[0] += low;
        magnitude[1] += high;
    }
    moment_save(squares, square[0]);
    moment_save(squares + 8, square[1]);
    moment_save(magnitudes, magnitude[0]);
    moment_save(magnitudes + 8, magnitude[1]);
    row_save(maxima, (row_float)largest);
}

static void moments_of_one(const float *from, size_t rows, size_t stride, double *square, double *magnitude,
                           float *maximum) {
    for (size_t row = 0; row < rows; ++row) {
        const uint32_t bits = float_bits(from[row * stride]) & 0x7fffffff;
        const double value = float_from_bits(bits);
        if (bits > float_bits(*maximum)) *maximum = float_from_bits(bits);
        *square += value * value;
        *magnitude += value;
    }
}

static void moments(const float *rows, size_t count, size_t columns, double *squares, double *magnitudes,
                    float *maxima) {
    for (size_t begin = 0; begin < columns; begin += MOMENT_COLUMNS) {
        const size_t end = begin + MOMENT_COLUMNS < columns ? begin + MOMENT_COLUMNS : columns;
        for (size_t row = 0; row < count; row += MOMENT_ROWS) {
            const size_t some = row + MOMENT_ROWS < count ? MOMENT_ROWS : count - row;
            const float *from = rows + row * columns;
            size_t column = begin;
            for (; column + 16 <= end; column += 16)
                moments_of_sixteen(from + column, some, columns, squares + column, magnitudes + column,
                                   maxima + column);
            for (; column < end; ++column)
                moments_of_one(from + column, some, columns, squares + column, magnitudes + column, maxima + column);
        }
    }
}
