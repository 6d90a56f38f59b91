// bitsandbytes: four-bit codes of a table for normally distributed values (NF4, Dettmers et al., "QLoRA", 2023) under the
// largest magnitude of 64 values, and bytes under the largest magnitude of a row ("LLM.int8()", 2022).

enum { nf4_group = 64 };

/// The first of two values is in the upper half of a byte.
KERNEL row_nibble_byte nf4_swapped(row_nibble_byte bytes) { return bytes << 4 | bytes >> 4; }

static void quantize_nf4(const float *from, size_t groups, const quern_weight_parts *to) {
    uint8_t *weight = to->weight;
    for (size_t group = 0; group < groups; ++group) {
        const float largest = largest_of(row_group_magnitudes(0, from, nf4_group));
        store_source(to->scale + 4 * group, largest, quern_type_f32);
        const float inverse = nf4_inverse(largest);
        for (size_t i = 0; i < nf4_group; i += 16, from += 16, weight += 8) {
            const row_nibble_byte bytes = nf4_swapped(row_nibbles(nf4_codes(row_load(from) * inverse)));
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

static void quantize_absmax8(const float *from, size_t rows, size_t columns, const quern_weight_parts *to) {
    for (size_t row = 0; row < rows; ++row, from += columns) {
        uint8_t *const weight = to->weight + row * columns;
        const float largest = largest_of(row_group_magnitudes(0, from, columns));
        store_source(to->scale + 4 * row, largest, quern_type_f32);
        const float factor = absmax8_factor(largest);
        for (size_t i = 0; i < columns; i += 16) {
            const size_t count = columns - i < 16 ? columns - i : 16;
            const row_int codes = absmax8_codes(row_load_some(from + i, count) * factor);
            const row_byte bytes = __builtin_convertvector(codes, row_byte);
            memcpy(weight + i, &bytes, count);
        }
    }
}

static void dequantize_absmax8(const quern_weight_parts *from, size_t rows, size_t columns, float *to) {
    for (size_t row = 0; row < rows; ++row) {
        const float step = absmax8_step(load_source(from->scale + 4 * row, quern_type_f32));
        for (size_t i = 0; i < columns; ++i)
            to[row * columns + i] = (float)(int8_t)from->weight[row * columns + i] * step;
    }
}
