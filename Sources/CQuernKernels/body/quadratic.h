// dᵀHd for some vectors d side by side, one in each lane: what the differences of rows of weights from what they are
// rounded to add to the square of a layer's outputs, H being the Gram matrix of its input.

static void quadratic(const float *matrix, size_t count, const float *values, float *products, double *sums) {
    enum { lanes = quern_quadratic_lanes };
    memset(products, 0, count * lanes * sizeof(float));
    add_products(matrix, count, values, lanes, count, count, lanes, products, lanes);
    for (size_t i = 0; i < count; ++i)
        for (size_t lane = 0; lane < lanes; ++lane)
            sums[lane] += (double)values[i * lanes + lane] * (double)products[i * lanes + lane];
}
