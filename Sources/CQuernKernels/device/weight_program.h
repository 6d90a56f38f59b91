// A program for a device: weights as loaders of safetensors store them. Scales, by rounding to nearest or searched; codes;
// errors fed into later columns; the factor of a Gram matrix that this goes by. A thread has a value, a group or a row,
// and does what one lane does elsewhere, in the same order.
//
// It is to be compiled as `program.h` is.
#define QUERN_DEVICE 1
#define ROW 1
#include "CQuernKernels.h"
#include "../device/prelude.h"
#include "thread.h"

#include "../body/half.h"
#include "../body/rounding.h"
#include "../body/row_types.h"
#include "../body/row_halves.h"
#include "../body/source_type.h"
#include "../body/small_floats.h"
#include "../body/weight_numbers.h"
#include "../body/fit_tiles.h"
#include "../body/fit_scales.h"

#include "weight_layout.h"
#include "weight_kernels.h"
#include "add_products.h"
#include "fit_kernels.h"
#include "factor_kernels.h"
