// The error of a decoded row, and the search for values that are not finite.

static void row_error(const float *a, const float *b, size_t columns, quern_row_sums *sums) {
    typedef VECTOR(double, 8) eight;
    typedef VECTOR(float, 8) eight_floats;
    eight error[2] = {0, 0}, norm[2] = {0, 0};
    size_t i = 0;
    for (; i + 16 <= columns; i += 16) {
        for (int half = 0; half < 2; ++half) {
            eight_floats a_part, b_part;
            memcpy(&a_part, a + i + 8 * half, sizeof a_part);
            memcpy(&b_part, b + i + 8 * half, sizeof b_part);
            const eight value = __builtin_convertvector(a_part, eight);
            const eight difference = value - __builtin_convertvector(b_part, eight);
            error[half] += difference * difference;
            norm[half] += value * value;
        }
    }
    double errors[16], norms[16];
    memcpy(errors, error, sizeof errors);
    memcpy(norms, norm, sizeof norms);
    for (int place = 0; i < columns; ++i, ++place) {
        const double value = a[i];
        const double difference = value - (double)b[i];
        errors[place] += difference * difference;
        norms[place] += value * value;
    }
    sums->error = sums->norm = 0;
    for (int place = 0; place < 16; ++place) {
        sums->error += errors[place];
        sums->norm += norms[place];
    }
}

static size_t first_non_finite(const float *values, size_t count) {
    size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        // The exponent of an infinity or a NaN is all ones; adding one to it sets the sign bit.
        row_int seen = 0;
        for (int part = 0; part < 4; ++part)
            seen |= ((row_int)row_load(values + i + 16 * part) & 0x7f800000) + 0x00800000;
        if (__builtin_reduce_or(seen) < 0) break;
    }
    while (i < count && is_finite(values[i])) ++i;
    return i;
}
