// A program for a device: blocks of one type, QUERN_TYPE, whose columns make good the errors of those before them, as
// refine.h has it. The type's own program encodes the blocks that this one corrects. A thread has a row, and does what one
// lane does elsewhere.
//
// It is to be compiled as `program.h` is.
#define QUERN_DEVICE 1
#define ROW 1
#include "../codebook.h"
#include "../codebook_candidates.h"
#include "../device/prelude.h"
#include "books.h"
#include "thread.h"

#include "refine_bodies.h"
#include "refine_kernels.h"
