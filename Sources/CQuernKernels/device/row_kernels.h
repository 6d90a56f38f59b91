// Kernels for rows, of which each thread has one, or a value of one.

/// The mean square of each row, summed from its first value to its last.
extern "C" __global__ void quern_row_means(const float *from, size_t rows, size_t columns, float *means) {
    const size_t row = quern_thread();
    if (row < rows) means[row] = lane_sum_of_squares(from + row * columns, (int)columns) / (float)columns;
}

/// What was lost of each row: see `quern_row_error`.
extern "C" __global__ void quern_row_errors(const float *from, const float *decoded, size_t rows, size_t columns,
                                            quern_row_sums *sums) {
    const size_t row = quern_thread();
    if (row < rows) row_error(from + row * columns, decoded + row * columns, columns, sums + row);
}

/// The values of BF16 numbers, one to a thread.
extern "C" __global__ void quern_row_values(const uint16_t *from, size_t count, float *to) {
    const size_t thread = quern_thread();
    if (thread < count) to[thread] = float_from_bits((uint32_t)from[thread] << 16);
}
