// compressed-tensors `float-quantized`: FP8 E4M3 under a scale for each row, or for each block of rows and columns,
// which at the edges may be smaller.

KERNEL void quantize_float_segment(const float *from, size_t count, float scale, uint32_t source, uint8_t *to) {
    for (; count >= 16; count -= 16, from += 16, to += 16)
        row_save_bytes(to, row_e4m3(row_in_source(row_load(from) / scale, source)));
    if (count == 0) return;
    const row_byte codes = row_e4m3(row_in_source(row_load_some(from, count) / scale, source));
    memcpy(to, &codes, count);
}

KERNEL void quantize_float_rows(const quern_weight_layout *layout, const float *from, size_t rows, size_t columns,
                                const quern_weight_parts *to, uint32_t source) {
    const size_t width = layout->group ? layout->group : columns, height = layout->block_rows;
    uint8_t *scale = to->scale;
    for (size_t top = 0; top < rows; top += height) {
        const size_t bottom = rows - top < height ? rows : top + height;
        for (size_t left = 0; left < columns; left += width, scale += source_bytes(source)) {
            const size_t count = columns - left < width ? columns - left : width;
            row_int magnitudes = 0;
            for (size_t row = top; row < bottom; ++row)
                magnitudes = row_group_magnitudes(magnitudes, from + row * columns + left, count);
            const float step = float_scale(largest_of(magnitudes), source);
            store_source(scale, step, source);
            for (size_t row = top; row < bottom; ++row) {
                const size_t place = row * columns + left;
                quantize_float_segment(from + place, count, step, source, to->weight + place);
            }
        }
    }
}

ENCODER void quantize_float_f16(const quern_weight_layout *layout, const float *from, size_t rows, size_t columns,
                                const quern_weight_parts *to) {
    quantize_float_rows(layout, from, rows, columns, to, quern_type_f16);
}

ENCODER void quantize_float_bf16(const quern_weight_layout *layout, const float *from, size_t rows, size_t columns,
                                 const quern_weight_parts *to) {
    quantize_float_rows(layout, from, rows, columns, to, quern_type_bf16);
}

ENCODER void quantize_float_f32(const quern_weight_layout *layout, const float *from, size_t rows, size_t columns,
                                const quern_weight_parts *to) {
    quantize_float_rows(layout, from, rows, columns, to, quern_type_f32);
}

static void dequantize_float(const quern_weight_layout *layout, const quern_weight_parts *from, size_t rows,
                             size_t columns, float *to) {
    const size_t width = layout->group ? layout->group : columns;
    const size_t blocks = (columns + width - 1) / width, scale_bytes = source_bytes(layout->source);
    const uint8_t *codes = from->weight;
    for (size_t row = 0; row < rows; ++row) {
        const uint8_t *scale = from->scale + row / layout->block_rows * blocks * scale_bytes;
        for (size_t left = 0; left < columns; left += width, scale += scale_bytes) {
            const float step = load_source(scale, layout->source);
            size_t count = columns - left < width ? columns - left : width;
            for (; count >= 16; count -= 16, codes += 16, to += 16)
                row_save(to, row_from_e4m3(row_load_bytes(codes)) * step);
            if (count == 0) continue;
            row_byte rest = 0;
            memcpy(&rest, codes, count);
            row_save_some(to, row_from_e4m3(rest) * step, count);
            codes += count;
            to += count;
        }
    }
}
