// Which of a launch's threads this is: they are in one row.

KERNEL size_t quern_thread() { return (size_t)blockIdx.x * blockDim.x + threadIdx.x; }
