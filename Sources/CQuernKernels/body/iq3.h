// What IQ3_XXS and IQ3_S share: sub-blocks of 32 values, coded in groups of four as points of a code book.

/// Fills in values and weights of a sub-block: importance · √(mean square + x²), or x² without importance.
/// - x: the super-block's values, of which the sub-block's begin at `first`.
/// - even: see `split_signs`.
/// - signs: receives those of four groups of eight values.
KERNEL void load_quads(quad_search *search, const lane_blocks *blocks, const lane_float *x, int first,
                       lane_float mean_square, bool even, lane_int signs[4]) {
    x += first;
    lane_weights_or_squares(search->w, x, blocks, first, 32, mean_square);
    for (int group = 0; group < 4; ++group)
        signs[group] = split_signs(x + 8 * group, search->w + 8 * group, even, search->x + 8 * group);
    for (int i = 0; i < 32; ++i) {
        search->wx[i] = search->w[i] * search->x[i];
        search->roots[i] = lane_sqrt(search->w[i]);
    }
}

typedef VECTOR(uint32_t, 4) four_words;

/// The four levels of a packed point.
KERNEL four_words quad_levels(uint32_t packed) {
    const four_words places = {0, 3, 6, 9};
    return ((four_words)packed >> places) & 7;
}

/// Writes four values.
/// - signs: bit i is set where value i is negative; upper bits do not count.
KERNEL void save_quad(float *to, four_words magnitudes, uint32_t signs, float scale) {
    typedef VECTOR(float, 4) four_floats;
    const four_words places = {31, 30, 29, 28};
    const four_floats values = scale * __builtin_convertvector(magnitudes, four_floats);
    const four_words bits = (four_words)values ^ (((four_words)signs << places) & 0x80000000);
    memcpy(to, &bits, sizeof bits);
}
