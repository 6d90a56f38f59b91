// Chooses the build of the kernels at run time.
#include "kernel_table.h"

static const quern_kernel_table *table(uint32_t set) {
    switch (set) {
    case quern_set_plain:
        return &quern_kernels_plain;
#if defined(__x86_64__)
    case quern_set_sse2:
        return &quern_kernels_sse2;
    case quern_set_avx2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c") ? &quern_kernels_avx2 : NULL;
    case quern_set_avx512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
                && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
            ? &quern_kernels_avx512
            : NULL;
#elif defined(__aarch64__)
    case quern_set_neon:
        return &quern_kernels_neon;
#endif
    default:
        return NULL;
    }
}

bool quern_set_available(uint32_t set) { return table(set) != NULL; }

bool quern_encode(uint32_t set, uint32_t type, const float *from, size_t rows, size_t columns, const float *importance,
                  uint8_t *to) {
    const quern_kernel_table *kernels = table(set);
    return kernels && kernels->encode(type, from, rows, columns, importance, to);
}

bool quern_decode(uint32_t set, uint32_t type, const uint8_t *from, size_t elements, float *to) {
    const quern_kernel_table *kernels = table(set);
    return kernels && kernels->decode(type, from, elements, to);
}

bool quern_row_error(uint32_t set, const float *a, const float *b, size_t columns, quern_row_sums *sums) {
    const quern_kernel_table *kernels = table(set);
    if (!kernels) return false;
    kernels->row_error(a, b, columns, sums);
    return true;
}

size_t quern_first_non_finite(uint32_t set, const float *values, size_t count) {
    const quern_kernel_table *kernels = table(set);
    return (kernels ? kernels : &quern_kernels_plain)->first_non_finite(values, count);
}

bool quern_softmax_of(uint32_t set, const float *values, size_t count, quern_softmax *result) {
    const quern_kernel_table *kernels = table(set);
    if (!kernels) return false;
    kernels->softmax(values, count, result);
    return true;
}

bool quern_divergence(uint32_t set, const float *a, const float *b, size_t count, const quern_softmax *of_a,
                      const quern_softmax *of_b, float offset, double *result) {
    const quern_kernel_table *kernels = table(set);
    if (!kernels) return false;
    *result = kernels->divergence(a, b, count, of_a, of_b, offset);
    return true;
}

bool quern_add_moments(uint32_t set, const float *rows, size_t count, size_t columns, double *squares,
                       double *magnitudes, float *maxima) {
    const quern_kernel_table *kernels = table(set);
    if (!kernels) return false;
    kernels->moments(rows, count, columns, squares, magnitudes, maxima);
    return true;
}

bool quern_quantize(uint32_t set, const quern_weight_layout *layout, const float *from, size_t rows, size_t columns,
                    const quern_weight_parts *to) {
    const quern_kernel_table *kernels = table(set);
    return kernels && kernels->quantize(layout, from, rows, columns, to);
}

bool quern_dequantize(uint32_t set, const quern_weight_layout *layout, const quern_weight_parts *from, size_t rows,
                      size_t columns, float *to) {
    const quern_kernel_table *kernels = table(set);
    return kernels && kernels->dequantize(layout, from, rows, columns, to);
}

size_t quern_fit_scratch(const quern_weight_layout *layout, size_t columns) {
    return quern_kernels_plain.fit_scratch(layout, columns);
}

bool quern_fit(uint32_t set, const quern_weight_layout *layout, const float *from, size_t rows, size_t columns,
               const quern_weight_aid *aid, float *scratch, const quern_weight_parts *to) {
    const quern_kernel_table *kernels = table(set);
    return kernels && kernels->fit(layout, from, rows, columns, aid, scratch, to);
}

size_t quern_refine_scratch(size_t columns) { return quern_kernels_plain.refine_scratch(columns); }

bool quern_refine(uint32_t set, uint32_t type, const float *from, size_t rows, size_t columns,
                  const quern_weight_aid *aid, float *scratch, uint8_t *to) {
    const quern_kernel_table *kernels = table(set);
    return kernels && kernels->refine(type, from, rows, columns, aid, scratch, to);
}

size_t quern_factor(uint32_t set, float *matrix, size_t count) {
    const quern_kernel_table *kernels = table(set);
    return kernels ? kernels->factor(matrix, count) : count + 1;
}

bool quern_add_products(uint32_t set, const float *a, size_t a_stride, const float *b, size_t b_stride, size_t terms,
                        size_t rows, size_t columns, float *c, size_t c_stride) {
    const quern_kernel_table *kernels = table(set);
    if (!kernels) return false;
    kernels->products(a, a_stride, b, b_stride, terms, rows, columns, c, c_stride);
    return true;
}

bool quern_add_quadratic(uint32_t set, const float *matrix, size_t count, const float *values, float *scratch,
                         double *sums) {
    const quern_kernel_table *kernels = table(set);
    if (!kernels) return false;
    kernels->quadratic(matrix, count, values, scratch, sums);
    return true;
}

float quern_largest_magnitude(uint32_t set, const float *values, size_t count) {
    const quern_kernel_table *kernels = table(set);
    return (kernels ? kernels : &quern_kernels_plain)->largest_magnitude(values, count);
}

const quern_forward_kernels *quern_forward(uint32_t set) {
    const quern_kernel_table *kernels = table(set);
    return kernels ? &kernels->forward : NULL;
}
