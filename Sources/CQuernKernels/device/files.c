// The program for devices as text, for the compiler that comes with their driver.
#include "CQuernKernels.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const quern_device_file files[] = {
    {"program.h", (const char[]){
#embed "program.h"
        , 0}},
    {"../device/prelude.h", (const char[]){
#embed "prelude.h"
        , 0}},
    {"vectors.h", (const char[]){
#embed "vectors.h"
        , 0}},
    {"books.h", (const char[]){
#embed "books.h"
        , 0}},
    {"block_kernels.h", (const char[]){
#embed "block_kernels.h"
        , 0}},
    {"row_kernels.h", (const char[]){
#embed "row_kernels.h"
        , 0}},
    {"thread.h", (const char[]){
#embed "thread.h"
        , 0}},
    {"forward_program.h", (const char[]){
#embed "forward_program.h"
        , 0}},
    {"forward_norms.h", (const char[]){
#embed "forward_norms.h"
        , 0}},
    {"forward_values.h", (const char[]){
#embed "forward_values.h"
        , 0}},
    {"forward_attention.h", (const char[]){
#embed "forward_attention.h"
        , 0}},
    {"weight_program.h", (const char[]){
#embed "weight_program.h"
        , 0}},
    {"weight_layout.h", (const char[]){
#embed "weight_layout.h"
        , 0}},
    {"weight_kernels.h", (const char[]){
#embed "weight_kernels.h"
        , 0}},
    {"fit_kernels.h", (const char[]){
#embed "fit_kernels.h"
        , 0}},
    {"factor_kernels.h", (const char[]){
#embed "factor_kernels.h"
        , 0}},
    {"add_products.h", (const char[]){
#embed "add_products.h"
        , 0}},
    {"refine_program.h", (const char[]){
#embed "refine_program.h"
        , 0}},
    {"refine_bodies.h", (const char[]){
#embed "refine_bodies.h"
        , 0}},
    {"refine_kernels.h", (const char[]){
#embed "refine_kernels.h"
        , 0}},
    {"../body/half.h", (const char[]){
#embed "../body/half.h"
        , 0}},
    {"../body/row_types.h", (const char[]){
#embed "../body/row_types.h"
        , 0}},
    {"../body/row_halves.h", (const char[]){
#embed "../body/row_halves.h"
        , 0}},
    {"../body/source_type.h", (const char[]){
#embed "../body/source_type.h"
        , 0}},
    {"../body/small_floats.h", (const char[]){
#embed "../body/small_floats.h"
        , 0}},
    {"../body/weight_numbers.h", (const char[]){
#embed "../body/weight_numbers.h"
        , 0}},
    {"../body/fit_scales.h", (const char[]){
#embed "../body/fit_scales.h"
        , 0}},
    {"../body/fit_tiles.h", (const char[]){
#embed "../body/fit_tiles.h"
        , 0}},
    {"../body/block_bytes.h", (const char[]){
#embed "../body/block_bytes.h"
        , 0}},
    {"../body/nonlinear_levels.h", (const char[]){
#embed "../body/nonlinear_levels.h"
        , 0}},
    {"../body/block_grids.h", (const char[]){
#embed "../body/block_grids.h"
        , 0}},
    {"../body/point_grids.h", (const char[]){
#embed "../body/point_grids.h"
        , 0}},
    {"../body/refine_space.h", (const char[]){
#embed "../body/refine_space.h"
        , 0}},
    {"../body/refine_points.h", (const char[]){
#embed "../body/refine_points.h"
        , 0}},
    {"../body/refine_codebooks.h", (const char[]){
#embed "../body/refine_codebooks.h"
        , 0}},
    {"../body/refine_round.h", (const char[]){
#embed "../body/refine_round.h"
        , 0}},
    {"../body/rounding.h", (const char[]){
#embed "../body/rounding.h"
        , 0}},
    {"../body/exponential.h", (const char[]){
#embed "../body/exponential.h"
        , 0}},
    {"../body/forward_functions.h", (const char[]){
#embed "../body/forward_functions.h"
        , 0}},
    {"stdint.h", (const char[]){
#embed "integers.h"
        , 0}},
    {"CQuernKernels.h", (const char[]){
#embed "../include/CQuernKernels.h"
        , 0}},
    {"codebook.h", (const char[]){
#embed "../codebook.h"
        , 0}},
    {"../codebook.h", (const char[]){
#embed "../codebook.h"
        , 0}},
    {"../codebook_candidates.h", (const char[]){
#embed "../codebook_candidates.h"
        , 0}},
    {"../body/kernels.h", (const char[]){
#embed "../body/kernels.h"
        , 0}},
    {"half.h", (const char[]){
#embed "../body/half.h"
        , 0}},
    {"rounding.h", (const char[]){
#embed "../body/rounding.h"
        , 0}},
    {"row_types.h", (const char[]){
#embed "../body/row_types.h"
        , 0}},
    {"row_halves.h", (const char[]){
#embed "../body/row_halves.h"
        , 0}},
    {"weight_numbers.h", (const char[]){
#embed "../body/weight_numbers.h"
        , 0}},
    {"rows.h", (const char[]){
#embed "../body/rows.h"
        , 0}},
    {"lanes.h", (const char[]){
#embed "../body/lanes.h"
        , 0}},
    {"registers.h", (const char[]){
#embed "../body/registers.h"
        , 0}},
    {"blocks.h", (const char[]){
#embed "../body/blocks.h"
        , 0}},
    {"search_affine.h", (const char[]){
#embed "../body/search_affine.h"
        , 0}},
    {"search_symmetric.h", (const char[]){
#embed "../body/search_symmetric.h"
        , 0}},
    {"search_nonlinear.h", (const char[]){
#embed "../body/search_nonlinear.h"
        , 0}},
    {"search_scales.h", (const char[]){
#embed "../body/search_scales.h"
        , 0}},
    {"search_neighbours.h", (const char[]){
#embed "../body/search_neighbours.h"
        , 0}},
    {"search_codebook.h", (const char[]){
#embed "../body/search_codebook.h"
        , 0}},
    {"search_quads.h", (const char[]){
#embed "../body/search_quads.h"
        , 0}},
    {"search_split.h", (const char[]){
#embed "../body/search_split.h"
        , 0}},
    {"search_ternary.h", (const char[]){
#embed "../body/search_ternary.h"
        , 0}},
    {"floats.h", (const char[]){
#embed "../body/floats.h"
        , 0}},
    {"q8_0.h", (const char[]){
#embed "../body/q8_0.h"
        , 0}},
    {"q4_0_q5_0.h", (const char[]){
#embed "../body/q4_0_q5_0.h"
        , 0}},
    {"q4_1_q5_1.h", (const char[]){
#embed "../body/q4_1_q5_1.h"
        , 0}},
    {"q2_k.h", (const char[]){
#embed "../body/q2_k.h"
        , 0}},
    {"q3_k.h", (const char[]){
#embed "../body/q3_k.h"
        , 0}},
    {"q4_k_q5_k.h", (const char[]){
#embed "../body/q4_k_q5_k.h"
        , 0}},
    {"q6_k.h", (const char[]){
#embed "../body/q6_k.h"
        , 0}},
    {"iq2.h", (const char[]){
#embed "../body/iq2.h"
        , 0}},
    {"iq2_xxs.h", (const char[]){
#embed "../body/iq2_xxs.h"
        , 0}},
    {"iq2_xs_iq2_s.h", (const char[]){
#embed "../body/iq2_xs_iq2_s.h"
        , 0}},
    {"iq3.h", (const char[]){
#embed "../body/iq3.h"
        , 0}},
    {"iq3_xxs.h", (const char[]){
#embed "../body/iq3_xxs.h"
        , 0}},
    {"iq3_s.h", (const char[]){
#embed "../body/iq3_s.h"
        , 0}},
    {"iq4_nl_iq4_xs.h", (const char[]){
#embed "../body/iq4_nl_iq4_xs.h"
        , 0}},
    {"iq1_s.h", (const char[]){
#embed "../body/iq1_s.h"
        , 0}},
    {"iq1_m.h", (const char[]){
#embed "../body/iq1_m.h"
        , 0}},
    {"mxfp4_nvfp4.h", (const char[]){
#embed "../body/mxfp4_nvfp4.h"
        , 0}},
    {"tq1_0_tq2_0.h", (const char[]){
#embed "../body/tq1_0_tq2_0.h"
        , 0}},
    {"q1_0_q2_0.h", (const char[]){
#embed "../body/q1_0_q2_0.h"
        , 0}},
    {"compare.h", (const char[]){
#embed "../body/compare.h"
        , 0}},
    {"exponential.h", (const char[]){
#embed "../body/exponential.h"
        , 0}},
    {"softmax.h", (const char[]){
#embed "../body/softmax.h"
        , 0}},
    {"moments.h", (const char[]){
#embed "../body/moments.h"
        , 0}},
    {"forward_functions.h", (const char[]){
#embed "../body/forward_functions.h"
        , 0}},
    {"forward_rows.h", (const char[]){
#embed "../body/forward_rows.h"
        , 0}},
    {"forward_activations.h", (const char[]){
#embed "../body/forward_activations.h"
        , 0}},
    {"source_type.h", (const char[]){
#embed "../body/source_type.h"
        , 0}},
    {"small_floats.h", (const char[]){
#embed "../body/small_floats.h"
        , 0}},
    {"weight_groups.h", (const char[]){
#embed "../body/weight_groups.h"
        , 0}},
    {"weights_integer.h", (const char[]){
#embed "../body/weights_integer.h"
        , 0}},
    {"weights_float.h", (const char[]){
#embed "../body/weights_float.h"
        , 0}},
    {"weights_fp4.h", (const char[]){
#embed "../body/weights_fp4.h"
        , 0}},
    {"weights_bitsandbytes.h", (const char[]){
#embed "../body/weights_bitsandbytes.h"
        , 0}},
    {"weights.h", (const char[]){
#embed "../body/weights.h"
        , 0}},
    {"products.h", (const char[]){
#embed "../body/products.h"
        , 0}},
    {"factor.h", (const char[]){
#embed "../body/factor.h"
        , 0}},
    {"quadratic.h", (const char[]){
#embed "../body/quadratic.h"
        , 0}},
    {"fit_scales.h", (const char[]){
#embed "../body/fit_scales.h"
        , 0}},
    {"fit_weights.h", (const char[]){
#embed "../body/fit_weights.h"
        , 0}},
    {"block_grids.h", (const char[]){
#embed "../body/block_grids.h"
        , 0}},
    {"point_grids.h", (const char[]){
#embed "../body/point_grids.h"
        , 0}},
    {"refine_space.h", (const char[]){
#embed "../body/refine_space.h"
        , 0}},
    {"refine_points.h", (const char[]){
#embed "../body/refine_points.h"
        , 0}},
    {"refine_codebooks.h", (const char[]){
#embed "../body/refine_codebooks.h"
        , 0}},
    {"block_bytes.h", (const char[]){
#embed "../body/block_bytes.h"
        , 0}},
    {"nonlinear_levels.h", (const char[]){
#embed "../body/nonlinear_levels.h"
        , 0}},
    {"fit_tiles.h", (const char[]){
#embed "../body/fit_tiles.h"
        , 0}},
    {"refine_round.h", (const char[]){
#embed "../body/refine_round.h"
        , 0}},
    {"refine.h", (const char[]){
#embed "../body/refine.h"
        , 0}},
    {"table.h", (const char[]){
#embed "../body/table.h"
        , 0}},
    // They declare what the device's compiler knows by itself.
    {"stdbool.h", ""},
    {"stddef.h", ""},
    {"string.h", ""},
};

const quern_device_file *quern_device_files(size_t *count) {
    *count = sizeof files / sizeof *files;
    return files;
}
