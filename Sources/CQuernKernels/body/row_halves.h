// Half precision, as `half.h` has it, in each place of a row of values.

KERNEL row_short row_halves(row_float values) {
    const row_word magnitude = (row_word)values & 0x7fffffff;
    const row_word sign = ((row_word)values >> 16) & 0x8000;
#ifdef HALF_CONVERSION
    typedef VECTOR(_Float16, ROW) row_half;
    const row_short converted = (row_short)__builtin_convertvector(values, row_half);
    const row_word halves = __builtin_convertvector(converted, row_word);
#else
    // The steps of half_from_float.
    const row_word subnormal = (row_word)((row_float)magnitude + 0.5f) - 0x3f000000;
    row_word normal = (magnitude - (112u << 23) + 0xfff + ((magnitude >> 13) & 1)) >> 13;
    normal = __builtin_elementwise_min(normal, (row_word)0x7c00);
    const row_word small = (row_word)(magnitude < 0x38800000);
    const row_word halves = sign | (small & subnormal) | (~small & normal);
#endif
    const row_word nan = (row_word)(magnitude > 0x7f800000);
    return __builtin_convertvector((nan & (sign | 0x7e00)) | (~nan & halves), row_short);
}

KERNEL row_float row_from_halves(row_short halves) {
#ifdef HALF_CONVERSION
    typedef VECTOR(_Float16, ROW) row_half;
    return __builtin_convertvector((row_half)halves, row_float);
#else
    // The steps of float_from_half.
    const row_word wide = __builtin_convertvector(halves, row_word);
    const row_word sign = (wide & 0x8000) << 16, magnitude = wide & 0x7fff;
    const row_word normal = (row_word)((row_float)((magnitude << 13) + (224u << 23)) * 0x1p-112f);
    const row_word subnormal = (row_word)((row_float)(magnitude + 0x3f000000) - 0.5f);
    const row_word small = (row_word)(magnitude < 0x400);
    return (row_float)(sign | (small & subnormal) | (~small & normal));
#endif
}
