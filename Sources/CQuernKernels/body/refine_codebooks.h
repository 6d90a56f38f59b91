// The columns of a block with a code book, point after point, and the scales of such blocks.
//
// Scales are those of the type's encoder at first; then each trial has those that fit the points of the one before.

/// The signs of eight columns that could have any values; where the number of negative ones is odd the value whose
/// sign matters least changes it.
KERNEL void point_even_signs(const refine_tile *tile, size_t place, const float *weights, const float *factor,
                             size_t stride, const float *variances, row_int signs[8][point_parts]) {
    for (int part = 0; part < point_parts; ++part) {
        row_float values[8], least = 0;
        row_int parity = 0, lightest = 0;
        for (int i = 0; i < 8; ++i) values[i] = row_load(tile->panel + (place + i) * fit_lanes + ROW * part);
        for (int i = 0; i < 8; ++i) {
            const row_float value = values[i];
            const row_float difference = row_load(weights + i * fit_lanes + ROW * part) - value;
            for (int k = i + 1; k < 8; ++k) values[k] += factor[i * stride + k] * difference;
            const row_float weight = variances[i] * (value * value);
            const row_int lighter = i == 0 ? (row_int)-1 : weight < least;
            least = CHOOSE(lighter, weight, least);
            lightest = CHOOSE(lighter, (row_int)i, lightest);
            signs[i][part] = row_sign(value);
            parity ^= signs[i][part];
        }
        for (int i = 0; i < 8; ++i) signs[i][part] ^= parity & (lightest == i);
    }
}

KERNEL void point_load(point_group *group, const refine_tile *tile, size_t place, size_t column,
                       const float *weights) {
    const size_t scale_group = column / (size_t)tile->kind.group * fit_lanes;
    for (int part = 0; part < point_parts; ++part) {
        const row_float scale = row_load(tile->scales + scale_group + ROW * part);
        const row_float offset = row_load(tile->offsets + scale_group + ROW * part);
        for (int l = 0; l < point_levels; ++l)
            group->numbers[l][part] = (tile->points.numbers[l] + offset) * scale;
        for (int i = 0; i < tile->points.count; ++i) {
            group->targets[i][part] = row_load(tile->panel + (place + (size_t)i) * fit_lanes + ROW * part);
            group->weights[i][part] = row_load(weights + (size_t)i * fit_lanes + ROW * part);
        }
    }
}

/// Puts away what the columns of a point were rounded to.
KERNEL void point_save(const point_group *group, const refine_tile *tile, size_t place, size_t column,
                       float *losses) {
    const size_t shared = column / (size_t)tile->points.sharing * fit_lanes;
    for (int part = 0; part < point_parts; ++part) {
        float *const products = tile->products + shared + ROW * part;
        float *const squares = tile->squares + shared + ROW * part;
        for (int i = 0; i < tile->points.count; ++i) {
            const row_float rounded = group->rounded[i][part], weighed = group->variances[i] * rounded;
            row_save(tile->trial + (place + (size_t)i) * fit_lanes + ROW * part, group->weights[i][part] - rounded);
            row_save_bytes(tile->codes + (column + (size_t)i) * fit_lanes + ROW * part,
                           __builtin_convertvector(group->codes[i][part], row_byte));
            row_save(products, row_load(products) + weighed * group->corrected[i][part]);
            row_save(squares, row_load(squares) + weighed * rounded);
        }
        row_save(losses + ROW * part, row_load(losses + ROW * part) + group->loss[part]);
    }
}

/// Chooses a point of the type's book.
KERNEL void refine_point(point_group *group, point_grid points) {
    if (points.signs == signs_none) choose_ternary(group);
    else if (points.bits == 3 && points.signs == signs_even) choose_four_even(group);
    else if (points.bits == 3) choose_four(group);
    else if (points.signs == signs_even) choose_eight_even(group);
    else choose_eight(group);
}

/// Rounds FIT_STEP columns of a block, point after point.
/// - step: the place of the first of them, from the first of the block on.
/// - factor: V from that column on.
KERNEL void refine_points(const refine_tile *tile, const quern_feedback *feedback, size_t first, size_t step,
                          const float *factor, size_t stride, const float *weights, float *losses) {
    const point_grid points = tile->points;
    const size_t count = (size_t)points.count;
    row_int signs[8][point_parts];
    for (size_t i = 0; i < fit_step; i += count) {
        const size_t place = step + i, column = feedback->order[first + place] % refine_block;
        const float *const own = factor + i * stride + i, *const variances = feedback->variances + first + place;
        if (points.signs == signs_even && i % 8 == 0)
            point_even_signs(tile, place, weights + place * fit_lanes, own, stride, variances, signs);
        point_group group = {.book = tile->book};
        point_load(&group, tile, place, column, weights + place * fit_lanes);
        if (points.signs == signs_even) memcpy(group.signs, signs + i % 8, count * sizeof *signs);
        for (size_t k = 0; k < count; ++k) {
            memcpy(group.factor[k], own + k * stride, count * sizeof(float));
            group.variances[k] = variances[k];
        }
        refine_point(&group, points);
        point_save(&group, tile, place, column, losses);
        const size_t next = i + count;
        add_products(own + count, stride, tile->trial + place * fit_lanes, fit_lanes, count, fit_step - next,
                     refine_lanes, tile->panel + (step + next) * fit_lanes, fit_lanes);
    }
}

/// Before the points of a trial are chosen.
KERNEL void refine_begin_sums(const refine_tile *tile) {
    for (size_t shared = 0; shared < refine_groups; ++shared) {
        for (size_t lane = 0; lane < refine_lanes; lane += ROW) {
            row_save(tile->products + shared * fit_lanes + lane, 0);
            row_save(tile->squares + shared * fit_lanes + lane, 0);
        }
    }
}

/// Fits scales to the points of a trial.
KERNEL void refine_fit_scales(const refine_tile *tile) {
    const size_t sharing = (size_t)tile->points.sharing, groups = sharing / (size_t)tile->kind.group;
    for (size_t shared = 0; shared < refine_block / sharing; ++shared) {
        for (size_t lane = 0; lane < refine_lanes; lane += ROW) {
            const row_float products = row_load(tile->products + shared * fit_lanes + lane);
            const row_float squares = row_load(tile->squares + shared * fit_lanes + lane);
            const row_float scale = row_load(tile->scales + shared * groups * fit_lanes + lane);
            row_save(tile->fitted + shared * fit_lanes + lane, CHOOSE(squares > 0, scale * (products / squares), scale));
        }
    }
}

/// Sets the quants of a block's scales to those nearest to the fitted scales.
KERNEL void refine_quants(const refine_tile *tile, size_t lane, float unit, uint8_t *block) {
    for (int shared = 0; shared < refine_block / tile->points.sharing; ++shared) {
        const float scale = tile->fitted[(size_t)shared * fit_lanes + lane];
        const float quant = 0.5f * (scale / (unit * tile->points.factor) - 1.0f);
        // Not a number where both are zero.
        const float held = quant > 0 ? quant < (float)tile->points.highest ? quant : (float)tile->points.highest : 0;
        point_set_quant(tile->type, tile->points, block, shared, (int)((held + ROUNDING) - ROUNDING));
    }
}

/// The importance of a column for the search of its scale: √(importance · D), between what errors matter by themselves and
/// what they do when later columns make good what they can.
/// - place: of the column in the order of the feedback.
KERNEL float refine_weight(const quern_feedback *feedback, size_t place, const float *importance) {
    return __builtin_sqrtf(importance[feedback->first + feedback->order[place]] * feedback->variances[place]);
}
