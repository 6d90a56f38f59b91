// Blocks of GGUF types whose columns make good the rounding errors of those before them.
//
// GPTQ in the form of successive rounding, as in fit_weights.h, but scales belong to blocks: when the first column of a
// block comes up, all its columns are corrected by what is known so far and given to the type's usual encoder, which finds
// the scales. Then the codes of the block are chosen column by column, or where columns share points of a code book point by
// point (refine_codebooks.h). With H = V D Vᵀ the loss is Σ D_j (what is left of column j when it is rounded)²: of a few
// sizes of the block's scales the one with the least of it is kept.

/// Sizes of scales that are tried, the encoder's own among them. More of them gain less than a hundredth.
enum { refine_trials = 5 };

/// What the values of a block are rounded to: whole numbers, uneven levels, points of a code book.
typedef enum { refine_to_whole, refine_to_levels, refine_to_points } refine_kind;

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
KERNEL void refine_round(const refine_space *space, size_t place, size_t column, const float *weights, float variance,
                         float *losses, bool has_levels) {
    const size_t group = column / (size_t)space->kind.group * fit_lanes;
    for (size_t lane = 0; lane < fit_lanes; lane += 16) {
        const row_float value = row_load(space->panel + place * fit_lanes + lane);
        const row_float scale = row_load(space->scales + group + lane);
        const row_float offset = row_load(space->offsets + group + lane);
        const row_float quotient = CHOOSE(scale == 0, (row_float)0, (value - offset) / scale);
        const row_int code = refine_code(quotient, space->kind, has_levels);
        const row_float number = refine_number(code, space->kind, has_levels) * scale + offset;
        row_save_bytes(space->codes + column * fit_lanes + lane, __builtin_convertvector(code, row_byte));
        row_save(space->trial + place * fit_lanes + lane, row_load(weights + lane) - number);
        const row_float left = value - number;
        row_save(losses + lane, row_load(losses + lane) + variance * (left * left));
    }
}

/// Rounds the columns of a block.
/// - first: of them in the order of the feedback.
/// - weights: of that place.
/// - losses: receives what each row loses.
KERNEL void refine_round_all(const refine_space *space, const quern_feedback *feedback, size_t first,
                             const float *weights, float losses[fit_lanes], refine_kind kind) {
    const size_t count = (size_t)space->kind.block;
    memcpy(space->panel, space->corrected, count * fit_lanes * sizeof(float));
    memset(losses, 0, fit_lanes * sizeof(float));
    if (kind == refine_to_points) refine_begin_sums(space);
    for (size_t step = 0; step < count; step += fit_step) {
        size_t stride;
        const float *factor = refine_factor(feedback, first, first + step, &stride);
        add_products(factor, stride, space->trial, fit_lanes, step, fit_step, fit_lanes,
                     space->panel + step * fit_lanes, fit_lanes);
        factor += step * stride;
        if (kind == refine_to_points) {
            refine_points(space, feedback, first, step, factor, stride, weights, losses);
            continue;
        }
        for (size_t i = 0; i < fit_step; ++i, factor += stride) {
            const size_t place = step + i;
            refine_round(space, place, feedback->order[first + place] % count, weights + place * fit_lanes,
                         feedback->variances[first + place], losses, kind == refine_to_levels);
            add_products(factor + i + 1, stride, space->trial + place * fit_lanes, fit_lanes, 1, fit_step - 1 - i,
                         fit_lanes, space->panel + (place + 1) * fit_lanes, fit_lanes);
        }
    }
    if (kind == refine_to_points) refine_fit_scales(space);
}

static bool encode(uint32_t type, const float *from, size_t rows, size_t columns, const float *importance,
                   uint8_t *to);

/// Corrects the columns of a block in all rows by the errors of earlier blocks: the factor, which is larger than any
/// cache, is gone through once for all.
static void refine_correct(const refine_space *space, const quern_feedback *feedback, size_t first, size_t tiles) {
    const size_t count = (size_t)space->kind.block, panel = count < fit_panel ? count : fit_panel;
    for (size_t tile = 0; tile < tiles; ++tile) {
        const float *const weights = space->weights + (tile * space->columns + first) * fit_lanes;
        for (size_t place = 0; place < count; ++place)
            memcpy(space->corrections + place * fit_rows + tile * fit_lanes, weights + place * fit_lanes,
                   fit_lanes * sizeof(float));
    }
    for (size_t begin = 0; begin < count; begin += fit_panel) {
        size_t stride;
        const float *const factor = refine_factor(feedback, 0, first + begin, &stride);
        add_products(factor, stride, space->differences, fit_rows, first, panel,
                     tiles * fit_lanes, space->corrections + begin * fit_rows, fit_rows);
    }
}

/// Has the corrected columns of a block encoded.
/// - corrections: of the rows of a tile.
static void refine_search(const refine_space *space, const quern_feedback *feedback, size_t first,
                          const float *weights, const float *corrections, refine_kind kind) {
    const size_t count = (size_t)space->kind.block;
    // Where an earlier block has a scale beyond half precision nothing is known by which to correct.
    for (size_t place = 0; place < count; ++place) {
        for (size_t lane = 0; lane < fit_lanes; lane += 16) {
            const row_float weight = row_load(weights + place * fit_lanes + lane);
            const row_float value = row_load(corrections + place * fit_rows + lane);
            row_save(space->corrected + place * fit_lanes + lane, CHOOSE(value - value == 0, value, weight));
        }
    }
    for (size_t place = 0; place < count; ++place) {
        float *const to = space->natural + feedback->order[first + place] % count;
        for (size_t lane = 0; lane < fit_lanes; ++lane) to[lane * count] = space->corrected[place * fit_lanes + lane];
    }
    const size_t column = feedback->first + feedback->order[first] / count * count;
    const float *importance = space->importance ? space->importance + column : NULL;
    float weighed[refine_block];
    if (importance && kind == refine_to_points) {
        refine_weigh(feedback, first, count, importance, weighed);
        importance = weighed;
    }
    encode(space->type, space->natural, fit_lanes, count, importance, space->blocks);
}

/// Chooses the codes of a block for the rows of a tile; `kept` has their scales afterwards, `best` the codes.
KERNEL void refine_choose(const refine_space *space, const quern_feedback *feedback, size_t first,
                          const float *weights, float *differences, refine_kind kind) {
    static const float sizes[refine_trials] = {1, 0.96f, 1.04f, 0.92f, 1.08f};
    const size_t count = (size_t)space->kind.block, groups = count / (size_t)space->kind.group;
    const size_t bytes = space->kind.bytes;
    float least[fit_lanes], usual[fit_lanes];
    for (size_t lane = 0; lane < fit_lanes; ++lane)
        usual[lane] = float_from_half(block_unit(space->type, space->kind, space->blocks + lane * bytes));
    for (int trial = 0; trial < refine_trials; ++trial) {
        float losses[fit_lanes];
        for (size_t lane = 0; lane < fit_lanes; ++lane) {
            uint8_t *const block = space->blocks + lane * bytes;
            const uint16_t unit = half_from_float(usual[lane] * sizes[trial]);
            block_set_unit(space->type, space->kind, block, unit);
            if (kind == refine_to_points && trial > 0) refine_quants(space, lane, float_from_half(unit), block);
            for (size_t group = 0; group < groups; ++group) {
                float *const scale = space->scales + group * fit_lanes + lane;
                float *const offset = space->offsets + group * fit_lanes + lane;
                if (kind == refine_to_points)
                    point_scale(space->type, space->kind, space->points, block, (int)group, scale, offset);
                else grid_scale(space->type, block, (int)group, scale, offset);
            }
        }
        refine_round_all(space, feedback, first, weights, losses, kind);
        for (size_t lane = 0; lane < fit_lanes; lane += 16) {
            const row_int better = trial == 0 ? (row_int)-1 : row_load(losses + lane) < row_load(least + lane);
            row_save(least + lane, CHOOSE(better, row_load(losses + lane), row_load(least + lane)));
            for (size_t i = 0; i < 16; ++i)
                if (better[i]) memcpy(space->kept + (lane + i) * bytes, space->blocks + (lane + i) * bytes, bytes);
            for (size_t column = 0; column < count; ++column) {
                const size_t place = column * fit_lanes + lane;
                const row_int codes = __builtin_convertvector(row_load_bytes(space->codes + place), row_int);
                const row_int best = __builtin_convertvector(row_load_bytes(space->best + place), row_int);
                row_save_bytes(space->best + place, __builtin_convertvector(CHOOSE(better, codes, best), row_byte));
                float *const difference = differences + column * fit_rows + lane;
                row_save(difference, CHOOSE(better, row_load(space->trial + place), row_load(difference)));
            }
        }
    }
}

KERNEL void refine_rows(const refine_space *space, const float *from, size_t rows, const quern_weight_aid *aid,
                        uint8_t *to, refine_kind kind) {
    const size_t count = (size_t)space->kind.block, tiles = (rows + fit_lanes - 1) / fit_lanes;
    for (const quern_feedback *feedback = aid->feedback; feedback < aid->feedback + aid->blocks; ++feedback) {
        for (size_t row = 0; row < tiles * fit_lanes; ++row) {
            float *const weights = space->weights + row / fit_lanes * space->columns * fit_lanes + row % fit_lanes;
            const float *const values = from + row * space->columns + feedback->first;
            for (size_t place = 0; place < feedback->count; ++place)
                weights[place * fit_lanes] = row < rows ? values[feedback->order[place]] : 0;
        }
        for (size_t first = 0; first < feedback->count; first += count) {
            const size_t block = (feedback->first + feedback->order[first]) / count;
            refine_correct(space, feedback, first, tiles);
            for (size_t tile = 0; tile < tiles; ++tile) {
                const float *const weights = space->weights + tile * space->columns * fit_lanes;
                refine_search(space, feedback, first, weights + first * fit_lanes,
                              space->corrections + tile * fit_lanes, kind);
                refine_choose(space, feedback, first, weights + first * fit_lanes,
                              space->differences + first * fit_rows + tile * fit_lanes, kind);
                for (size_t lane = 0; lane < fit_lanes && tile * fit_lanes + lane < rows; ++lane) {
                    uint8_t codes[refine_block];
                    for (size_t i = 0; i < count; ++i) codes[i] = space->best[i * fit_lanes + lane];
                    const size_t index = (tile * fit_lanes + lane) * (space->columns / count) + block;
                    uint8_t *const at = to + index * space->kind.bytes;
                    memcpy(at, space->kept + lane * space->kind.bytes, space->kind.bytes);
                    if (kind == refine_to_points) point_store(space->type, space->book, codes, at);
                    else grid_store(space->type, codes, at);
                }
            }
        }
    }
}

ENCODER void refine_whole(const refine_space *space, const float *from, size_t rows, const quern_weight_aid *aid,
                          uint8_t *to) {
    refine_rows(space, from, rows, aid, to, refine_to_whole);
}

ENCODER void refine_levels(const refine_space *space, const float *from, size_t rows, const quern_weight_aid *aid,
                           uint8_t *to) {
    refine_rows(space, from, rows, aid, to, refine_to_levels);
}

ENCODER void refine_books(const refine_space *space, const float *from, size_t rows, const quern_weight_aid *aid,
                          uint8_t *to) {
    refine_rows(space, from, rows, aid, to, refine_to_points);
}

static bool refine(uint32_t type, const float *from, size_t rows, size_t columns, const quern_weight_aid *aid,
                   float *scratch, uint8_t *to) {
    const refine_space space = refine_begin(type, columns, aid->importance, scratch);
    if (space.kind.block == 0 || rows > fit_rows) return false;
    (space.book ? refine_books : space.kind.has_levels ? refine_levels : refine_whole)(&space, from, rows, aid, to);
    return true;
}
