// A program for a device: the steps of a decoder between its matrix products, with a value or one of sixteen sums to a
// thread. Sums run in sixteen places, as the processor's do, so that their bits are the same.
//
// It is to be compiled as `program.h` is.
#define QUERN_DEVICE 1
#define ROW 1
#include "CQuernKernels.h"
#include "../device/prelude.h"
#include "thread.h"

#include "../body/row_types.h"
#include "../body/rounding.h"
#include "../body/exponential.h"
#include "../body/forward_functions.h"

/// Places of a sum: as many as the processor's vectors have values.
enum { quern_places = 16 };

KERNEL double quern_total(const double *sums) {
    double total = 0;
    for (int place = 0; place < quern_places; ++place) total += sums[place];
    return total;
}

#include "forward_values.h"
#include "forward_norms.h"
#include "forward_attention.h"
