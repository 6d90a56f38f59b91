// Cholesky's factor of a Gram matrix, strip by strip, as `factor.h` has it: for each strip of rows what the rows above
// take from all squares to its right, then the rows of the square on the diagonal, then those of the others.

enum { quern_strip = quern_factor_strip, quern_square = quern_strip * quern_strip, quern_terms = 2 * quern_strip };

/// Where the columns of a strip begin.
KERNEL size_t quern_strip_place(size_t strip) { return strip * (strip + 1) / 2 * quern_square; }

/// Squares of a strip of rows after what the rows above take from them, an element to a thread.
/// - squares: [strips from `strip` on, quern_strip, quern_strip]; the first lies on the diagonal.
extern "C" __global__ void quern_factor_squares(const float *matrix, size_t strip, size_t strips, double *squares) {
    const size_t thread = quern_thread(), other = strip + thread / quern_square;
    if (other >= strips) return;
    const size_t row = thread % quern_square / quern_strip, column = thread % quern_strip, terms = strip * quern_strip;
    const float *const left = matrix + quern_strip_place(strip) + row;
    const float *const right = matrix + quern_strip_place(other) + column;
    double value = (double)right[(terms + row) * quern_strip];
    for (size_t term = 0; term < terms; term += quern_terms) {
        const size_t end = terms - term < quern_terms ? terms : term + quern_terms;
        float sum = 0;
        for (size_t k = term; k < end; ++k) sum = sum + left[k * quern_strip] * right[k * quern_strip];
        value = value - (double)sum;
    }
    squares[thread] = value;
}

/// A row of the square on the diagonal, a column to a thread; the rows above it are finished.
/// - finished: [quern_strip, quern_strip].
/// - failed: becomes the first row at which the matrix turns out not to be positive definite.
extern "C" __global__ void quern_factor_row(float *matrix, size_t strip, size_t row, const double *squares,
                                            double *finished, uint32_t *failed) {
    const size_t column = quern_thread();
    if (column >= quern_strip) return;
    double value = squares[row * quern_strip + column], root = squares[row * quern_strip + row];
    for (size_t k = 0; k < row; ++k) {
        const double factor = finished[k * quern_strip + row];
        value = value - factor * finished[k * quern_strip + column];
        root = root - factor * factor;
    }
    if (column == row && (!(root > 0) || root - root != 0) && *failed == ~0u)
        *failed = (uint32_t)(strip * quern_strip + row);
    value = value / __builtin_sqrt(root);
    finished[row * quern_strip + column] = value;
    matrix[quern_strip_place(strip) + (strip * quern_strip + row) * quern_strip + column] = (float)value;
}

/// The squares to the right of the one on the diagonal, a column to a thread.
/// - rows: of the strip.
extern "C" __global__ void quern_factor_columns(float *matrix, size_t strip, size_t strips, size_t rows,
                                                const double *finished, double *squares) {
    const size_t thread = quern_thread(), other = strip + 1 + thread / quern_strip, column = thread % quern_strip;
    if (other >= strips) return;
    double *const values = squares + (other - strip) * quern_square + column;
    float *const to = matrix + quern_strip_place(other) + strip * quern_square + column;
    for (size_t row = 0; row < rows; ++row) {
        double value = values[row * quern_strip];
        for (size_t k = 0; k < row; ++k)
            value = value - finished[k * quern_strip + row] * values[k * quern_strip];
        value = value / finished[row * quern_strip + row];
        values[row * quern_strip] = value;
        to[row * quern_strip] = (float)value;
    }
}
