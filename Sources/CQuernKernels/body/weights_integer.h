// compressed-tensors `pack-quantized` and `int-quantized`: integers under a scale for each group of a row.
//
// Codes are unsigned: the integer + 2^(bits − 1) where they are packed, two's complement in bytes of their own.

typedef struct {
    /// 4 or 8, a constant.
    int bits;
    /// Whether groups have zero points; a constant.
    bool has_zero_points;
    /// A constant.
    uint32_t source;
    /// What is added to integers.
    int offset;
} integer_kind;

typedef struct {
    float scale;
    float zero_point;
} integer_scale;

KERNEL integer_scale integer_symmetric(const float *from, size_t count, integer_kind kind) {
    // The range is half a step wider below zero than above.
    const float steps = kind.bits == 4 ? 7.5f : 127.5f;
    const float scale = in_source(largest_of(row_group_magnitudes(0, from, count)) / steps, kind.source);
    return (integer_scale){scale == 0 ? source_epsilon(kind.source) : scale, 0};
}

KERNEL integer_scale integer_asymmetric(const float *from, size_t count, integer_kind kind) {
    const float steps = kind.bits == 4 ? 15 : 255, least = kind.bits == 4 ? -8 : -128;
    row_float lows = 0, highs = 0;
    for (; count >= 16; count -= 16, from += 16) {
        const row_float values = row_load(from);
        lows = row_least(values, lows);
        highs = row_most(values, highs);
    }
    if (count) {
        const row_float values = row_load_some(from, count);
        lows = row_least(values, lows);
        highs = row_most(values, highs);
    }
    // Without signs, floats are ordered as their bits are.
    const float low = -largest_of((row_int)lows & 0x7fffffff), high = largest_of((row_int)highs);
    integer_scale result;
    result.scale = in_source(in_source(high - low, kind.source) / steps, kind.source);
    // Where the scale is zero, so is the zero point, or as far as it goes where the group has negative values.
    const float quotient = low / result.scale;
    result.zero_point = 0;
    if (quotient == quotient) {
        const float zero = in_source(least - in_source(quotient, kind.source), kind.source);
        const float most = least + steps;
        result.zero_point = ((zero < least ? least : zero > most ? most : zero) + ROUNDING) - ROUNDING;
    }
    if (result.scale == 0) result.scale = source_epsilon(kind.source);
    return result;
}

KERNEL row_int row_integers(row_float values, integer_scale group, integer_kind kind) {
    const float least = kind.bits == 4 ? -8 : -128, most = kind.bits == 4 ? 7 : 127;
    row_float quotient = row_in_source(values / group.scale, kind.source);
    if (kind.has_zero_points) quotient = row_in_source(quotient + group.zero_point, kind.source);
    quotient = row_least(row_most(quotient, least), most);
    return (row_int)(quotient + (ROUNDING + (float)kind.offset)) & ((1 << kind.bits) - 1);
}

/// - to: 2 · bits bytes for 16 values.
KERNEL void save_integers(uint8_t *to, row_int codes, size_t count, int bits) {
    if (bits == 4) {
        const row_nibble_byte bytes = row_nibbles(codes);
        memcpy(to, &bytes, (count + 1) / 2);
    } else {
        const row_byte bytes = __builtin_convertvector(codes, row_byte);
        memcpy(to, &bytes, count);
    }
}

KERNEL void quantize_integer_group(const float *from, size_t count, integer_scale group, integer_kind kind,
                                   uint8_t *to) {
    for (; count >= 16; count -= 16, from += 16, to += 2 * kind.bits)
        save_integers(to, row_integers(row_load(from), group, kind), 16, kind.bits);
    if (count == 0) return;
    const row_int codes = row_integers(row_load_some(from, count), group, kind);
    save_integers(to, row_first_codes(codes, count), count, kind.bits);
}

KERNEL void quantize_integer_rows(const quern_weight_layout *layout, const float *from, size_t rows, size_t columns,
                                  const quern_weight_parts *to, integer_kind kind) {
    const size_t group = layout->group ? layout->group : columns, groups = columns / group;
    const size_t bytes = (columns * (size_t)kind.bits + 7) / 8;
    const size_t row_bytes = kind.offset ? (bytes + 3) / 4 * 4 : bytes;
    uint8_t *weight = to->weight, *scale = to->scale;
    const size_t per_word = 32 / (size_t)kind.bits;
    if (kind.has_zero_points) memset(to->zero_point, 0, (rows + per_word - 1) / per_word * groups * 4);
    for (size_t row = 0; row < rows; ++row, weight += row_bytes) {
        for (size_t i = 0; i < groups; ++i, from += group, scale += source_bytes(kind.source)) {
            const integer_scale found =
                kind.has_zero_points ? integer_asymmetric(from, group, kind) : integer_symmetric(from, group, kind);
            store_source(scale, found.scale, kind.source);
            quantize_integer_group(from, group, found, kind, weight + i * group * (size_t)kind.bits / 8);
            if (!kind.has_zero_points) continue;
            uint8_t *const word = to->zero_point + (row / per_word * groups + i) * 4;
            uint32_t packed;
            memcpy(&packed, word, sizeof packed);
            packed |= (uint32_t)((int)found.zero_point + kind.offset) << (row % per_word * (size_t)kind.bits);
            memcpy(word, &packed, sizeof packed);
        }
        memset(weight + bytes, 0, row_bytes - bytes);
    }
}

/// One function for each kind that loops depend on.
#define INTEGER_QUANTIZER(name, bits, has_zero_points, source)                                                         \
    ENCODER void name(const quern_weight_layout *layout, const float *from, size_t rows, size_t columns,              \
                      const quern_weight_parts *to, int offset) {                                                      \
        const integer_kind kind = {bits, has_zero_points, source, offset};                                             \
        quantize_integer_rows(layout, from, rows, columns, to, kind);                                                  \
    }
INTEGER_QUANTIZER(quantize_int4_f16, 4, false, quern_type_f16)
INTEGER_QUANTIZER(quantize_int4_bf16, 4, false, quern_type_bf16)
INTEGER_QUANTIZER(quantize_int4_f32, 4, false, quern_type_f32)
INTEGER_QUANTIZER(quantize_int8_f16, 8, false, quern_type_f16)
INTEGER_QUANTIZER(quantize_int8_bf16, 8, false, quern_type_bf16)
INTEGER_QUANTIZER(quantize_int8_f32, 8, false, quern_type_f32)
INTEGER_QUANTIZER(quantize_int4_zero_f16, 4, true, quern_type_f16)
INTEGER_QUANTIZER(quantize_int4_zero_bf16, 4, true, quern_type_bf16)
INTEGER_QUANTIZER(quantize_int4_zero_f32, 4, true, quern_type_f32)
INTEGER_QUANTIZER(quantize_int8_zero_f16, 8, true, quern_type_f16)
INTEGER_QUANTIZER(quantize_int8_zero_bf16, 8, true, quern_type_bf16)
INTEGER_QUANTIZER(quantize_int8_zero_f32, 8, true, quern_type_f32)
#undef INTEGER_QUANTIZER

static void quantize_integer(const quern_weight_layout *layout, const float *from, size_t rows, size_t columns,
                             const quern_weight_parts *to, int bits, int offset) {
    const int source = layout->source == quern_type_f16 ? 0 : layout->source == quern_type_bf16 ? 1 : 2;
    static void (*const quantizers[2][2][3])(const quern_weight_layout *, const float *, size_t, size_t,
                                             const quern_weight_parts *, int) = {
        {{quantize_int4_f16, quantize_int4_bf16, quantize_int4_f32},
         {quantize_int8_f16, quantize_int8_bf16, quantize_int8_f32}},
        {{quantize_int4_zero_f16, quantize_int4_zero_bf16, quantize_int4_zero_f32},
         {quantize_int8_zero_f16, quantize_int8_zero_bf16, quantize_int8_zero_f32}},
    };
    quantizers[layout->has_zero_points][bits == 8][source](layout, from, rows, columns, to, offset);
}

/// Codes, or bytes with a sign where the offset is zero.
KERNEL row_int load_integers(const uint8_t *from, size_t count, int bits, int offset) {
    if (bits == 4) {
        row_nibble_byte nibbles = 0;
        memcpy(&nibbles, from, (count + 1) / 2);
        return row_from_nibbles(nibbles);
    }
    row_byte bytes = 0;
    memcpy(&bytes, from, count);
    return offset ? __builtin_convertvector(bytes, row_int)
                  : __builtin_convertvector((row_signed_byte)bytes, row_int);
}

KERNEL void dequantize_integer_rows(const quern_weight_layout *layout, const quern_weight_parts *from, size_t rows,
                                    size_t columns, float *to, int bits, int offset) {
    const size_t group = layout->group ? layout->group : columns, groups = columns / group;
    const size_t bytes = (columns * (size_t)bits + 7) / 8, row_bytes = offset ? (bytes + 3) / 4 * 4 : bytes;
    const size_t per_word = 32 / (size_t)bits;
    const uint8_t *scale = from->scale;
    for (size_t row = 0; row < rows; ++row) {
        const uint8_t *codes = from->weight + row * row_bytes;
        for (size_t i = 0; i < groups; ++i, scale += source_bytes(layout->source)) {
            const float step = load_source(scale, layout->source);
            int zero = offset;
            if (layout->has_zero_points) {
                uint32_t packed;
                memcpy(&packed, from->zero_point + (row / per_word * groups + i) * 4, sizeof packed);
                zero = (int)((packed >> (row % per_word * (size_t)bits)) & ((1u << bits) - 1));
            }
            size_t left = group;
            for (; left >= 16; left -= 16, to += 16, codes += 2 * bits)
                row_save(to, __builtin_convertvector(load_integers(codes, 16, bits, offset) - zero, row_float) * step);
            if (left == 0) continue;
            const row_int integers = load_integers(codes, left, bits, offset) - zero;
            row_save_some(to, __builtin_convertvector(integers, row_float) * step, left);
            to += left;
            codes += left * (size_t)bits / 8;
        }
    }
}

static void dequantize_integer(const quern_weight_layout *layout, const quern_weight_parts *from, size_t rows,
                               size_t columns, float *to, int bits, int offset) {
    if (bits == 4) dequantize_integer_rows(layout, from, rows, columns, to, 4, 8);
    else if (offset) dequantize_integer_rows(layout, from, rows, columns, to, 8, 128);
    else dequantize_integer_rows(layout, from, rows, columns, to, 8, 0);
}
