// The body of every build: one translation unit per instruction set includes it once.
//
// The includer defines LANES (blocks worked on side by side), KERNEL_TABLE (the table to define) and, where the
// processor has it, HALF_CONVERSION (of half precision) and PERMUTE_LANES (how many values it permutes at once);
// LANE_TABLES where looking up a value for each lane is quicker than choosing among sixteen by comparisons. LANES is
// several registers wide, so that the additions of one sum, which must follow each other, do not wait for each other:
// 32 lanes measured 7 % faster than 16 with AVX2.
#include "../codebook.h"
#include "../codebook_candidates.h"

#ifdef QUERN_DEVICE
#include "../device/prelude.h"
#else
#include "../kernel_table.h"

#pragma STDC FP_CONTRACT OFF

// Everything that takes or returns vectors is inlined: no calling convention is at stake.
#pragma clang diagnostic ignored "-Wpsabi"
#define KERNEL static inline __attribute__((always_inline))
// Each type's encoder keeps its own frame: inlined into one function, their arrays would not all share their places.
#define ENCODER static __attribute__((noinline))
#define VECTOR(element, count) element __attribute__((ext_vector_type(count)))
/// a where the mask has ones, else b; of vectors, in each place.
#define CHOOSE(mask, a, b) ((mask) ? (a) : (b))
#define LITERAL(type) (type)
#define UNROLL _Pragma("clang loop unroll(full)")
#define UNROLL_BY_FOUR _Pragma("clang loop unroll_count(4)")
#endif

#include "half.h"
#include "rounding.h"
#include "rows.h"
#include "lanes.h"
#include "registers.h"
#include "blocks.h"

#include "search_affine.h"
#include "search_symmetric.h"
#include "nonlinear_levels.h"
#include "search_nonlinear.h"
#include "search_scales.h"
#include "search_neighbours.h"
#include "search_codebook.h"
#include "search_quads.h"
#include "search_split.h"
#include "search_ternary.h"

#include "row_halves.h"
#include "block_bytes.h"
#include "floats.h"
#include "q8_0.h"
#include "q4_0_q5_0.h"
#include "q4_1_q5_1.h"
#include "q2_k.h"
#include "q3_k.h"
#include "q4_k_q5_k.h"
#include "q6_k.h"
#include "iq2.h"
#include "iq2_xxs.h"
#include "iq2_xs_iq2_s.h"
#include "iq3.h"
#include "iq3_xxs.h"
#include "iq3_s.h"
#include "iq4_nl_iq4_xs.h"
#include "iq1_s.h"
#include "iq1_m.h"
#include "mxfp4_nvfp4.h"
#include "tq1_0_tq2_0.h"
#include "q1_0_q2_0.h"

#include "compare.h"
#include "exponential.h"
#include "softmax.h"
#include "moments.h"
#include "forward_functions.h"
#include "forward_rows.h"
#include "forward_activations.h"
#include "source_type.h"
#include "small_floats.h"
#include "weight_numbers.h"
#include "weight_groups.h"
#include "weights_integer.h"
#include "weights_float.h"
#include "weights_fp4.h"
#include "weights_bitsandbytes.h"
#include "weights.h"
#include "products.h"
#include "factor.h"
#include "quadratic.h"
#include "fit_tiles.h"
#include "fit_scales.h"
#include "fit_weights.h"
#include "block_grids.h"
#include "point_grids.h"
#include "refine_space.h"
#include "refine_points.h"
#include "refine_codebooks.h"
#include "refine_round.h"
#include "refine.h"
#include "table.h"
