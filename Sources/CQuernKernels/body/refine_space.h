// What the refined encoders of GGUF blocks (refine.h) work with.

enum {
    /// Of a block of values at most.
    refine_block = 256,
    refine_groups = 32,
    /// Rows that are worked on side by side, of those of a tile: all, or on a device the one of a thread.
    refine_lanes = ROW == 1 ? 1 : fit_lanes,
};

/// A block of columns, in the rows of a tile.
typedef struct {
    grid kind;
    point_grid points;
    const quern_codebook *book;
    uint32_t type;
    /// [columns, FIT_LANES], in the order of the feedback: corrected by earlier blocks; by its own columns, too; the
    /// differences of a trial.
    float *corrected, *panel, *trial;
    /// [groups, FIT_LANES].
    float *scales, *offsets;
    /// Of the columns of points that share a scale, [scales, FIT_LANES]: the scale that fits the points of the last
    /// trial, Σ D · value · number and Σ D · number² of those.
    float *fitted, *products, *squares;
    /// [columns, FIT_LANES].
    uint8_t *codes;
} refine_tile;

/// Without memory to work in.
KERNEL refine_tile refine_tile_of(uint32_t type) {
    refine_tile tile = LITERAL(refine_tile){grid_of(type), point_grid_of(type)};
    tile.type = type;
    if (tile.points.count > 0) tile.book = quern_codebook_get(tile.points.book);
    return tile;
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
