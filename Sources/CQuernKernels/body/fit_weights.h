// Weights rounded so that what the layer puts out changes least: scales by search, and the error of each column fed into
// those that come after it.
//
// GPTQ (Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", 2022) in the
// form of successive rounding: H = V D Vᵀ with V upper triangular and ones on its diagonal, columns in the order of V;
// column j is rounded where w_j + Σ V_kj (w_k − ŵ_k), k < j, is nearest to a number. This equals GPTQ's updates by the
// Cholesky factor of H⁻¹ without an inverse.

/// Rows of a call at most.
enum { fit_rows = 128 };

typedef struct {
    /// A tile for every FIT_LANES rows: [tiles, columns, lanes].
    float *weights, *differences;
    uint8_t *codes;
    /// [tiles, groups, lanes].
    float *scales, *zeros;
    /// [panel, lanes].
    float *panel;
    size_t columns, groups, group, tiles;
} fit_space;

static size_t fit_groups(const quern_weight_layout *layout, size_t columns) {
    return layout->group ? (columns + layout->group - 1) / layout->group : 1;
}

static size_t fit_scratch(const quern_weight_layout *layout, size_t columns) {
    return fit_rows * (2 * columns + columns / 4 + 1 + 2 * fit_groups(layout, columns)) + fit_panel * fit_lanes;
}

static fit_space fit_begin(const quern_weight_layout *layout, const float *from, size_t rows, size_t columns,
                           float *scratch) {
    const size_t groups = fit_groups(layout, columns), tiles = (rows + fit_lanes - 1) / fit_lanes;
    fit_space space = {.columns = columns, .groups = groups, .group = layout->group ? layout->group : columns,
                       .tiles = tiles};
    space.weights = scratch;
    space.differences = space.weights + fit_rows * columns;
    space.scales = space.differences + fit_rows * columns;
    space.zeros = space.scales + fit_rows * groups;
    space.panel = space.zeros + fit_rows * groups;
    space.codes = (uint8_t *)(space.panel + fit_panel * fit_lanes);
    for (size_t row = 0; row < tiles * fit_lanes; ++row) {
        float *to = space.weights + row / fit_lanes * columns * fit_lanes + row % fit_lanes;
        for (size_t column = 0; column < columns; ++column)
            to[column * fit_lanes] = row < rows ? from[row * columns + column] : 0;
    }
    return space;
}

/// The columns of a group.
static size_t fit_width(const fit_space *space, size_t group) {
    const size_t left = space->columns - group * space->group;
    return left < space->group ? left : space->group;
}

/// One scale for all rows, as rounding to nearest has it.
static void fit_blocks(const quern_weight_layout *layout, const fit_space *space) {
    for (size_t group = 0; group < space->groups; ++group) {
        const size_t first = group * space->group, count = fit_width(space, group);
        row_int largest = 0;
        for (size_t tile = 0; tile < space->tiles; ++tile)
            largest = row_group_magnitudes(
                largest, space->weights + (tile * space->columns + first) * fit_lanes, count * fit_lanes);
        const float step = float_scale(largest_of(largest), layout->source);
        for (size_t tile = 0; tile < space->tiles; ++tile)
            for (size_t lane = 0; lane < fit_lanes; ++lane)
                space->scales[(tile * space->groups + group) * fit_lanes + lane] = step;
    }
}

KERNEL void fit_all_scales(const quern_weight_layout *layout, const fit_space *space, const float *importance,
                           fit_kind kind) {
    for (size_t tile = 0; tile < space->tiles; ++tile) {
        for (size_t group = 0; group < space->groups; ++group) {
            const size_t first = group * space->group, count = fit_width(space, group);
            for (size_t lane = 0; lane < fit_lanes; lane += 16) {
                const float *weights = space->weights + (tile * space->columns + first) * fit_lanes + lane;
                const float *weighing = importance ? importance + first : NULL;
                const fit_choice found = kind.numbers == quern_weight_mxfp4
                    ? fit_search_powers(weights, weighing, count, kind)
                    : fit_search(weights, weighing, count, layout->global_scale, kind);
                const size_t place = (tile * space->groups + group) * fit_lanes + lane;
                row_save(space->scales + place, found.scale);
                row_save(space->zeros + place, found.zero);
            }
        }
    }
}

/// Rounds the values of a column for the rows of a tile.
/// - to: receives the differences of the weights from their numbers; NULL where nobody asks.
KERNEL void fit_round(const fit_space *space, size_t tile, size_t column, const float *values, float *to,
                      fit_kind kind) {
    const size_t place = (tile * space->columns + column) * fit_lanes;
    const size_t group = (tile * space->groups + column / space->group) * fit_lanes;
    for (size_t lane = 0; lane < fit_lanes; lane += 16) {
        const row_float scale = row_load(space->scales + group + lane);
        const row_float zero = kind.has_zero_points ? row_load(space->zeros + group + lane) : 0;
        const row_int codes = fit_codes(row_load(values + lane) / scale, zero, kind);
        row_save_bytes(space->codes + place + lane, __builtin_convertvector(codes, row_byte));
        if (!to) continue;
        row_save(to + lane, row_load(space->weights + place + lane) - fit_number(codes, zero, kind) * scale);
    }
}

/// Rounds the columns of a block for the rows of a tile, panel after panel.
KERNEL void fit_feed_back(const fit_space *space, size_t tile, const quern_feedback *feedback, fit_kind kind) {
    // In the order of the block.
    float *const differences = space->differences + (tile * space->columns + feedback->first) * fit_lanes;
    const float *panel = feedback->panels;
    for (size_t first = 0; first < feedback->count; first += fit_panel) {
        const size_t width = feedback->count - first < fit_panel ? feedback->count - first : fit_panel;
        for (size_t i = 0; i < width; ++i) {
            const size_t column = feedback->first + feedback->order[first + i];
            memcpy(space->panel + i * fit_lanes, space->weights + (tile * space->columns + column) * fit_lanes,
                   fit_lanes * sizeof(float));
        }
        add_products(panel, width, differences, fit_lanes, first, width, fit_lanes, space->panel, fit_lanes);
        const float *const own = panel + first * width;
        for (size_t step = 0; step < width; step += fit_step) {
            const size_t end = width - step < fit_step ? width : step + fit_step;
            add_products(own + step, width, differences + first * fit_lanes, fit_lanes, step, end - step, fit_lanes,
                         space->panel + step * fit_lanes, fit_lanes);
            for (size_t i = step; i < end; ++i) {
                float *const difference = differences + (first + i) * fit_lanes;
                fit_round(space, tile, feedback->first + feedback->order[first + i], space->panel + i * fit_lanes,
                          difference, kind);
                add_products(own + i * width + i + 1, width, difference, fit_lanes, 1, end - i - 1, fit_lanes,
                             space->panel + (i + 1) * fit_lanes, fit_lanes);
            }
        }
        panel += (first + width) * width;
    }
}

KERNEL void fit_store_codes(const fit_space *space, size_t row, uint8_t *to, size_t bytes, fit_kind kind) {
    const uint8_t *codes = space->codes + row / fit_lanes * space->columns * fit_lanes + row % fit_lanes;
    memset(to, 0, bytes);
    for (size_t column = 0; column < space->columns; ++column) {
        const uint8_t code = fit_stored(codes[column * fit_lanes], kind);
        if (fit_bits(kind) == 4) to[column / 2] |= (uint8_t)(code << 4 * (column % 2));
        else to[column] = code;
    }
}

KERNEL void fit_store_scales(const fit_space *space, const quern_weight_layout *layout, size_t row,
                             const quern_weight_parts *to, fit_kind kind) {
    const size_t tile = row / fit_lanes, lane = row % fit_lanes;
    const size_t bits = fit_bits(kind), per_word = 32 / bits;
    for (size_t group = 0; group < space->groups; ++group) {
        const size_t place = (tile * space->groups + group) * fit_lanes + lane;
        const float scale = space->scales[place];
        const size_t index = row / layout->block_rows * space->groups + group;
        if (kind.numbers == quern_weight_nvfp4) {
            // Exact: the scale is a number of E4M3 divided by the global scale, and dividing is undone by rounding.
            to->scale[index] = row_e4m3((row_float)(scale * layout->global_scale))[0];
        } else if (kind.numbers == quern_weight_mxfp4) {
            to->scale[index] = (uint8_t)(float_bits(scale) >> 23);
        } else {
            store_source(to->scale + index * source_bytes(kind.source), scale, kind.source);
        }
        if (!kind.has_zero_points) continue;
        uint8_t *const word = to->zero_point + (row / per_word * space->groups + group) * 4;
        uint32_t packed;
        memcpy(&packed, word, sizeof packed);
        packed |= (uint32_t)((int)space->zeros[place] + (1 << (bits - 1))) << (row % per_word * bits);
        memcpy(word, &packed, sizeof packed);
    }
}

KERNEL void fit_rows_of(const quern_weight_layout *layout, const float *from, size_t rows, size_t columns,
                        const quern_weight_aid *aid, float *scratch, const quern_weight_parts *to, fit_kind kind) {
    const fit_space space = fit_begin(layout, from, rows, columns, scratch);
    if (layout->block_rows > 1) fit_blocks(layout, &space);
    else fit_all_scales(layout, &space, aid->importance, kind);
    for (size_t tile = 0; tile < space.tiles; ++tile) {
        for (size_t block = 0; block < aid->blocks; ++block) fit_feed_back(&space, tile, aid->feedback + block, kind);
        if (aid->blocks == 0)
            for (size_t column = 0; column < columns; ++column)
                fit_round(&space, tile, column, space.weights + (tile * columns + column) * fit_lanes, NULL, kind);
    }
    const size_t bits = fit_bits(kind);
    const bool is_packed = kind.numbers == quern_weight_packed4 || kind.numbers == quern_weight_packed8;
    const size_t bytes = (columns * bits + 7) / 8, row_bytes = is_packed ? (bytes + 3) / 4 * 4 : bytes;
    if (kind.has_zero_points) memset(to->zero_point, 0, (rows * bits + 31) / 32 * space.groups * 4);
    for (size_t row = 0; row < rows; ++row) {
        fit_store_codes(&space, row, to->weight + row * row_bytes, row_bytes, kind);
        if (row % layout->block_rows == 0) fit_store_scales(&space, layout, row, to, kind);
    }
}

#define FITTER(name, numbers, has_zero_points, source)                                                                 \
    ENCODER void name(const quern_weight_layout *layout, const float *from, size_t rows, size_t columns,              \
                      const quern_weight_aid *aid, float *scratch, const quern_weight_parts *to) {                     \
        const fit_kind kind = {numbers, has_zero_points, source};                                                      \
        fit_rows_of(layout, from, rows, columns, aid, scratch, to, kind);                                              \
    }
#define FITTERS(name, numbers, has_zero_points)                                                                        \
    FITTER(name##_f16, numbers, has_zero_points, quern_type_f16)                                                       \
    FITTER(name##_bf16, numbers, has_zero_points, quern_type_bf16)                                                     \
    FITTER(name##_f32, numbers, has_zero_points, quern_type_f32)
FITTERS(fit_int4, quern_weight_packed4, false)
FITTERS(fit_int4_zero, quern_weight_packed4, true)
FITTERS(fit_packed8, quern_weight_packed8, false)
FITTERS(fit_packed8_zero, quern_weight_packed8, true)
FITTERS(fit_int8, quern_weight_int8, false)
FITTERS(fit_e4m3, quern_weight_e4m3, false)
FITTERS(fit_nvfp4, quern_weight_nvfp4, false)
FITTERS(fit_mxfp4, quern_weight_mxfp4, false)
#undef FITTER
#undef FITTERS

static bool fit(const quern_weight_layout *layout, const float *from, size_t rows, size_t columns,
                const quern_weight_aid *aid, float *scratch, const quern_weight_parts *to) {
#define FITTERS(name) {name##_f16, name##_bf16, name##_f32}
    static void (*const fitters[2][6][3])(const quern_weight_layout *, const float *, size_t, size_t,
                                          const quern_weight_aid *, float *, const quern_weight_parts *) = {
        {FITTERS(fit_int4), FITTERS(fit_packed8), FITTERS(fit_int8), FITTERS(fit_e4m3), FITTERS(fit_nvfp4),
         FITTERS(fit_mxfp4)},
        {FITTERS(fit_int4_zero), FITTERS(fit_packed8_zero)},
    };
#undef FITTERS
    const int source = layout->source == quern_type_f16 ? 0 : layout->source == quern_type_bf16 ? 1 : 2;
    if (layout->numbers > quern_weight_mxfp4 || rows > fit_rows) return false;
    if (!fitters[layout->has_zero_points][layout->numbers][source]) return false;
    fitters[layout->has_zero_points][layout->numbers][source](layout, from, rows, columns, aid, scratch, to);
    return true;
}
