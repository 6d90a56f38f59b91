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
    size_t block = first, column = first * size % columns;
    for (int lane = 0; lane < LANES; ++lane) {
        blocks.values[lane] = from + block * size;
        blocks.weights[lane] = importance ? importance + column : 0;
        blocks.output[lane] = to + block * block_bytes;
        if (lane + 1 >= blocks.live) continue;
        ++block;
        column = column + size < columns ? column + size : 0;
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
/// - columns: a multiple of 8.
KERNEL void row_mean_squares(const float *from, int rows, size_t columns, float means[row_group]) {
    // Four values of each row, and in the upper half the four that follow them.
    const float *starts[16];
    for (int i = 0; i < 16; ++i) {
        const int row = i % row_group < rows ? i % row_group : rows - 1;
        starts[i] = from + (size_t)row * columns + 4 * (i / row_group);
    }
    typedef VECTOR(float, row_group) eight_floats;
    eight_floats sums = 0;
    for (size_t column = 0; column < columns; column += 8) {
        row_float squares[4];
        row_load_fours(squares, starts, column);
        for (int i = 0; i < 4; ++i) squares[i] *= squares[i];
        for (int i = 0; i < 4; ++i) sums += __builtin_shufflevector(squares[i], squares[i], 0, 1, 2, 3, 4, 5, 6, 7);
        for (int i = 0; i < 4; ++i)
            sums += __builtin_shufflevector(squares[i], squares[i], 8, 9, 10, 11, 12, 13, 14, 15);
    }
    sums /= (float)columns;
    memcpy(means, &sums, sizeof sums);
}

/// importance · √(mean square + x²) for 32 values of each lane: the weights of the types with blocks of 32, whose
/// mean square is that of the row.
KERNEL void lane_row_weights(lane_float *w, const lane_float *x, const lane_blocks *blocks, const float *from,
                             size_t columns, const float *means) {
    size_t row = (size_t)(blocks->values[0] - from) / columns;
    const float *next = from + (row + 1) * columns;
    lane_float mean;
    for (int lane = 0; lane < LANES; ++lane) {
        if (blocks->values[lane] == next) {
            ++row;
            next += columns;
        }
        ((float *)&mean)[lane] = means[row];
    }
    lane_load(w, blocks->weights, 32);
    for (int i = 0; i < 32; ++i) w[i] = w[i] * lane_sqrt(mean + x[i] * x[i]);
}

/// Encodes blocks first ..< last of some rows.
/// - means: the mean squares of the rows.
/// - levels: which of the types that share an encoder it is.
typedef void row_blocks_encoder(const float *from, size_t first, size_t last, size_t columns, const float *importance,
                                const float *means, uint8_t *to, int levels);

/// Encodes rows of a type with blocks of 32 that goes by the mean squares of rows.
KERNEL void encode_by_row_means(row_blocks_encoder *encode_blocks, const float *from, size_t rows, size_t columns,
                                const float *importance, uint8_t *to, size_t block_bytes, int levels) {
    const size_t row_bytes = columns / 32 * block_bytes;
    for (size_t row = 0; row < rows; row += row_group, from += row_group * columns, to += row_group * row_bytes) {
        const int group = rows - row < row_group ? (int)(rows - row) : row_group;
        float means[row_group];
        row_mean_squares(from, group, columns, means);
        encode_blocks(from, 0, (size_t)group * columns / 32, columns, importance, means, to, levels);
    }
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
