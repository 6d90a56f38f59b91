// Blocks of GGUF types whose columns make good the rounding errors of those before them.
//
// GPTQ in the form of successive rounding, as in fit_weights.h, but scales belong to blocks: when the first column of a
// block comes up, all its columns are corrected by what is known so far and given to the type's usual encoder, which finds
// the scales. Then the codes of the block are chosen column by column. With H = V D Vᵀ the loss is Σ D_j (what is left of
// column j when it is rounded)²: of a few sizes of the block's scales the one with the least of it is kept.

/// Sizes of scales that are tried, the encoder's own among them. More of them gain less than a hundredth.
enum { refine_trials = 5 };

typedef struct {
    grid kind;
    uint32_t type;
    const float *importance;
    /// For every FIT_LANES rows: [tiles, columns, lanes]; columns in the order of the feedback.
    float *weights, *differences;
    /// Of one block: [columns, lanes], in the order of the feedback: corrected by earlier blocks; by its own columns too;
    /// the differences of a trial.
    float *corrected, *panel, *trial;
    /// [lanes, columns].
    float *natural;
    /// [groups, lanes].
    float *scales, *offsets;
    /// [columns, lanes].
    uint8_t *codes, *best;
    /// Encoded, [lanes, bytes].
    uint8_t *blocks;
    size_t columns;
} refine_space;

/// Of a block of values at most.
enum { refine_block = 256, refine_groups = 16 };

static size_t refine_scratch(size_t columns) {
    const size_t floats = 4 * refine_block + 2 * refine_groups, bytes = 2 * refine_block + refine_block * 2;
    return 2 * fit_rows * columns + fit_lanes * (floats + bytes / sizeof(float));
}

static refine_space refine_begin(uint32_t type, size_t columns, const float *importance, float *scratch) {
    refine_space space = {.kind = grid_of(type), .type = type, .importance = importance, .columns = columns};
    space.weights = scratch;
    space.differences = space.weights + fit_rows * columns;
    space.corrected = space.differences + fit_rows * columns;
    space.panel = space.corrected + refine_block * fit_lanes;
    space.trial = space.panel + refine_block * fit_lanes;
    space.natural = space.trial + refine_block * fit_lanes;
    space.scales = space.natural + refine_block * fit_lanes;
    space.offsets = space.scales + refine_groups * fit_lanes;
    space.codes = (uint8_t *)(space.offsets + refine_groups * fit_lanes);
    space.best = space.codes + refine_block * fit_lanes;
    space.blocks = space.best + refine_block * fit_lanes;
    return space;
}

/// V from row `row` on at a place of the order.
/// - stride: receives the values between rows.
KERNEL const float *refine_factor(const quern_feedback *feedback, size_t row, size_t place, size_t *stride) {
    const size_t first = place / fit_panel * fit_panel, left = feedback->count - first;
    *stride = left < fit_panel ? left : fit_panel;
    // Panels before it are whole.
    const size_t panel = place / fit_panel * (place / fit_panel + 1) / 2 * fit_panel * fit_panel;
    return feedback->panels + panel + row * *stride + place - first;
}

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
    for (int i = 1; i < 16; ++i) level = code >= i ? (row_float)nonlinear_level(i) : level;
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
        const row_float quotient = scale == 0 ? (row_float)0 : (value - offset) / scale;
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
                             const float *weights, float losses[fit_lanes], bool has_levels) {
    const size_t count = (size_t)space->kind.block;
    memcpy(space->panel, space->corrected, count * fit_lanes * sizeof(float));
    memset(losses, 0, fit_lanes * sizeof(float));
    for (size_t step = 0; step < count; step += fit_step) {
        size_t stride;
        const float *factor = refine_factor(feedback, first, first + step, &stride);
        add_products(factor, stride, space->trial, fit_lanes, step, fit_step, fit_lanes,
                     space->panel + step * fit_lanes, fit_lanes);
        factor += step * stride;
        for (size_t i = 0; i < fit_step; ++i, factor += stride) {
            const size_t place = step + i;
            refine_round(space, place, feedback->order[first + place] % count, weights + place * fit_lanes,
                         feedback->variances[first + place], losses, has_levels);
            add_products(factor + i + 1, stride, space->trial + place * fit_lanes, fit_lanes, 1, fit_step - 1 - i,
                         fit_lanes, space->panel + (place + 1) * fit_lanes, fit_lanes);
        }
    }
}

static bool encode(uint32_t type, const float *from, size_t rows, size_t columns, const float *importance,
                   uint8_t *to);

/// Corrects the columns of a block and has them encoded.
static void refine_search(const refine_space *space, const quern_feedback *feedback, size_t first,
                          const float *weights, const float *differences) {
    const size_t count = (size_t)space->kind.block;
    memcpy(space->corrected, weights, count * fit_lanes * sizeof(float));
    for (size_t begin = 0; begin < count; begin += fit_panel) {
        size_t stride;
        const float *const factor = refine_factor(feedback, 0, first + begin, &stride);
        add_products(factor, stride, differences, fit_lanes, first, count < fit_panel ? count : fit_panel, fit_lanes,
                     space->corrected + begin * fit_lanes, fit_lanes);
    }
    for (size_t place = 0; place < count; ++place) {
        float *const to = space->natural + feedback->order[first + place] % count;
        for (size_t lane = 0; lane < fit_lanes; ++lane) to[lane * count] = space->corrected[place * fit_lanes + lane];
    }
    const size_t column = feedback->first + feedback->order[first] / count * count;
    encode(space->type, space->natural, fit_lanes, count, space->importance ? space->importance + column : NULL,
           space->blocks);
}

/// Chooses the codes of a block for the rows of a tile; `blocks` have their scales afterwards, `best` the codes.
KERNEL void refine_choose(const refine_space *space, const quern_feedback *feedback, size_t first,
                          const float *weights, float *differences, bool has_levels) {
    static const float sizes[refine_trials] = {1, 0.96f, 1.04f, 0.92f, 1.08f};
    const size_t count = (size_t)space->kind.block, groups = count / (size_t)space->kind.group;
    float least[fit_lanes], usual[fit_lanes];
    uint16_t chosen[fit_lanes];
    for (size_t lane = 0; lane < fit_lanes; ++lane) {
        const uint8_t *const block = space->blocks + lane * space->kind.bytes;
        usual[lane] = load_half(block + space->kind.scale);
        memcpy(chosen + lane, block + space->kind.scale, sizeof *chosen);
    }
    for (int trial = 0; trial < refine_trials; ++trial) {
        float losses[fit_lanes];
        uint16_t halves[fit_lanes];
        for (size_t lane = 0; lane < fit_lanes; ++lane) {
            uint8_t *const block = space->blocks + lane * space->kind.bytes;
            halves[lane] = half_from_float(usual[lane] * sizes[trial]);
            store_half(block + space->kind.scale, halves[lane]);
            for (size_t group = 0; group < groups; ++group)
                grid_scale(space->type, block, (int)group, space->scales + group * fit_lanes + lane,
                           space->offsets + group * fit_lanes + lane);
        }
        refine_round_all(space, feedback, first, weights, losses, has_levels);
        for (size_t lane = 0; lane < fit_lanes; lane += 16) {
            const row_int better = trial == 0 ? (row_int)-1 : row_load(losses + lane) < row_load(least + lane);
            row_save(least + lane, better ? row_load(losses + lane) : row_load(least + lane));
            for (size_t i = 0; i < 16; ++i)
                if (better[i]) chosen[lane + i] = halves[lane + i];
            for (size_t column = 0; column < count; ++column) {
                const size_t place = column * fit_lanes + lane;
                const row_int codes = __builtin_convertvector(row_load_bytes(space->codes + place), row_int);
                const row_int best = __builtin_convertvector(row_load_bytes(space->best + place), row_int);
                row_save_bytes(space->best + place, __builtin_convertvector(better ? codes : best, row_byte));
                row_save(differences + place,
                         better ? row_load(space->trial + place) : row_load(differences + place));
            }
        }
    }
    for (size_t lane = 0; lane < fit_lanes; ++lane)
        store_half(space->blocks + lane * space->kind.bytes + space->kind.scale, chosen[lane]);
}

KERNEL void refine_rows(const refine_space *space, const float *from, size_t rows, const quern_weight_aid *aid,
                        uint8_t *to, bool has_levels) {
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
            for (size_t tile = 0; tile < tiles; ++tile) {
                const float *const weights = space->weights + tile * space->columns * fit_lanes;
                float *const differences = space->differences + tile * space->columns * fit_lanes;
                refine_search(space, feedback, first, weights + first * fit_lanes, differences);
                refine_choose(space, feedback, first, weights + first * fit_lanes, differences + first * fit_lanes,
                              has_levels);
                for (size_t lane = 0; lane < fit_lanes && tile * fit_lanes + lane < rows; ++lane) {
                    uint8_t codes[refine_block];
                    for (size_t i = 0; i < count; ++i) codes[i] = space->best[i * fit_lanes + lane];
                    const size_t index = (tile * fit_lanes + lane) * (space->columns / count) + block;
                    uint8_t *const at = to + index * space->kind.bytes;
                    memcpy(at, space->blocks + lane * space->kind.bytes, space->kind.bytes);
                    grid_store(space->type, codes, at);
                }
            }
        }
    }
}

ENCODER void refine_whole(const refine_space *space, const float *from, size_t rows, const quern_weight_aid *aid,
                          uint8_t *to) {
    refine_rows(space, from, rows, aid, to, false);
}

ENCODER void refine_levels(const refine_space *space, const float *from, size_t rows, const quern_weight_aid *aid,
                           uint8_t *to) {
    refine_rows(space, from, rows, aid, to, true);
}

static bool refine(uint32_t type, const float *from, size_t rows, size_t columns, const quern_weight_aid *aid,
                   float *scratch, uint8_t *to) {
    const refine_space space = refine_begin(type, columns, aid->importance, scratch);
    if (space.kind.block == 0 || rows > fit_rows) return false;
    (space.kind.has_levels ? refine_levels : refine_whole)(&space, from, rows, aid, to);
    return true;
}
