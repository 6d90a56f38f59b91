// bitsandbytes: four-bit codes of a table for normally distributed values (NF4, Dettmers et al., "QLoRA", 2023) under the
// largest magnitude of 64 values, and bytes under the largest magnitude of a row ("LLM.int8()", 2022).

enum { nf4_group = 64 };

/// What codes stand for, of values whose largest magnitude is one.
static const float nf4_values[16] = {
    -1.0f,                  -0.6961928009986877f,   -0.5250730514526367f,  -0.39491748809814453f,
    -0.28444138169288635f,  -0.18477343022823334f,  -0.09105003625154495f, 0.0f,
    0.07958029955625534f,   0.16093020141124725f,   0.24611230194568634f,  0.33791524171829224f,
    0.44070982933044434f,   0.5626170039176941f,    0.7229568362236023f,   1.0f,
};

/// Codes are counted up by the middles between neighbours.
KERNEL row_int nf4_codes(row_float values) {
    row_int codes = 0;
    for (int i = 0; i < 15; ++i) codes -= values > (row_float)((nf4_values[i] + nf4_values[i + 1]) / 2);
    return codes;
}

/// The first of two values is in the upper half of a byte.
KERNEL row_nibble_byte nf4_swapped(row_nibble_byte bytes) { return bytes << 4 | bytes >> 4; }

static void quantize_nf4(const float *from, size_t groups, const quern_weight_parts *to) {
    uint8_t *weight = to->weight;
    for (size_t group = 0; group < groups; ++group) {
        const float largest = largest_of(row_group_magnitudes(0, from, nf4_group));
        store_source(to->scale + 4 * group, largest, quern_type_f32);
        const row_float inverse = 1.0f / (largest < 1e-38f ? 1e-38f : largest);
        for (size_t i = 0; i < nf4_group; i += 16, from += 16, weight += 8) {
            const row_float scaled = row_least(row_most(row_load(from) * inverse, -1.0f), 1.0f);
            const row_nibble_byte bytes = nf4_swapped(row_nibbles(nf4_codes(scaled)));
            memcpy(weight, &bytes, sizeof bytes);
        }
    }
}

static void dequantize_nf4(const quern_weight_parts *from, size_t groups, float *to) {
    const uint8_t *weight = from->weight;
    for (size_t group = 0; group < groups; ++group) {
        const float step = load_source(from->scale + 4 * group, quern_type_f32);
        for (size_t i = 0; i < nf4_group; i += 2, to += 2, ++weight) {
            to[0] = nf4_values[*weight >> 4] * step;
            to[1] = nf4_values[*weight & 15] * step;
        }
    }
}

/// Rows of zeros have a scale of zero.
static void quantize_absmax8(const float *from, size_t rows, size_t columns, const quern_weight_parts *to) {
    for (size_t row = 0; row < rows; ++row, from += columns) {
        uint8_t *const weight = to->weight + row * columns;
        const float largest = largest_of(row_group_magnitudes(0, from, columns));
        store_source(to->scale + 4 * row, largest, quern_type_f32);
        const float factor = 1.0f / (largest < 1e-30f ? 1e-30f : largest) * 127.0f;
        for (size_t i = 0; i < columns; i += 16) {
            const size_t count = columns - i < 16 ? columns - i : 16;
            const row_float values = row_load_some(from + i, count) * factor;
            const row_byte bytes = __builtin_convertvector((row_int)(values + ROUNDING) & 0xff, row_byte);
            memcpy(weight + i, &bytes, count);
        }
    }
}

static void dequantize_absmax8(const quern_weight_parts *from, size_t rows, size_t columns, float *to) {
    for (size_t row = 0; row < rows; ++row) {
        const float step = load_source(from->scale + 4 * row, quern_type_f32) / 127;
        for (size_t i = 0; i < columns; ++i)
            to[row * columns + i] = (float)(int8_t)from->weight[row * columns + i] * step;
    }
}
