// How rows and columns are taken together where errors are fed into later columns.
enum {
    /// Rows of a tile, which lie side by side.
    fit_lanes = 32,
    /// Columns whose rows of V lie together.
    fit_panel = quern_feedback_panel,
    /// Columns whose sums are at hand while they are rounded one after the other.
    fit_step = quern_feedback_step,
};
