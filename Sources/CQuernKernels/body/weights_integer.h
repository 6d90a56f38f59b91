// compressed-tensors `pack-quantized` and `int-quantized`: integers under a scale for each group of a row.
//
// Codes are unsigned: the integer + 2^(bits − 1) where they are packed, two's complement in bytes of their own.

/// Groups whose scales are computed side by side: one for each place of a row of values.
enum { scale_chunk = 16 };

typedef struct {
    float scales[scale_chunk];
    /// Whole numbers; zero without zero points.
    float zero_points[scale_chunk];
} integer_scales;

KERNEL void integer_symmetric(const float *from, size_t group, size_t groups, integer_kind kind, integer_scales *to) {
    for (size_t i = 0; i < groups; ++i) to->scales[i] = largest_of(row_group_magnitudes(0, from + i * group, group));
    row_save(to->scales, integer_scales_around_zero(row_load(to->scales), kind));
}

KERNEL void integer_asymmetric(const float *from, size_t group, size_t groups, integer_kind kind, integer_scales *to) {
    float lows[scale_chunk] = {0}, highs[scale_chunk] = {0};
    for (size_t i = 0; i < groups; ++i) {
        row_float low = 0, high = 0;
        for (size_t place = 0; place < group; place += 16) {
            const row_float values = row_load_some(from + i * group + place, group - place);
            low = row_least(values, low);
            high = row_most(values, high);
        }
        // Without signs, floats are ordered as their bits are.
        lows[i] = -largest_of((row_int)low & 0x7fffffff);
        highs[i] = largest_of((row_int)high);
    }
    row_float zero_points;
    row_save(to->scales, integer_scales_between(row_load(lows), row_load(highs), kind, &zero_points));
    row_save(to->zero_points, zero_points);
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

KERNEL void quantize_integer_group(const float *from, size_t count, float scale, float zero_point, integer_kind kind,
                                   uint8_t *to) {
    for (; count >= 16; count -= 16, from += 16, to += 2 * kind.bits)
        save_integers(to, row_integers(row_load(from), scale, zero_point, kind), 16, kind.bits);
    if (count == 0) return;
    const row_int codes = row_integers(row_load_some(from, count), scale, zero_point, kind);
    save_integers(to, row_first_codes(codes, count), count, kind.bits);
}

KERNEL void quantize_integer_rows(const quern_weight_layout *layout, const float *from, size_t rows, size_t columns,
                                  const quern_weight_parts *to, integer_kind kind) {
    const size_t group = layout->group ? layout->group : columns, groups = columns / group;
    const size_t group_bytes = group * (size_t)kind.bits / 8, bytes = (columns * (size_t)kind.bits + 7) / 8;
    const size_t row_bytes = kind.offset ? (bytes + 3) / 4 * 4 : bytes, per_word = 32 / (size_t)kind.bits;
    uint8_t *weight = to->weight, *scale = to->scale;
    if (kind.has_zero_points) memset(to->zero_point, 0, (rows + per_word - 1) / per_word * groups * 4);
    for (size_t row = 0; row < rows; ++row, weight += row_bytes) {
        for (size_t first = 0; first < groups; first += scale_chunk) {
            const size_t count = groups - first < scale_chunk ? groups - first : scale_chunk;
            integer_scales found = {{0}, {0}};
            if (kind.has_zero_points) integer_asymmetric(from, group, count, kind, &found);
            else integer_symmetric(from, group, count, kind, &found);
            for (size_t i = 0; i < count; ++i, from += group, scale += source_bytes(kind.source)) {
                store_source(scale, found.scales[i], kind.source);
                quantize_integer_group(from, group, found.scales[i], found.zero_points[i], kind,
                                       weight + (first + i) * group_bytes);
                if (!kind.has_zero_points) continue;
                uint8_t *const word = to->zero_point + (row / per_word * groups + first + i) * 4;
                uint32_t packed;
                memcpy(&packed, word, sizeof packed);
                packed |= (uint32_t)((int)found.zero_points[i] + kind.offset) << (row % per_word * (size_t)kind.bits);
                memcpy(word, &packed, sizeof packed);
            }
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
