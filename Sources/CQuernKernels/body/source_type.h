// The type that weights came in: what frameworks compute in it is computed in single precision and then rounded.
//
// - source: quern_type_f16, quern_type_bf16 or quern_type_f32, a constant wherever a loop depends on it.

KERNEL row_float row_in_source(row_float values, uint32_t source) {
    if (source == quern_type_bf16) {
        const row_word bits = (row_word)values;
        return (row_float)((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000);
    }
    return source == quern_type_f16 ? row_from_halves(row_halves(values)) : values;
}

KERNEL float in_source(float value, uint32_t source) {
    if (source == quern_type_bf16) {
        const uint32_t bits = float_bits(value);
        return float_from_bits((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000);
    }
    return source == quern_type_f16 ? float_from_half(half_from_float(value)) : value;
}

/// The distance of the next value after 1: it stands in for scales of zero.
KERNEL float source_epsilon(uint32_t source) {
    return source == quern_type_bf16 ? 0x1p-7f : source == quern_type_f16 ? 0x1p-10f : 0x1p-23f;
}

KERNEL size_t source_bytes(uint32_t source) { return source == quern_type_f32 ? 4 : 2; }

/// - value: one that `source` has.
KERNEL void store_source(uint8_t *to, float value, uint32_t source) {
    const uint32_t bits = float_bits(value);
    if (source == quern_type_f32) memcpy(to, &bits, sizeof bits);
    else store_half(to, source == quern_type_f16 ? half_from_float(value) : (uint16_t)(bits >> 16));
}

KERNEL float load_source(const uint8_t *from, uint32_t source) {
    float value;
    uint16_t upper;
    switch (source) {
    case quern_type_f16:
        return load_half(from);
    case quern_type_bf16:
        memcpy(&upper, from, sizeof upper);
        return float_from_bits((uint32_t)upper << 16);
    default:
        memcpy(&value, from, sizeof value);
        return value;
    }
}
