/// What one instruction set's build offers to the dispatcher.
#ifndef QUERN_KERNEL_TABLE_H
#define QUERN_KERNEL_TABLE_H

#include "CQuernKernels.h"

#include <string.h>

typedef struct {
    bool (*encode)(uint32_t type, const float *from, size_t rows, size_t columns, const float *importance, uint8_t *to);
    bool (*decode)(uint32_t type, const uint8_t *from, size_t elements, float *to);
    void (*row_error)(const float *a, const float *b, size_t columns, quern_row_sums *sums);
    size_t (*first_non_finite)(const float *values, size_t count);
    void (*softmax)(const float *values, size_t count, quern_softmax *result);
    double (*divergence)(const float *a, const float *b, size_t count, const quern_softmax *of_a,
                         const quern_softmax *of_b, float offset);
    void (*moments)(const float *rows, size_t count, size_t columns, double *squares, double *magnitudes,
                    float *maxima);
    bool (*quantize)(const quern_weight_layout *layout, const float *from, size_t rows, size_t columns,
                     const quern_weight_parts *to);
    bool (*dequantize)(const quern_weight_layout *layout, const quern_weight_parts *from, size_t rows, size_t columns,
                       float *to);
    bool (*fit)(const quern_weight_layout *layout, const float *from, size_t rows, size_t columns,
                const quern_weight_aid *aid, float *scratch, const quern_weight_parts *to);
    size_t (*fit_scratch)(const quern_weight_layout *layout, size_t columns);
    size_t (*refine_scratch)(size_t columns);
    bool (*refine)(uint32_t type, const float *from, size_t rows, size_t columns, const quern_weight_aid *aid,
                   float *scratch, uint8_t *to);
    size_t (*factor)(float *matrix, size_t count);
    void (*quadratic)(const float *matrix, size_t count, const float *values, float *products, double *sums);
    void (*products)(const float *a, size_t a_stride, const float *b, size_t b_stride, size_t terms, size_t rows,
                     size_t columns, float *c, size_t c_stride);
    float (*largest_magnitude)(const float *values, size_t count);
    quern_forward_kernels forward;
} quern_kernel_table;

extern const quern_kernel_table quern_kernels_plain;
#if defined(__x86_64__)
extern const quern_kernel_table quern_kernels_sse2;
extern const quern_kernel_table quern_kernels_avx2;
extern const quern_kernel_table quern_kernels_avx512;
#elif defined(__aarch64__)
extern const quern_kernel_table quern_kernels_neon;
#endif

#endif
