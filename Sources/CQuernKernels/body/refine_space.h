// What the refined encoders of GGUF blocks (refine.h) work with.

/// Of a block of values at most.
enum { refine_block = 256, refine_groups = 32 };

typedef struct {
    grid kind;
    point_grid points;
    const quern_codebook *book;
    uint32_t type;
    const float *importance;
    /// For every FIT_LANES rows: [tiles, columns, lanes]; columns in the order of the feedback.
    float *weights;
    /// Of all rows, [columns, FIT_ROWS]: what is left of them; the columns of one block, corrected by earlier blocks.
    float *differences, *corrections;
    /// Of one block: [columns, lanes], in the order of the feedback: corrected by earlier blocks; by its own columns,
    /// too; the differences of a trial.
    float *corrected, *panel, *trial;
    /// [lanes, columns].
    float *natural;
    /// [groups, lanes].
    float *scales, *offsets;
    /// Of the columns of points that share a scale, [scales, lanes]: the scale that fits the points of the last trial,
    /// Σ D · value · number and Σ D · number² of those.
    float *fitted, *products, *squares;
    /// [columns, lanes].
    uint8_t *codes, *best;
    /// Encoded, [lanes, bytes]: those of a trial, and those with the best scales.
    uint8_t *blocks, *kept;
    size_t columns;
} refine_space;

static size_t refine_scratch(size_t columns) {
    const size_t floats = 4 * refine_block + 5 * refine_groups, bytes = 4 * refine_block;
    return fit_rows * (2 * columns + refine_block) + fit_lanes * (floats + bytes / sizeof(float));
}

static refine_space refine_begin(uint32_t type, size_t columns, const float *importance, float *scratch) {
    refine_space space = {.kind = grid_of(type), .type = type, .importance = importance, .columns = columns};
    space.points = point_grid_of(type);
    if (space.points.count > 0) space.book = quern_codebook_get(space.points.book);
    space.weights = scratch;
    space.differences = space.weights + fit_rows * columns;
    space.corrections = space.differences + fit_rows * columns;
    space.corrected = space.corrections + fit_rows * refine_block;
    space.panel = space.corrected + refine_block * fit_lanes;
    space.trial = space.panel + refine_block * fit_lanes;
    space.natural = space.trial + refine_block * fit_lanes;
    space.scales = space.natural + refine_block * fit_lanes;
    space.offsets = space.scales + refine_groups * fit_lanes;
    space.fitted = space.offsets + refine_groups * fit_lanes;
    space.products = space.fitted + refine_groups * fit_lanes;
    space.squares = space.products + refine_groups * fit_lanes;
    space.codes = (uint8_t *)(space.squares + refine_groups * fit_lanes);
    space.best = space.codes + refine_block * fit_lanes;
    space.blocks = space.best + refine_block * fit_lanes;
    space.kept = space.blocks + refine_block * fit_lanes;
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
