// The codes of a block under one size of its scales, column by column or point by point.

/// What the values of a block are rounded to: whole numbers, uneven levels, points of a code book.
typedef enum { refine_to_whole, refine_to_levels, refine_to_points } refine_kind;

KERNEL refine_kind refine_kind_of(const refine_tile *tile) {
    return tile->points.count > 0 ? refine_to_points : tile->kind.has_levels ? refine_to_levels : refine_to_whole;
}

/// Makes the scales of an encoded block those of a trial.
/// - lane: of the block's row.
/// - usual: the unit that the encoder has found.
KERNEL void refine_resize(const refine_tile *tile, int trial, size_t lane, float usual, uint8_t *block,
                          refine_kind kind) {
    const float sizes[quern_refine_trials] = {1, 0.96f, 1.04f, 0.92f, 1.08f};
    const uint16_t unit = half_from_float(usual * sizes[trial]);
    block_set_unit(tile->type, tile->kind, block, unit);
    if (kind == refine_to_points && trial > 0) refine_quants(tile, lane, float_from_half(unit), block);
    for (int group = 0; group < tile->kind.block / tile->kind.group; ++group) {
        float *const scale = tile->scales + (size_t)group * fit_lanes + lane;
        float *const offset = tile->offsets + (size_t)group * fit_lanes + lane;
        if (kind == refine_to_points) point_scale(tile->type, tile->kind, tile->points, block, group, scale, offset);
        else grid_scale(tile->type, block, group, scale, offset);
    }
}

/// Where an earlier block has a scale beyond half precision nothing is known by which to correct.
/// - value: `weight` as corrected by earlier blocks.
KERNEL row_float refine_known(row_float value, row_float weight) { return CHOOSE(value - value == 0, value, weight); }

KERNEL row_int refine_code(row_float quotient, grid kind, bool has_levels) {
    if (!has_levels) {
        const row_float held = row_least(row_most(quotient + (float)kind.centre, 0), (float)kind.highest);
        return __builtin_convertvector((held + ROUNDING) - ROUNDING, row_int);
    }
    row_int code = 0;
    for (int i = 1; i < 16; ++i) code -= quotient >= nonlinear_threshold(i);
    return code;
}

/// What a code stands for, to be multiplied by the scale.
KERNEL row_float refine_number(row_int code, grid kind, bool has_levels) {
    if (!has_levels) return __builtin_convertvector(code, row_float) - (float)kind.centre;
    row_float level = nonlinear_level(0);
    for (int i = 1; i < 16; ++i) level = CHOOSE(code >= i, (row_float)nonlinear_level(i), level);
    return level;
}

/// Rounds a column of the block.
/// - place: in the order of the feedback, from the first of the block on.
/// - weights: what it was before all corrections.
/// - variance: D of the column.
KERNEL void refine_round(const refine_tile *tile, size_t place, size_t column, const float *weights, float variance,
                         float *losses, bool has_levels) {
    const size_t group = column / (size_t)tile->kind.group * fit_lanes;
    for (size_t lane = 0; lane < refine_lanes; lane += ROW) {
        const row_float value = row_load(tile->panel + place * fit_lanes + lane);
        const row_float scale = row_load(tile->scales + group + lane);
        const row_float offset = row_load(tile->offsets + group + lane);
        const row_float quotient = CHOOSE(scale == 0, (row_float)0, (value - offset) / scale);
        const row_int code = refine_code(quotient, tile->kind, has_levels);
        const row_float number = refine_number(code, tile->kind, has_levels) * scale + offset;
        row_save_bytes(tile->codes + column * fit_lanes + lane, __builtin_convertvector(code, row_byte));
        row_save(tile->trial + place * fit_lanes + lane, row_load(weights + lane) - number);
        const row_float left = value - number;
        row_save(losses + lane, row_load(losses + lane) + variance * (left * left));
    }
}

/// Rounds the columns of a block.
/// - first: of them in the order of the feedback.
/// - weights: of that place.
/// - losses: receives what each row loses.
KERNEL void refine_round_all(const refine_tile *tile, const quern_feedback *feedback, size_t first,
                             const float *weights, float losses[refine_lanes], refine_kind kind) {
    const size_t count = (size_t)tile->kind.block;
    for (size_t lane = 0; lane < refine_lanes; lane += ROW) {
        row_save(losses + lane, 0);
        for (size_t place = lane; place < count * fit_lanes; place += fit_lanes)
            row_save(tile->panel + place, row_load(tile->corrected + place));
    }
    if (kind == refine_to_points) refine_begin_sums(tile);
    for (size_t step = 0; step < count; step += fit_step) {
        size_t stride;
        const float *factor = refine_factor(feedback, first, first + step, &stride);
        add_products(factor, stride, tile->trial, fit_lanes, step, fit_step, refine_lanes,
                     tile->panel + step * fit_lanes, fit_lanes);
        factor += step * stride;
        if (kind == refine_to_points) {
            refine_points(tile, feedback, first, step, factor, stride, weights, losses);
            continue;
        }
        for (size_t i = 0; i < fit_step; ++i, factor += stride) {
            const size_t place = step + i;
            refine_round(tile, place, feedback->order[first + place] % count, weights + place * fit_lanes,
                         feedback->variances[first + place], losses, kind == refine_to_levels);
            add_products(factor + i + 1, stride, tile->trial + place * fit_lanes, fit_lanes, 1, fit_step - 1 - i,
                         refine_lanes, tile->panel + (place + 1) * fit_lanes, fit_lanes);
        }
    }
    if (kind == refine_to_points) refine_fit_scales(tile);
}

/// Puts the codes of a row into its block.
KERNEL void refine_store(const refine_tile *tile, const uint8_t *codes, uint8_t *block, refine_kind kind) {
    if (kind == refine_to_points) point_store(tile->type, tile->book, codes, block);
    else grid_store(tile->type, codes, block);
}
