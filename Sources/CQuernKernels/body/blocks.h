// Which blocks lie in which lane.

typedef struct {
    /// Lanes that hold a block; the others repeat the last one.
    int live;
    const float *values[LANES];
    /// Null without importance.
    const float *weights[LANES];
    uint8_t *output[LANES];
} lane_blocks;

/// The next LANES blocks of `size` values, from block `first` of `count` on.
KERNEL lane_blocks lane_blocks_at(size_t first, size_t count, size_t size, size_t columns, const float *from,
                                  const float *importance, uint8_t *to, size_t block_bytes) {
    lane_blocks blocks;
    blocks.live = count - first < LANES ? (int)(count - first) : LANES;
    for (int lane = 0; lane < LANES; ++lane) {
        const size_t block = first + (size_t)(lane < blocks.live ? lane : blocks.live - 1);
        blocks.values[lane] = from + block * size;
        blocks.weights[lane] = importance ? importance + block * size % columns : 0;
        blocks.output[lane] = to + block * block_bytes;
    }
    return blocks;
}

/// Moves on to the next field of the output.
KERNEL void lane_skip(lane_blocks *blocks, int bytes) {
    for (int lane = 0; lane < LANES; ++lane) blocks->output[lane] += bytes;
}

KERNEL void lane_write_halves(lane_blocks *blocks, const uint16_t halves[LANES]) {
    for (int lane = 0; lane < blocks->live; ++lane) store_half(blocks->output[lane], halves[lane]);
    lane_skip(blocks, 2);
}

KERNEL void lane_write_words(lane_blocks *blocks, const lane_int *words, int count) {
    for (int lane = 0; lane < blocks->live; ++lane) {
        for (int i = 0; i < count; ++i) {
            const int32_t word = lane_get_int(&words[i], lane);
            memcpy(blocks->output[lane] + 4 * i, &word, sizeof word);
        }
    }
    lane_skip(blocks, 4 * count);
}

// Rows whose sums run side by side.
enum { row_group = 8 };

/// Σx²/columns of each row, summed from its first value to its last.
KERNEL void row_mean_squares(const float *from, int rows, size_t columns, float means[row_group]) {
    float sums[row_group] = {0};
    if (rows == row_group) {
        for (size_t column = 0; column < columns; ++column)
            for (int row = 0; row < row_group; ++row) {
                const float value = from[(size_t)row * columns + column];
                sums[row] += value * value;
            }
    } else {
        for (int row = 0; row < rows; ++row)
            for (size_t column = 0; column < columns; ++column) {
                const float value = from[(size_t)row * columns + column];
                sums[row] += value * value;
            }
    }
    for (int row = 0; row < rows; ++row) means[row] = sums[row] / (float)columns;
}

/// importance · √(mean square + x²) for 32 values of each lane: the weights of the types with blocks of 32, whose
/// mean square is that of the row.
KERNEL void lane_row_weights(lane_float *w, const lane_float *x, const lane_blocks *blocks, const float *from,
                             size_t columns, const float *means) {
    lane_float mean;
    for (int lane = 0; lane < LANES; ++lane)
        ((float *)&mean)[lane] = means[(size_t)(blocks->values[lane] - from) / columns];
    lane_load(w, blocks->weights, 32);
    for (int i = 0; i < 32; ++i) w[i] = w[i] * lane_sqrt(mean + x[i] * x[i]);
}

/// Σx² of each lane, from its first value to its last.
KERNEL lane_float lane_sum_of_squares(const lane_float *x, int count) {
    lane_float sum = lane_float_of(0);
    for (int i = 0; i < count; ++i) sum += x[i] * x[i];
    return sum;
}

/// 2 · Σx²/256 of each lane.
KERNEL lane_float lane_twice_mean_square(const lane_float *x) {
    return 2.0f * lane_sum_of_squares(x, 256) / 256.0f;
}

/// Replaces each importance in w[0 ..< count] by importance · √(mean square + x²).
/// - Returns: their sum.
KERNEL lane_float lane_weigh(lane_float *w, const lane_float *x, int count, lane_float mean_square) {
    lane_float sum = lane_float_of(0);
    for (int i = 0; i < count; ++i) {
        w[i] = w[i] * lane_sqrt(mean_square + x[i] * x[i]);
        sum += w[i];
    }
    return sum;
}

/// The importance of values first ..< first + count of each lane's block.
KERNEL void lane_importance(lane_float *w, const lane_blocks *blocks, int first, int count) {
    const float *from[LANES];
    for (int lane = 0; lane < LANES; ++lane) from[lane] = blocks->weights[lane] + first;
    lane_load(w, from, count);
}

/// The weights of the IQ types that can do without importance: importance · √(mean square + x²), or x².
/// - first: where the values begin in the block.
KERNEL void lane_weights_or_squares(lane_float *w, const lane_float *x, const lane_blocks *blocks, int first,
                                    int count, lane_float mean_square) {
    if (blocks->weights[0]) {
        lane_importance(w, blocks, first, count);
        lane_weigh(w, x, count, mean_square);
    } else {
        for (int i = 0; i < count; ++i) w[i] = x[i] * x[i];
    }
}
