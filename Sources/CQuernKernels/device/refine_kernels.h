// Kernels that refine blocks of one type, QUERN_TYPE; the type's number ends their names. Rows lie in tiles of `fit_lanes`.
// - feedback: of some neighbouring columns, its arrays in the device's memory.
// - first: of the columns of a block in the order of the feedback.

#define QUERN_NAME_OF(name, type) name##_##type
#define QUERN_NAME(name, type) QUERN_NAME_OF(name, type)

/// The columns of a feedback in its order, [tiles, columns, lanes]; rows beyond the last are zero.
extern "C" __global__ void QUERN_NAME(quern_refine_tiles, QUERN_TYPE)(const float *from, size_t rows, size_t columns,
                                                                     quern_feedback feedback, float *to) {
    const size_t thread = quern_thread(), lane = thread % fit_lanes, place = thread / fit_lanes % feedback.count;
    const size_t tile = thread / fit_lanes / feedback.count, row = tile * fit_lanes + lane;
    if (tile * fit_lanes >= rows) return;
    to[(tile * columns + place) * fit_lanes + lane] =
        row < rows ? from[row * columns + feedback.first + feedback.order[place]] : 0;
}

/// What blocks with code books are searched by in place of the importance, [columns]: a column to a thread.
extern "C" __global__ void QUERN_NAME(quern_refine_weigh, QUERN_TYPE)(quern_feedback feedback, const float *importance,
                                                                     float *to) {
    const size_t place = quern_thread();
    if (place >= feedback.count) return;
    to[feedback.first + feedback.order[place]] = refine_weight(&feedback, place, importance);
}

/// Corrects the columns of a block by the errors of earlier ones, `fit_step` of a row to a thread.
/// - natural: receives them as the type's encoder takes them, [rows of all tiles, columns of the block].
extern "C" __global__ void QUERN_NAME(quern_refine_correct, QUERN_TYPE)(const float *weights, size_t tiles,
                                                                       size_t columns, quern_feedback feedback,
                                                                       size_t first, const float *differences,
                                                                       refine_work *work, float *natural) {
    const size_t thread = quern_thread(), lane = thread % fit_lanes, block = (size_t)grid_of(QUERN_TYPE).block;
    const size_t step = thread / fit_lanes % (block / fit_step) * fit_step, tile = thread / (fit_lanes * (block / fit_step));
    if (tile >= tiles) return;
    const float *const from = weights + (tile * columns + first + step) * fit_lanes + lane;
    float *const values = work[tile].corrected[step] + lane;
    for (size_t i = 0; i < fit_step; ++i) values[i * fit_lanes] = from[i * fit_lanes];
    size_t stride;
    const float *const factor = refine_factor(&feedback, 0, first + step, &stride);
    add_products(factor, stride, differences + tile * columns * fit_lanes + lane, fit_lanes, first, fit_step, 1, values,
                 fit_lanes);
    float *const row = natural + (tile * fit_lanes + lane) * block;
    for (size_t i = 0; i < fit_step; ++i) {
        const float value = refine_known(values[i * fit_lanes], from[i * fit_lanes])[0];
        values[i * fit_lanes] = value;
        row[feedback.order[first + step + i] % block] = value;
    }
}

/// Rounds the columns of a block under some sizes of its scales, a row and a size to a thread. With a code book a size goes
/// by what the one before has found.
/// - trial, trials: the first size, and how many.
/// - encoded: what the type's encoder has made of `natural`.
extern "C" __global__ void QUERN_NAME(quern_refine_try, QUERN_TYPE)(const float *weights, size_t tiles, size_t columns,
                                                                   quern_feedback feedback, size_t first, size_t trial,
                                                                   size_t trials, const uint8_t *encoded,
                                                                   refine_work *work) {
    const size_t thread = quern_thread(), lane = thread % fit_lanes, at = thread / fit_lanes % tiles;
    const size_t further = thread / fit_lanes / tiles;
    if (further >= trials) return;
    refine_attempt *const attempt = work[at].attempts + trial + further;
    refine_tile tile = refine_tile_of(QUERN_TYPE);
    tile.corrected = work[at].corrected[0] + lane;
    tile.panel = attempt->panel[0] + lane;
    tile.trial = attempt->trial[0] + lane;
    tile.scales = attempt->scales[0] + lane;
    tile.offsets = attempt->offsets[0] + lane;
    tile.fitted = work[at].fitted[0] + lane;
    tile.products = work[at].products[0] + lane;
    tile.squares = work[at].squares[0] + lane;
    tile.codes = attempt->codes[0] + lane;
    const refine_kind kind = refine_kind_of(&tile);
    uint8_t *const block = attempt->blocks[lane];
    memcpy(block, encoded + (at * fit_lanes + lane) * tile.kind.bytes, tile.kind.bytes);
    const float usual = float_from_half(block_unit(QUERN_TYPE, tile.kind, block));
    float losses[refine_lanes];
    refine_resize(&tile, (int)(trial + further), 0, usual, block, kind);
    refine_round_all(&tile, &feedback, first, weights + (at * columns + first) * fit_lanes + lane, losses, kind);
    attempt->losses[lane] = losses[0];
}

/// Keeps the differences of the attempt that loses least, a column of a row to a thread.
extern "C" __global__ void QUERN_NAME(quern_refine_keep, QUERN_TYPE)(size_t tiles, size_t columns, size_t first,
                                                                    const refine_work *work, float *differences) {
    const size_t thread = quern_thread(), lane = thread % fit_lanes, block = (size_t)grid_of(QUERN_TYPE).block;
    const size_t place = thread / fit_lanes % block, tile = thread / fit_lanes / block;
    if (tile >= tiles) return;
    differences[(tile * columns + first + place) * fit_lanes + lane] =
        refine_best(work + tile, lane)->trial[place][lane];
}

/// Stores the block of the attempt that loses least, a row to a thread.
extern "C" __global__ void QUERN_NAME(quern_refine_store, QUERN_TYPE)(size_t rows, size_t columns,
                                                                     quern_feedback feedback, size_t first,
                                                                     const refine_work *work, uint8_t *to) {
    const size_t row = quern_thread(), lane = row % fit_lanes;
    if (row >= rows) return;
    const refine_tile tile = refine_tile_of(QUERN_TYPE);
    const refine_attempt *const best = refine_best(work + row / fit_lanes, lane);
    const size_t count = (size_t)tile.kind.block;
    const size_t index = (feedback.first + feedback.order[first]) / count;
    uint8_t *const block = to + (row * (columns / count) + index) * tile.kind.bytes;
    uint8_t codes[refine_block];
    for (size_t i = 0; i < count; ++i) codes[i] = best->codes[i][lane];
    memcpy(block, best->blocks[lane], tile.kind.bytes);
    refine_store(&tile, codes, block, refine_kind_of(&tile));
}

#undef QUERN_NAME
#undef QUERN_NAME_OF
