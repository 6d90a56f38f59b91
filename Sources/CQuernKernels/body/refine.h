// Blocks of GGUF types whose columns make good the rounding errors of those before them.
//
// GPTQ in the form of successive rounding, as in fit_weights.h, but scales belong to blocks: when the first column of a
// block comes up, all its columns are corrected by what is known so far and given to the type's usual encoder, which finds
// the scales. Then the codes of the block are chosen column by column, or where columns share points of a code book point by
// point (refine_codebooks.h). With H = V D Vᵀ the loss is Σ D_j (what is left of column j when it is rounded)²: of a few
// sizes of the block's scales the one with the least of it is kept.

typedef struct {
    /// What is at work.
    refine_tile tile;
    const float *importance;
    /// For every FIT_LANES rows: [tiles, columns, lanes]; columns in the order of the feedback.
    float *weights;
    /// Of all rows, [columns, FIT_ROWS]: what is left of them; the columns of one block, corrected by earlier blocks.
    float *differences, *corrections;
    /// Of one block, [lanes, columns].
    float *natural;
    /// Of the best scales, [columns, lanes].
    uint8_t *best;
    /// Encoded, [lanes, bytes]: those of a trial, and those with the best scales.
    uint8_t *blocks, *kept;
    size_t columns;
} refine_space;

static size_t refine_scratch(size_t columns) {
    const size_t floats = 4 * refine_block + 5 * refine_groups, bytes = 4 * refine_block;
    return fit_rows * (2 * columns + refine_block) + fit_lanes * (floats + bytes / sizeof(float));
}

static refine_space refine_begin(uint32_t type, size_t columns, const float *importance, float *scratch) {
    refine_space space = {.tile = refine_tile_of(type), .importance = importance, .columns = columns};
    refine_tile *const tile = &space.tile;
    space.weights = scratch;
    space.differences = space.weights + fit_rows * columns;
    space.corrections = space.differences + fit_rows * columns;
    tile->corrected = space.corrections + fit_rows * refine_block;
    tile->panel = tile->corrected + refine_block * fit_lanes;
    tile->trial = tile->panel + refine_block * fit_lanes;
    space.natural = tile->trial + refine_block * fit_lanes;
    tile->scales = space.natural + refine_block * fit_lanes;
    tile->offsets = tile->scales + refine_groups * fit_lanes;
    tile->fitted = tile->offsets + refine_groups * fit_lanes;
    tile->products = tile->fitted + refine_groups * fit_lanes;
    tile->squares = tile->products + refine_groups * fit_lanes;
    tile->codes = (uint8_t *)(tile->squares + refine_groups * fit_lanes);
    space.best = tile->codes + refine_block * fit_lanes;
    space.blocks = space.best + refine_block * fit_lanes;
    space.kept = space.blocks + refine_block * fit_lanes;
    return space;
}

/// Corrects the columns of a block in all rows by the errors of earlier blocks: the factor, which is larger than any
/// cache, is gone through once for all.
static void refine_correct(const refine_space *space, const quern_feedback *feedback, size_t first, size_t tiles) {
    const size_t count = (size_t)space->tile.kind.block, panel = count < fit_panel ? count : fit_panel;
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

static bool encode(uint32_t type, const float *from, size_t rows, size_t columns, const float *importance,
                   uint8_t *to);

/// Has the corrected columns of a block encoded.
/// - corrections: of the rows of a tile.
static void refine_search(const refine_space *space, const quern_feedback *feedback, size_t first,
                          const float *weights, const float *corrections, refine_kind kind) {
    const refine_tile *const tile = &space->tile;
    const size_t count = (size_t)tile->kind.block;
    for (size_t place = 0; place < count; ++place) {
        for (size_t lane = 0; lane < fit_lanes; lane += ROW) {
            const row_float weight = row_load(weights + place * fit_lanes + lane);
            const row_float value = row_load(corrections + place * fit_rows + lane);
            row_save(tile->corrected + place * fit_lanes + lane, refine_known(value, weight));
        }
    }
    for (size_t place = 0; place < count; ++place) {
        float *const to = space->natural + feedback->order[first + place] % count;
        for (size_t lane = 0; lane < fit_lanes; ++lane) to[lane * count] = tile->corrected[place * fit_lanes + lane];
    }
    const float *importance = NULL;
    float weighed[refine_block];
    if (space->importance && kind == refine_to_points) {
        for (size_t place = first; place < first + count; ++place)
            weighed[feedback->order[place] % count] = refine_weight(feedback, place, space->importance);
        importance = weighed;
    } else if (space->importance) {
        importance = space->importance + feedback->first + feedback->order[first] / count * count;
    }
    encode(tile->type, space->natural, fit_lanes, count, importance, space->blocks);
}

/// Chooses the codes of a block for the rows of a tile; `kept` has their scales afterwards, `best` the codes.
KERNEL void refine_choose(const refine_space *space, const quern_feedback *feedback, size_t first,
                          const float *weights, float *differences, refine_kind kind) {
    const refine_tile *const tile = &space->tile;
    const size_t count = (size_t)tile->kind.block, bytes = tile->kind.bytes;
    float least[fit_lanes], usual[fit_lanes];
    for (size_t lane = 0; lane < fit_lanes; ++lane)
        usual[lane] = float_from_half(block_unit(tile->type, tile->kind, space->blocks + lane * bytes));
    for (int trial = 0; trial < quern_refine_trials; ++trial) {
        float losses[fit_lanes];
        for (size_t lane = 0; lane < fit_lanes; ++lane)
            refine_resize(tile, trial, lane, usual[lane], space->blocks + lane * bytes, kind);
        refine_round_all(tile, feedback, first, weights, losses, kind);
        for (size_t lane = 0; lane < fit_lanes; lane += ROW) {
            const row_int better = trial == 0 ? (row_int)-1 : row_load(losses + lane) < row_load(least + lane);
            row_save(least + lane, CHOOSE(better, row_load(losses + lane), row_load(least + lane)));
            for (size_t i = 0; i < ROW; ++i)
                if (better[i]) memcpy(space->kept + (lane + i) * bytes, space->blocks + (lane + i) * bytes, bytes);
            for (size_t column = 0; column < count; ++column) {
                const size_t place = column * fit_lanes + lane;
                const row_int codes = __builtin_convertvector(row_load_bytes(tile->codes + place), row_int);
                const row_int best = __builtin_convertvector(row_load_bytes(space->best + place), row_int);
                row_save_bytes(space->best + place, __builtin_convertvector(CHOOSE(better, codes, best), row_byte));
                float *const difference = differences + column * fit_rows + lane;
                row_save(difference, CHOOSE(better, row_load(tile->trial + place), row_load(difference)));
            }
        }
    }
}

KERNEL void refine_rows(const refine_space *space, const float *from, size_t rows, const quern_weight_aid *aid,
                        uint8_t *to, refine_kind kind) {
    const size_t count = (size_t)space->tile.kind.block, bytes = space->tile.kind.bytes;
    const size_t tiles = (rows + fit_lanes - 1) / fit_lanes;
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
                    memcpy(to + index * bytes, space->kept + lane * bytes, bytes);
                    refine_store(&space->tile, codes, to + index * bytes, kind);
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
    if (space.tile.kind.block == 0 || rows > fit_rows) return false;
    switch (refine_kind_of(&space.tile)) {
    case refine_to_whole: refine_whole(&space, from, rows, aid, to); break;
    case refine_to_levels: refine_levels(&space, from, rows, aid, to); break;
    case refine_to_points: refine_books(&space, from, rows, aid, to); break;
    }
    return true;
}
