// The columns of a block with a code book, point after point, and the scales of such blocks.
//
// Scales are those of the type's encoder at first; then each trial has those that fit the points of the one before.

/// The signs of eight columns that could have any values; where the number of negative ones is odd the value whose
/// sign matters least changes it.
KERNEL void point_even_signs(const refine_space *space, size_t place, const float *weights, const float *factor,
                             size_t stride, const float *variances, row_int signs[8][point_parts]) {
    for (int part = 0; part < point_parts; ++part) {
        row_float values[8], least = 0;
        row_int parity = 0, lightest = 0;
        for (int i = 0; i < 8; ++i) values[i] = row_load(space->panel + (place + i) * fit_lanes + 16 * part);
        for (int i = 0; i < 8; ++i) {
            const row_float value = values[i];
            const row_float difference = row_load(weights + i * fit_lanes + 16 * part) - value;
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

KERNEL void point_load(point_group *group, const refine_space *space, size_t place, size_t column,
                       const float *weights) {
    const size_t scale_group = column / (size_t)space->kind.group * fit_lanes;
    for (int part = 0; part < point_parts; ++part) {
        const row_float scale = row_load(space->scales + scale_group + 16 * part);
        const row_float offset = row_load(space->offsets + scale_group + 16 * part);
        for (int l = 0; l < point_levels; ++l)
            group->numbers[l][part] = (space->points.numbers[l] + offset) * scale;
        for (int i = 0; i < space->points.count; ++i) {
            group->targets[i][part] = row_load(space->panel + (place + (size_t)i) * fit_lanes + 16 * part);
            group->weights[i][part] = row_load(weights + (size_t)i * fit_lanes + 16 * part);
        }
    }
}

/// Puts away what the columns of a point were rounded to.
KERNEL void point_save(const point_group *group, const refine_space *space, size_t place, size_t column,
                       float *losses) {
    const size_t shared = column / (size_t)space->points.sharing * fit_lanes;
    for (int part = 0; part < point_parts; ++part) {
        float *const products = space->products + shared + 16 * part;
        float *const squares = space->squares + shared + 16 * part;
        for (int i = 0; i < space->points.count; ++i) {
            const row_float rounded = group->rounded[i][part], weighed = group->variances[i] * rounded;
            row_save(space->trial + (place + (size_t)i) * fit_lanes + 16 * part, group->weights[i][part] - rounded);
            row_save_bytes(space->codes + (column + (size_t)i) * fit_lanes + 16 * part,
                           __builtin_convertvector(group->codes[i][part], row_byte));
            row_save(products, row_load(products) + weighed * group->corrected[i][part]);
            row_save(squares, row_load(squares) + weighed * rounded);
        }
        row_save(losses + 16 * part, row_load(losses + 16 * part) + group->loss[part]);
    }
}

/// Rounds FIT_STEP columns of a block, point after point.
/// - step: the place of the first of them, from the first of the block on.
/// - factor: V from that column on.
KERNEL void refine_points(const refine_space *space, const quern_feedback *feedback, size_t first, size_t step,
                          const float *factor, size_t stride, const float *weights, float *losses) {
    static void (*const choices[2][3])(point_group *) = {
        {choose_ternary, choose_eight, choose_eight_even},
        {NULL, choose_four, choose_four_even},
    };
    const point_grid points = space->points;
    const size_t count = (size_t)points.count;
    row_int signs[8][point_parts];
    for (size_t i = 0; i < fit_step; i += count) {
        const size_t place = step + i, column = feedback->order[first + place] % refine_block;
        const float *const own = factor + i * stride + i, *const variances = feedback->variances + first + place;
        if (points.signs == signs_even && i % 8 == 0)
            point_even_signs(space, place, weights + place * fit_lanes, own, stride, variances, signs);
        point_group group = {.book = space->book};
        point_load(&group, space, place, column, weights + place * fit_lanes);
        if (points.signs == signs_even) memcpy(group.signs, signs + i % 8, count * sizeof *signs);
        for (size_t k = 0; k < count; ++k) {
            memcpy(group.factor[k], own + k * stride, count * sizeof(float));
            group.variances[k] = variances[k];
        }
        choices[points.bits == 3][points.signs](&group);
        point_save(&group, space, place, column, losses);
        const size_t next = i + count;
        add_products(own + count, stride, space->trial + place * fit_lanes, fit_lanes, count, fit_step - next,
                     fit_lanes, space->panel + (step + next) * fit_lanes, fit_lanes);
    }
}

/// Before the points of a trial are chosen.
KERNEL void refine_begin_sums(const refine_space *space) {
    memset(space->products, 0, refine_groups * fit_lanes * sizeof(float));
    memset(space->squares, 0, refine_groups * fit_lanes * sizeof(float));
}

/// Fits scales to the points of a trial.
KERNEL void refine_fit_scales(const refine_space *space) {
    const size_t sharing = (size_t)space->points.sharing, groups = sharing / (size_t)space->kind.group;
    for (size_t shared = 0; shared < refine_block / sharing; ++shared) {
        for (size_t lane = 0; lane < fit_lanes; lane += 16) {
            const row_float products = row_load(space->products + shared * fit_lanes + lane);
            const row_float squares = row_load(space->squares + shared * fit_lanes + lane);
            const row_float scale = row_load(space->scales + shared * groups * fit_lanes + lane);
            row_save(space->fitted + shared * fit_lanes + lane, CHOOSE(squares > 0, scale * (products / squares), scale));
        }
    }
}

/// Sets the quants of a block's scales to those nearest to the fitted scales.
KERNEL void refine_quants(const refine_space *space, size_t lane, float unit, uint8_t *block) {
    for (int shared = 0; shared < refine_block / space->points.sharing; ++shared) {
        const float scale = space->fitted[(size_t)shared * fit_lanes + lane];
        const float quant = 0.5f * (scale / (unit * space->points.factor) - 1.0f);
        // Not a number where both are zero.
        const float held = quant > 0 ? quant < (float)space->points.highest ? quant : (float)space->points.highest : 0;
        point_set_quant(space->type, space->points, block, shared, (int)((held + ROUNDING) - ROUNDING));
    }
}

/// The importance of a block's columns for the search of its scales: √(importance · D), between what errors matter by
/// themselves and what they do when later columns make good what they can.
KERNEL void refine_weigh(const quern_feedback *feedback, size_t first, size_t count, const float *importance,
                         float *to) {
    for (size_t place = first; place < first + count; ++place) {
        const size_t column = feedback->order[place] % count;
        to[column] = __builtin_sqrtf(importance[column] * feedback->variances[place]);
    }
}
