// Sums of products, as `body/products.h` has them, for the one row of weights that a thread has.

/// c[i] += Σ a[k][i]·b[k], every element in the order of k.
/// - a: [terms, count], b: [terms], c: [count], each with its stride. Threads side by side have the same `a`.
KERNEL void add_products(const float *a, size_t a_stride, const float *b, size_t b_stride, size_t terms, size_t count,
                         size_t, float *c, size_t c_stride) {
    for (size_t first = 0; first < count; first += fit_step) {
        const size_t some = count - first < fit_step ? count - first : (size_t)fit_step;
        float sums[fit_step];
        UNROLL for (size_t i = 0; i < fit_step; ++i) sums[i] = i < some ? c[(first + i) * c_stride] : 0;
        for (size_t k = 0; k < terms; ++k) {
            const float value = b[k * b_stride];
            const float *const factors = a + k * a_stride + first;
            UNROLL for (size_t i = 0; i < fit_step; ++i)
                if (i < some) sums[i] = sums[i] + factors[i] * value;
        }
        UNROLL for (size_t i = 0; i < fit_step; ++i)
            if (i < some) c[(first + i) * c_stride] = sums[i];
    }
}
