// Which of a launch's threads this is.

/// For launches whose threads are in one row.
KERNEL size_t quern_thread() { return (size_t)blockIdx.x * blockDim.x + threadIdx.x; }

/// For launches with a column to a thread, and with rows of blocks that take rows of values in turn: those from
/// `quern_first_row` on, `quern_row_step` apart.
KERNEL size_t quern_column() { return quern_thread(); }
KERNEL size_t quern_first_row() { return blockIdx.y; }
KERNEL size_t quern_row_step() { return gridDim.y; }
