// F16 and BF16.

KERNEL row_short row_halves(row_float values) {
    const row_word magnitude = (row_word)values & 0x7fffffff;
    const row_word sign = ((row_word)values >> 16) & 0x8000;
#ifdef HALF_CONVERSION
    typedef VECTOR(_Float16, 16) row_half;
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
    typedef VECTOR(_Float16, 16) row_half;
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

/// Rounds to nearest even; a NaN keeps its upper bits and becomes quiet.
KERNEL row_short row_brain_floats(row_float values) {
    const row_word bits = (row_word)values;
    const row_word rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    const row_word nan = (row_word)((bits & 0x7fffffff) > 0x7f800000);
    return __builtin_convertvector((nan & ((bits >> 16) | 64)) | (~nan & rounded), row_short);
}

KERNEL row_float row_from_brain_floats(row_short values) {
    return (row_float)(__builtin_convertvector(values, row_word) << 16);
}

KERNEL void encode_shorts(const float *from, size_t count, uint8_t *to, bool brain) {
    for (; count >= 16; count -= 16, from += 16, to += 32) {
        const row_float values = row_load(from);
        const row_short shorts = brain ? row_brain_floats(values) : row_halves(values);
        memcpy(to, &shorts, sizeof shorts);
    }
    if (count == 0) return;
    row_float values = 0;
    memcpy(&values, from, count * sizeof(float));
    const row_short shorts = brain ? row_brain_floats(values) : row_halves(values);
    memcpy(to, &shorts, count * sizeof(uint16_t));
}

KERNEL void decode_shorts(const uint8_t *from, size_t count, float *to, bool brain) {
    row_short shorts = 0;
    for (; count >= 16; count -= 16, from += 32, to += 16) {
        memcpy(&shorts, from, sizeof shorts);
        row_save(to, brain ? row_from_brain_floats(shorts) : row_from_halves(shorts));
    }
    if (count == 0) return;
    memcpy(&shorts, from, count * sizeof(uint16_t));
    const row_float values = brain ? row_from_brain_floats(shorts) : row_from_halves(shorts);
    memcpy(to, &values, count * sizeof(float));
}

ENCODER void encode_f16(const float *from, size_t count, uint8_t *to) { encode_shorts(from, count, to, false); }
ENCODER void encode_bf16(const float *from, size_t count, uint8_t *to) { encode_shorts(from, count, to, true); }
static void decode_f16(const uint8_t *from, size_t count, float *to) { decode_shorts(from, count, to, false); }
static void decode_bf16(const uint8_t *from, size_t count, float *to) { decode_shorts(from, count, to, true); }
