// Rounding to nearest, and what is stored of it.

/// The magnitudes of the least and of the largest value of each group of each row, zero among them: `places` threads take
/// the values of a group in turn.
/// - lows, highs: [rows, groups, places].
extern "C" __global__ void quern_weight_ranges(quern_weight_layout layout, const float *from, size_t rows,
                                               size_t columns, size_t places, float *lows, float *highs) {
    const size_t thread = quern_thread(), groups = quern_groups(layout, columns), index = thread / places;
    if (index >= rows * groups) return;
    const size_t row = index / groups, group = index % groups, count = quern_group_columns(layout, columns, group);
    const float *const values = from + row * columns + group * quern_group_width(layout, columns);
    float low = 0, high = 0;
    for (size_t i = thread % places; i < count; i += places) {
        if (values[i] < low) low = values[i];
        if (values[i] > high) high = values[i];
    }
    lows[thread] = low < 0 ? -low : 0;
    highs[thread] = high;
}

/// A scale to a thread.
/// - seconds: zero points of integers; of MXFP4 and bitsandbytes' numbers what values are multiplied by.
extern "C" __global__ void quern_weight_scales(quern_weight_layout layout, const float *lows, const float *highs,
                                               size_t rows, size_t columns, size_t places, float *scales,
                                               float *seconds) {
    const size_t thread = quern_thread(), groups = quern_groups(layout, columns);
    const size_t first = thread / groups * layout.block_rows, group = thread % groups;
    if (first >= rows) return;
    float low = 0, high = 0;
    for (size_t row = first; row < rows && row < first + layout.block_rows; ++row) {
        const size_t start = (row * groups + group) * places;
        for (size_t i = start; i < start + places; ++i) {
            if (lows[i] > low) low = lows[i];
            if (highs[i] > high) high = highs[i];
        }
    }
    const float largest = low > high ? low : high;
    float scale = largest, second = 0;
    if (layout.has_zero_points) {
        row_float zero;
        scale = integer_scales_between(-low, high, quern_integer_kind(layout), &zero)[0];
        second = zero[0];
    } else if (quern_is_integer(layout)) {
        scale = integer_scales_around_zero(largest, quern_integer_kind(layout))[0];
    } else if (layout.numbers == quern_weight_e4m3) {
        scale = float_scale(largest, layout.source);
    } else if (layout.numbers == quern_weight_nvfp4) {
        row_byte code;
        scale = nvfp4_scales(largest, layout.global_scale, layout.source, &code)[0];
    } else if (layout.numbers == quern_weight_mxfp4) {
        scale = mxfp4_step(mxfp4_scale(largest, layout.source, &second));
    } else {
        second = layout.numbers == quern_weight_nf4 ? nf4_inverse(largest) : absmax8_factor(largest);
    }
    scales[thread] = scale;
    seconds[thread] = second;
}

KERNEL uint8_t quern_code(quern_weight_layout layout, row_float value, float scale, float second) {
    if (quern_is_integer(layout))
        return (uint8_t)row_integers(value, scale, second, quern_integer_kind(layout))[0];
    switch (layout.numbers) {
    case quern_weight_e4m3: return row_e4m3(row_in_source(value / scale, layout.source))[0];
    case quern_weight_nvfp4: return (uint8_t)row_e2m1(value / scale)[0];
    case quern_weight_mxfp4: return (uint8_t)row_e2m1(row_in_source(value * second, layout.source))[0];
    case quern_weight_nf4: return (uint8_t)nf4_codes(value * second)[0];
    default: return (uint8_t)absmax8_codes(value * second)[0];
    }
}

/// Codes of the numbers nearest to values, one to a thread.
extern "C" __global__ void quern_weight_codes(quern_weight_layout layout, const float *from, size_t rows,
                                              size_t columns, const float *scales, const float *seconds,
                                              uint8_t *codes) {
    const size_t thread = quern_thread();
    if (thread >= rows * columns) return;
    const size_t place = quern_scale_place(layout, columns, thread / columns, thread % columns);
    codes[thread] = quern_code(layout, from[thread], scales[place], seconds[place]);
}

/// The values that loaders compute, one to a thread.
extern "C" __global__ void quern_weight_values(quern_weight_layout layout, const uint8_t *codes, size_t rows,
                                               size_t columns, const float *scales, const float *seconds, float *to) {
    const size_t thread = quern_thread();
    if (thread >= rows * columns) return;
    const size_t place = quern_scale_place(layout, columns, thread / columns, thread % columns);
    const float scale = scales[place];
    const uint8_t code = codes[thread];
    if (quern_is_integer(layout)) {
        const integer_kind kind = quern_integer_kind(layout);
        const int zero = kind.offset + (kind.has_zero_points ? (int)seconds[place] : 0);
        to[thread] = (float)((kind.offset ? (int)code : (int)(int8_t)code) - zero) * scale;
    } else if (layout.numbers == quern_weight_e4m3) {
        to[thread] = row_from_e4m3(code)[0] * scale;
    } else if (layout.numbers == quern_weight_nf4) {
        to[thread] = nf4_values[code] * scale;
    } else if (layout.numbers == quern_weight_absmax8) {
        to[thread] = (float)(int8_t)code * absmax8_step(scale);
    } else {
        to[thread] = row_from_e2m1(code)[0] * scale;
    }
}

/// Codes as they are stored, a byte to a thread. Rows are filled up with zeros; those of four bits have an even number.
extern "C" __global__ void quern_weight_pack(quern_weight_layout layout, const uint8_t *codes, size_t rows,
                                             size_t columns, size_t row_bytes, uint8_t *to) {
    const size_t thread = quern_thread();
    if (thread >= rows * row_bytes) return;
    const uint8_t *const row = codes + thread / row_bytes * columns;
    if (quern_code_bits(layout) == 8) {
        const size_t column = thread % row_bytes;
        to[thread] = column < columns ? row[column] : 0;
        return;
    }
    const size_t column = thread % row_bytes * 2;
    if (column >= columns) to[thread] = 0;
    else if (layout.numbers == quern_weight_nf4) to[thread] = (uint8_t)(row[column] << 4 | row[column + 1]);
    else to[thread] = (uint8_t)(row[column + 1] << 4 | row[column]);
}

/// Scales as they are stored, one to a thread.
extern "C" __global__ void quern_weight_store_scales(quern_weight_layout layout, const float *scales, size_t count,
                                                     uint8_t *to) {
    const size_t thread = quern_thread();
    if (thread >= count) return;
    const float scale = scales[thread];
    // Exact: the scale is a number of E4M3 divided by the global scale, and dividing is undone by rounding.
    if (layout.numbers == quern_weight_nvfp4) to[thread] = row_e4m3(scale * layout.global_scale)[0];
    else if (layout.numbers == quern_weight_mxfp4) to[thread] = (uint8_t)(float_bits(scale) >> 23);
    else if (layout.numbers > quern_weight_mxfp4) store_source(to + 4 * thread, scale, quern_type_f32);
    else store_source(to + source_bytes(layout.source) * thread, scale, layout.source);
}

/// Zero points as they are stored, a word to a thread: those of some rows.
/// - to: [rows / rows in a word, groups].
extern "C" __global__ void quern_weight_store_zero_points(quern_weight_layout layout, const float *seconds, size_t rows,
                                                          size_t columns, uint32_t *to) {
    const size_t thread = quern_thread(), groups = quern_groups(layout, columns);
    const integer_kind kind = quern_integer_kind(layout);
    const size_t per_word = 32 / (size_t)kind.bits, first = thread / groups * per_word;
    if (first >= rows) return;
    uint32_t word = 0;
    for (size_t row = first; row < rows && row < first + per_word; ++row) {
        const uint32_t code = (uint32_t)((int)seconds[row * groups + thread % groups] + kind.offset);
        word |= code << ((row - first) * (size_t)kind.bits);
    }
    to[thread] = word;
}
