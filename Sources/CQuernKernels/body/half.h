// Half precision, one value at a time. Rounds to nearest even; a NaN becomes 0x7e00 with its sign.

KERNEL uint32_t float_bits(float value) {
#ifdef QUERN_DEVICE
    return device_bits(value);
#else
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
#endif
}

KERNEL float float_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

KERNEL bool is_finite(float value) { return (float_bits(value) & 0x7f800000) != 0x7f800000; }

KERNEL uint16_t half_from_float(float value) {
    const uint32_t sign = (float_bits(value) >> 16) & 0x8000;
    const uint32_t magnitude = float_bits(value) & 0x7fffffff;
    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00);
    // Below 2^-14, adding one half puts the last bit of a subnormal half at the last bit of the sum.
    if (magnitude < 0x38800000)
        return (uint16_t)(sign | (float_bits(float_from_bits(magnitude) + 0.5f) - 0x3f000000));
    const uint32_t rounded = (magnitude - (112u << 23) + 0xfff + ((magnitude >> 13) & 1)) >> 13;
    return (uint16_t)(sign | (rounded < 0x7c00 ? rounded : 0x7c00));
}

KERNEL float float_from_half(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t magnitude = half & 0x7fff;
    const float normal = float_from_bits((magnitude << 13) + (224u << 23)) * 0x1p-112f;
    const float subnormal = float_from_bits(magnitude + 0x3f000000) - 0.5f;
    return float_from_bits(sign | float_bits(magnitude < 0x400 ? subnormal : normal));
}

KERNEL void store_half(uint8_t *to, uint16_t half) { memcpy(to, &half, sizeof half); }

KERNEL float load_half(const uint8_t *from) {
    uint16_t half;
    memcpy(&half, from, sizeof half);
    return float_from_half(half);
}
