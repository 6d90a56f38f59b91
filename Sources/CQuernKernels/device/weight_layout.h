// Where scales and codes lie while they are worked on: a code to a byte, [rows, columns]; scales as they are stored,
// [rows / block_rows, groups], each with a second number that its codes go by.

KERNEL size_t quern_group_width(quern_weight_layout layout, size_t columns) {
    return layout.group ? layout.group : columns;
}

KERNEL size_t quern_groups(quern_weight_layout layout, size_t columns) {
    return layout.group ? (columns + layout.group - 1) / layout.group : 1;
}

/// The columns of a group; the last may have fewer.
KERNEL size_t quern_group_columns(quern_weight_layout layout, size_t columns, size_t group) {
    const size_t width = quern_group_width(layout, columns), left = columns - group * width;
    return left < width ? left : width;
}

/// Where the scale of a value is.
KERNEL size_t quern_scale_place(quern_weight_layout layout, size_t columns, size_t row, size_t column) {
    return row / layout.block_rows * quern_groups(layout, columns) + column / quern_group_width(layout, columns);
}

KERNEL bool quern_is_integer(quern_weight_layout layout) { return layout.numbers <= quern_weight_int8; }

KERNEL integer_kind quern_integer_kind(quern_weight_layout layout) {
    const int offset = layout.numbers == quern_weight_packed4 ? 8 : layout.numbers == quern_weight_packed8 ? 128 : 0;
    return {layout.numbers == quern_weight_packed4 ? 4 : 8, layout.has_zero_points, layout.source, offset};
}

KERNEL fit_kind quern_fit_kind(quern_weight_layout layout) {
    return {layout.numbers, layout.has_zero_points, layout.source};
}

/// Bits of a code.
KERNEL size_t quern_code_bits(quern_weight_layout layout) {
    return layout.numbers == quern_weight_nf4 ? 4 : fit_bits(quern_fit_kind(layout));
}
