// Groups of weights that share a scale, sixteen values at a time; what is left over is filled up with zeros.

/// Without the codes from place `count` on.
KERNEL row_int row_first_codes(row_int codes, size_t count) {
    const row_int places = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return codes & (places < (int32_t)count);
}

typedef VECTOR(uint8_t, 8) row_nibble_byte;

/// Two codes of four bits to a byte, the even one in the lower half.
KERNEL row_nibble_byte row_nibbles(row_int codes) {
    typedef VECTOR(uint64_t, 8) row_pair;
    const row_pair pairs = (row_pair)(codes & 15);
    return __builtin_convertvector(pairs | (pairs >> 28), row_nibble_byte);
}

KERNEL row_int row_from_nibbles(row_nibble_byte bytes) {
    const row_nibble_byte low = bytes & 15, high = bytes >> 4;
    const row_byte codes =
        __builtin_shufflevector(low, high, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
    return __builtin_convertvector(codes, row_int);
}

/// The bits of magnitudes of which the largest is the group's.
KERNEL row_int row_group_magnitudes(row_int largest, const float *from, size_t count) {
    row_int second = largest;
    for (; count >= 32; count -= 32, from += 32) {
        largest = row_larger_magnitudes(largest, row_load(from));
        second = row_larger_magnitudes(second, row_load(from + 16));
    }
    largest = __builtin_elementwise_max(largest, second);
    for (; count >= 16; count -= 16, from += 16) largest = row_larger_magnitudes(largest, row_load(from));
    return count ? row_larger_magnitudes(largest, row_load_some(from, count)) : largest;
}

KERNEL float largest_of(row_int magnitudes) { return float_from_bits((uint32_t)__builtin_reduce_max(magnitudes)); }

/// The larger of each two neighbours.
KERNEL row_int row_larger_neighbours(row_int a, row_int b) {
    return __builtin_elementwise_max(
        __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
        __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31));
}

/// The largest magnitude of each of up to sixteen groups of 16 values, one in each place; zero beyond them.
KERNEL row_float row_largest_of_groups(const float *from, size_t groups) {
    row_int magnitudes[16];
    for (size_t i = 0; i < 16; ++i) {
        magnitudes[i] = 0;
        if (i < groups) magnitudes[i] = row_larger_magnitudes(magnitudes[i], row_load(from + 16 * i));
    }
    for (int count = 8; count > 0; count /= 2)
        for (int i = 0; i < count; ++i)
            magnitudes[i] = row_larger_neighbours(magnitudes[2 * i], magnitudes[2 * i + 1]);
    return (row_float)magnitudes[0];
}

static float largest_magnitude(const float *values, size_t count) {
    return largest_of(row_group_magnitudes(0, values, count));
}
