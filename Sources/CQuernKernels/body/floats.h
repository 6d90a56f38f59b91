// F16 and BF16.

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
