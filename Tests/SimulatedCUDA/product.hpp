// Products of matrices in memory of simulated cards.
#pragma once

#include "CCUDA.h"
#include "state.hpp"

#include <cstdint>

// What cuBLASLt's descriptors say. As with the real ones, any value is taken, and a bad one refused where it is used.
struct quern_cublaslt_operation_s {
    int computeType, scaleType;
    int32_t transposesA = QUERN_CUBLAS_AS_IT_LIES, transposesB = QUERN_CUBLAS_AS_IT_LIES;
};
struct quern_cublaslt_layout_s {
    int type;
    uint64_t rows, columns;
    int64_t leadingDimension;
    int32_t batchCount = 1;
    int64_t batchStride = 0;
};

namespace simulated {

/// How a product is computed: what the simulation writes into a `cublasLtMatmulAlgo_t`.
struct Algorithm {
    /// Of everything that the algorithm was chosen for.
    uint64_t key;
    /// Bytes that addresses have to be multiples of.
    uint32_t alignments[4];
    /// Into how many parts a sum is divided, and whether they are added in place, here in another order each time: who
    /// lets that in is to notice.
    uint32_t parts;
    bool inPlace;
    uint64_t workspaceBytes;
};
static_assert(sizeof(Algorithm) <= sizeof(quern_cublaslt_algorithm), "an algorithm has no more room");

/// D = alpha · op(A) · op(B) + beta · C, by column.
struct Product {
    quern_cublaslt_operation_s operation;
    quern_cublaslt_layout_s a, b, c, d;

    /// Whether the descriptions are right and fit each other.
    bool isValid() const;
    uint64_t key() const;
    /// Columns of op(A): how many products an element is the sum of.
    uint64_t inner() const;

    struct Operands {
        const void *a, *b, *c;
        void *d, *workspace;
        float alpha, beta;
    };
    /// Computes it on the host.
    /// - Returns: `illegalAddress` where it reaches out of what is allocated.
    int run(const Card &card, const Algorithm &algorithm, const Operands &operands) const;
};

} // namespace simulated
