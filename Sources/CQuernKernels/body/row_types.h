// Neighbouring values side by side: as many as the includer defines ROW to be.

typedef VECTOR(float, ROW) row_float;
typedef VECTOR(int32_t, ROW) row_int;
typedef VECTOR(uint32_t, ROW) row_word;
typedef VECTOR(uint16_t, ROW) row_short;
typedef VECTOR(uint8_t, ROW) row_byte;
typedef VECTOR(int8_t, ROW) row_signed_byte;

KERNEL row_float row_load(const float *from) {
    row_float values;
    memcpy(&values, from, sizeof values);
    return values;
}

KERNEL void row_save(float *to, row_float values) { memcpy(to, &values, sizeof values); }

KERNEL row_byte row_load_bytes(const uint8_t *from) {
    row_byte bytes;
    memcpy(&bytes, from, sizeof bytes);
    return bytes;
}

KERNEL void row_save_bytes(uint8_t *to, row_byte bytes) { memcpy(to, &bytes, sizeof bytes); }

/// a where it is less, else b.
KERNEL row_float row_least(row_float a, row_float b) { return CHOOSE(a < b, a, b); }
/// a where it is greater, else b.
KERNEL row_float row_most(row_float a, row_float b) { return CHOOSE(a > b, a, b); }
