// Cholesky's factor U of a symmetric matrix UᵀU, strip by strip: what the rows above take from a square of it, all at
// once, then its own rows. Sums of products are taken in single precision, a few hundred terms at a time, and added up in
// double precision: what that loses is far less than what is added to the diagonal before.

enum {
    factor_strip = quern_factor_strip,
    factor_square = factor_strip * factor_strip,
    /// Terms of a sum in single precision.
    factor_terms = 2 * factor_strip,
    /// Rows that are finished before what they take from later ones is subtracted.
    factor_rows = 12,
};

/// Where the columns of a strip begin.
KERNEL size_t factor_place(size_t strip) { return strip * (strip + 1) / 2 * factor_square; }

/// What rows above take from a square.
/// - left, right: [terms, factor_strip], the columns of U that are the rows and the columns of the square.
static void factor_subtract(const float *left, const float *right, size_t terms, double *square) {
    float sums[factor_square];
    for (size_t term = 0; term < terms; term += factor_terms) {
        memset(sums, 0, sizeof(sums));
        add_products(left + term * factor_strip, factor_strip, right + term * factor_strip, factor_strip,
                     terms - term < factor_terms ? terms - term : factor_terms, factor_strip, factor_strip, sums,
                     factor_strip);
        for (size_t i = 0; i < factor_square; ++i) square[i] -= (double)sums[i];
    }
}

/// What the rows of a square take from each other.
/// - diagonal: the finished square on the diagonal that has the same rows, or `square` if that is it.
/// - Returns: `rows`, or the first at which the matrix turns out not to be positive definite.
static size_t factor_finish(const double *diagonal, double *square, size_t rows) {
    for (size_t first = 0; first < rows; first += factor_rows) {
        const size_t end = rows - first < factor_rows ? rows : first + factor_rows;
        const double *const factors = diagonal + first * factor_strip;
        for (size_t row = first; row < end; ++row) {
            double *const values = square + row * factor_strip;
            subtract_products(factors + row, factor_strip, square + first * factor_strip, factor_strip, row - first, 1,
                              factor_strip, values, factor_strip);
            double root = diagonal[row * factor_strip + row];
            if (diagonal == square) {
                if (!(root > 0) || root - root != 0) return row;
                root = __builtin_sqrt(root);
            }
            for (size_t column = 0; column < factor_strip; ++column) values[column] /= root;
        }
        subtract_products(factors + end, factor_strip, square + first * factor_strip, factor_strip, end - first,
                          rows - end, factor_strip, square + end * factor_strip, factor_strip);
    }
    return rows;
}

static size_t factor(float *matrix, size_t count) {
    const size_t strips = (count + factor_strip - 1) / factor_strip;
    double diagonal[factor_square], other[factor_square];
    for (size_t row = 0; row < strips; ++row) {
        const size_t first = row * factor_strip, rows = count - first < factor_strip ? count - first : factor_strip;
        for (size_t column = row; column < strips; ++column) {
            double *const square = column == row ? diagonal : other;
            float *const right = matrix + factor_place(column), *const values = right + first * factor_strip;
            for (size_t i = 0; i < factor_square; ++i) square[i] = (double)values[i];
            factor_subtract(matrix + factor_place(row), right, first, square);
            const size_t done = factor_finish(diagonal, square, rows);
            if (done < rows) return first + done;
            for (size_t i = 0; i < factor_square; ++i) values[i] = (float)square[i];
        }
    }
    return count;
}
