// Weights rounded so that what the layer puts out changes least, as `fit_weights.h` has it. Rows lie in tiles of
// `fit_lanes`, [tiles, columns, lanes], so that neighbouring threads have neighbouring rows.

/// Rows in tiles; those beyond the last are zero.
extern "C" __global__ void quern_fit_tiles(const float *from, size_t rows, size_t columns, float *to) {
    const size_t thread = quern_thread(), column = thread / fit_lanes % columns;
    const size_t tile = thread / fit_lanes / columns, row = tile * fit_lanes + thread % fit_lanes;
    if (tile * fit_lanes >= rows) return;
    to[thread] = row < rows ? from[row * columns + column] : 0;
}

/// Searches a scale, and a zero point, for each group of each row.
/// - importance: a value for each column, or null.
extern "C" __global__ void quern_fit_scales(quern_weight_layout layout, const float *tiles, size_t rows,
                                            size_t columns, const float *importance, float *scales, float *seconds) {
    const size_t thread = quern_thread(), groups = quern_groups(layout, columns), lane = thread % fit_lanes;
    const size_t group = thread / fit_lanes % groups, tile = thread / fit_lanes / groups;
    const size_t row = tile * fit_lanes + lane;
    if (row >= rows) return;
    const size_t first = group * quern_group_width(layout, columns);
    const size_t count = quern_group_columns(layout, columns, group);
    const float *const weights = tiles + (tile * columns + first) * fit_lanes + lane;
    const float *const weighing = importance ? importance + first : nullptr;
    const fit_kind kind = quern_fit_kind(layout);
    const fit_choice found = layout.numbers == quern_weight_mxfp4
        ? fit_search_powers(weights, weighing, count, kind)
        : fit_search(weights, weighing, count, layout.global_scale, kind);
    scales[row * groups + group] = found.scale[0];
    seconds[row * groups + group] = found.zero[0];
}

/// Rounds a value of a column of a row.
/// - Returns: the difference of the weight from its number.
KERNEL float quern_fit_round(quern_weight_layout layout, size_t columns, size_t row, size_t column, row_float value,
                             float weight, const float *scales, const float *seconds, uint8_t *codes) {
    const size_t place = quern_scale_place(layout, columns, row, column);
    const fit_kind kind = quern_fit_kind(layout);
    const row_float scale = scales[place], zero = kind.has_zero_points ? seconds[place] : 0;
    const row_int found = fit_codes(value / scale, zero, kind);
    codes[row * columns + column] = fit_stored((uint8_t)found[0], kind);
    return (row_float(weight) - fit_number(found, zero, kind) * scale)[0];
}

/// Codes under scales that were searched, one to a thread.
extern "C" __global__ void quern_fit_codes(quern_weight_layout layout, const float *tiles, size_t rows, size_t columns,
                                           const float *scales, const float *seconds, uint8_t *codes) {
    const size_t thread = quern_thread(), column = thread / fit_lanes % columns;
    const size_t row = thread / fit_lanes / columns * fit_lanes + thread % fit_lanes;
    if (row < rows)
        quern_fit_round(layout, columns, row, column, tiles[thread], tiles[thread], scales, seconds, codes);
}

/// The values of a panel's columns after what the panels before have fed into them, up to `fit_step` of a row to a thread.
/// - block, order: see `quern_feedback`.
/// - panel: rows of V, `first` of earlier panels and `width` of its own.
/// - differences: of the columns before, [tiles, columns, lanes], in the order in which they were rounded.
/// - to: [tiles, fit_panel, lanes].
extern "C" __global__ void quern_fit_panel(const float *tiles, size_t rows, size_t columns, size_t block,
                                           const uint32_t *order, const float *panel, size_t first, size_t width,
                                           const float *differences, float *to) {
    const size_t thread = quern_thread(), lane = thread % fit_lanes, steps = (width + fit_step - 1) / fit_step;
    const size_t step = thread / fit_lanes % steps * fit_step, tile = thread / fit_lanes / steps;
    if (tile * fit_lanes + lane >= rows) return;
    const float *const weights = tiles + (tile * columns + block) * fit_lanes + lane;
    const float *const before = differences + (tile * columns + block) * fit_lanes + lane;
    const size_t count = width - step < fit_step ? width - step : (size_t)fit_step;
    float *const values = to + (tile * fit_panel + step) * fit_lanes + lane;
    for (size_t i = 0; i < count; ++i) values[i * fit_lanes] = weights[order[first + step + i] * fit_lanes];
    add_products(panel + step, width, before, fit_lanes, first, count, 1, values, fit_lanes);
}

/// Rounds the columns of a panel, one after the other, a row to a thread.
/// - own: the panel's own rows of V, [width, width].
/// - values: what `quern_fit_panel` has made of them.
extern "C" __global__ void quern_fit_round_panel(quern_weight_layout layout, const float *tiles, size_t rows,
                                                 size_t columns, size_t block, const uint32_t *order, const float *own,
                                                 size_t first, size_t width, const float *values, const float *scales,
                                                 const float *seconds, float *differences, uint8_t *codes) {
    const size_t row = quern_thread(), tile = row / fit_lanes, lane = row % fit_lanes;
    if (row >= rows) return;
    const float *const weights = tiles + tile * columns * fit_lanes + lane;
    const float *const from = values + tile * fit_panel * fit_lanes + lane;
    float *const to = differences + (tile * columns + block + first) * fit_lanes + lane;
    for (size_t step = 0; step < width; step += fit_step) {
        const size_t count = width - step < fit_step ? width - step : (size_t)fit_step;
        float sums[fit_step];
        UNROLL for (size_t i = 0; i < fit_step; ++i) sums[i] = i < count ? from[(step + i) * fit_lanes] : 0;
        for (size_t k = 0; k < step; ++k) {
            const float difference = to[k * fit_lanes];
            const float *const factors = own + k * width + step;
            UNROLL for (size_t i = 0; i < fit_step; ++i)
                if (i < count) sums[i] = sums[i] + factors[i] * difference;
        }
        UNROLL for (size_t i = 0; i < fit_step; ++i) {
            if (i >= count) continue;
            const size_t column = block + order[first + step + i];
            const float difference = quern_fit_round(layout, columns, row, column, sums[i],
                                                     weights[column * fit_lanes], scales, seconds, codes);
            to[(step + i) * fit_lanes] = difference;
            const float *const factors = own + (step + i) * width + step;
            UNROLL for (size_t j = 0; j < fit_step; ++j)
                if (j > i && j < count) sums[j] = sums[j] + factors[j] * difference;
        }
    }
}
