// A program for a device: the kernels' bodies with one lane to a thread. QUERN_TYPE chooses the type of blocks that it
// encodes and decodes; without it the program has the kernels for rows.
//
// It is to be compiled with division and square roots as IEEE 754 has them, subnormal numbers kept, and no multiplication
// fused with an addition.
#define QUERN_DEVICE 1
#define LANES 1
#define LANE_TABLES 1
#include "../body/kernels.h"
#include "books.h"
#include "thread.h"

#ifdef QUERN_TYPE
#include "block_kernels.h"
#else
#include "row_kernels.h"
#endif
