// What all types have in common of the refined encoders.
#include "../body/half.h"
#include "../body/rounding.h"
#include "../body/row_types.h"
#include "../body/block_bytes.h"
#include "../body/nonlinear_levels.h"
#include "../body/fit_tiles.h"
#include "add_products.h"
#include "../body/block_grids.h"
#include "../body/point_grids.h"
#include "../body/refine_space.h"
#include "../body/refine_points.h"
#include "../body/refine_codebooks.h"
#include "../body/refine_round.h"

/// One size of the scales of the rows of a tile: see `refine_tile`.
typedef struct {
    float panel[refine_block][fit_lanes], trial[refine_block][fit_lanes];
    float scales[refine_groups][fit_lanes], offsets[refine_groups][fit_lanes];
    /// What each row loses.
    float losses[fit_lanes];
    uint8_t codes[refine_block][fit_lanes];
    /// Encoded, with these scales.
    uint8_t blocks[fit_lanes][refine_block];
} refine_attempt;

/// What a block of columns takes to work with in the rows of a tile.
typedef struct {
    float corrected[refine_block][fit_lanes];
    float fitted[refine_groups][fit_lanes], products[refine_groups][fit_lanes], squares[refine_groups][fit_lanes];
    refine_attempt attempts[quern_refine_trials];
} refine_work;

static_assert(sizeof(refine_work) == quern_refine_work, "as much as callers have memory for");

/// The attempt that loses least in a row.
KERNEL const refine_attempt *refine_best(const refine_work *work, size_t lane) {
    int best = 0;
    for (int trial = 1; trial < quern_refine_trials; ++trial)
        if (work->attempts[trial].losses[lane] < work->attempts[best].losses[lane]) best = trial;
    return work->attempts + best;
}
