// cuBLASLt, of the same library as the driver.
#include "call.hpp"
#include "product.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace simulated;

struct quern_cublaslt_handle_s {
    Card *card;
};
struct quern_cublaslt_preference_s {
    uint64_t workspaceBytes = 0;
    uint32_t reductions = 7;
    uint32_t alignments[4] = {256, 256, 256, 256};
};

// The definitions below have to be those that the program calls.
extern "C" {
#define DECLARE(name, parameters) quern_cuda_status name parameters;
QUERN_CUBLASLT_FUNCTIONS(DECLARE)
#undef DECLARE
size_t cublasLtGetVersion(void);
const char *cublasLtGetStatusName(quern_cuda_status status);
const char *cublasLtGetStatusString(quern_cuda_status status);
}

namespace {

constexpr int launchFailed = 719;

/// One call of cuBLASLt, alone in the library for as long as it lasts. A failure of a card costs the card.
class ProductCall {
    std::lock_guard<std::mutex> guard{lock};

public:
    Card *card = current ? current->card : nullptr;
    int status = success;

    explicit ProductCall(const char *name) {
        status = failure(name);
        const bool isCards = status == QUERN_CUBLAS_EXECUTION_FAILED || status == QUERN_CUBLAS_INTERNAL_ERROR;
        if (isCards && card) card->lose(launchFailed);
    }

    /// For calls with a handle, that of the current card.
    ProductCall(const char *name, quern_cublaslt_handle handle) : ProductCall(name) {
        if (status) return;
        if (!handle || !card || handle->card != card) {
            status = QUERN_CUBLAS_NOT_INITIALIZED;
        } else if (card->lost) {
            status = QUERN_CUBLAS_EXECUTION_FAILED;
        }
    }
};

/// What a value of an attribute is copied into, if it has the right size.
template <typename Value> int take(Value &target, const void *value, size_t bytes) {
    if (!value || bytes != sizeof target) return QUERN_CUBLAS_INVALID_VALUE;
    std::memcpy(&target, value, bytes);
    return success;
}

template <typename Descriptor> int destroy(const char *name, Descriptor *descriptor) {
    const ProductCall call(name);
    delete descriptor;
    return call.status;
}

bool isAligned(const void *pointer, uint64_t bytes) { return reinterpret_cast<uintptr_t>(pointer) % bytes == 0; }

const struct {
    int status;
    const char *name;
} names[] = {
    {0, "CUBLAS_STATUS_SUCCESS"},
    {QUERN_CUBLAS_NOT_INITIALIZED, "CUBLAS_STATUS_NOT_INITIALIZED"},
    {QUERN_CUBLAS_ALLOC_FAILED, "CUBLAS_STATUS_ALLOC_FAILED"},
    {QUERN_CUBLAS_INVALID_VALUE, "CUBLAS_STATUS_INVALID_VALUE"},
    {QUERN_CUBLAS_ARCH_MISMATCH, "CUBLAS_STATUS_ARCH_MISMATCH"},
    {QUERN_CUBLAS_EXECUTION_FAILED, "CUBLAS_STATUS_EXECUTION_FAILED"},
    {QUERN_CUBLAS_INTERNAL_ERROR, "CUBLAS_STATUS_INTERNAL_ERROR"},
    {QUERN_CUBLAS_NOT_SUPPORTED, "CUBLAS_STATUS_NOT_SUPPORTED"},
};

} // namespace

extern "C" {

size_t cublasLtGetVersion(void) { return 120903; }

const char *cublasLtGetStatusName(quern_cuda_status status) {
    for (const auto &entry : names)
        if (entry.status == status) return entry.name;
    return "unrecognized status";
}

const char *cublasLtGetStatusString(quern_cuda_status) { return "a simulated status"; }

quern_cuda_status cublasLtCreate(quern_cublaslt_handle *handle) {
    const ProductCall call("cublasLtCreate");
    if (call.status) return call.status;
    if (!call.card || call.card->lost) return QUERN_CUBLAS_NOT_INITIALIZED;
    *handle = new quern_cublaslt_handle_s{call.card};
    return success;
}

quern_cuda_status cublasLtDestroy(quern_cublaslt_handle handle) { return destroy("cublasLtDestroy", handle); }

quern_cuda_status cublasLtMatmulDescCreate(quern_cublaslt_operation *operation, int compute_type, int scale_type) {
    const ProductCall call("cublasLtMatmulDescCreate");
    if (!call.status) *operation = new quern_cublaslt_operation_s{compute_type, scale_type};
    return call.status;
}

quern_cuda_status cublasLtMatmulDescDestroy(quern_cublaslt_operation operation) {
    return destroy("cublasLtMatmulDescDestroy", operation);
}

quern_cuda_status cublasLtMatmulDescSetAttribute(quern_cublaslt_operation operation, int attribute, const void *value,
                                                 size_t bytes) {
    const ProductCall call("cublasLtMatmulDescSetAttribute");
    if (call.status) return call.status;
    switch (attribute) {
    case QUERN_CUBLASLT_TRANSPOSE_A: return take(operation->transposesA, value, bytes);
    case QUERN_CUBLASLT_TRANSPOSE_B: return take(operation->transposesB, value, bytes);
    default: return QUERN_CUBLAS_INVALID_VALUE;
    }
}

quern_cuda_status cublasLtMatrixLayoutCreate(quern_cublaslt_layout *layout, int type, uint64_t rows, uint64_t columns,
                                             int64_t leading_dimension) {
    const ProductCall call("cublasLtMatrixLayoutCreate");
    if (!call.status) *layout = new quern_cublaslt_layout_s{type, rows, columns, leading_dimension};
    return call.status;
}

quern_cuda_status cublasLtMatrixLayoutDestroy(quern_cublaslt_layout layout) {
    return destroy("cublasLtMatrixLayoutDestroy", layout);
}

quern_cuda_status cublasLtMatrixLayoutSetAttribute(quern_cublaslt_layout layout, int attribute, const void *value,
                                                   size_t bytes) {
    const ProductCall call("cublasLtMatrixLayoutSetAttribute");
    if (call.status) return call.status;
    switch (attribute) {
    case QUERN_CUBLASLT_BATCH_COUNT: return take(layout->batchCount, value, bytes);
    case QUERN_CUBLASLT_BATCH_STRIDE: return take(layout->batchStride, value, bytes);
    default: return QUERN_CUBLAS_INVALID_VALUE;
    }
}

quern_cuda_status cublasLtMatmulPreferenceCreate(quern_cublaslt_preference *preference) {
    const ProductCall call("cublasLtMatmulPreferenceCreate");
    if (!call.status) *preference = new quern_cublaslt_preference_s;
    return call.status;
}

quern_cuda_status cublasLtMatmulPreferenceDestroy(quern_cublaslt_preference preference) {
    return destroy("cublasLtMatmulPreferenceDestroy", preference);
}

quern_cuda_status cublasLtMatmulPreferenceSetAttribute(quern_cublaslt_preference preference, int attribute,
                                                       const void *value, size_t bytes) {
    const ProductCall call("cublasLtMatmulPreferenceSetAttribute");
    if (call.status) return call.status;
    switch (attribute) {
    case QUERN_CUBLASLT_WORKSPACE_BYTES: return take(preference->workspaceBytes, value, bytes);
    case QUERN_CUBLASLT_REDUCTIONS: return take(preference->reductions, value, bytes);
    case QUERN_CUBLASLT_ALIGNMENT_A:
    case QUERN_CUBLASLT_ALIGNMENT_B:
    case QUERN_CUBLASLT_ALIGNMENT_C:
    case QUERN_CUBLASLT_ALIGNMENT_D:
        return take(preference->alignments[attribute - QUERN_CUBLASLT_ALIGNMENT_A], value, bytes);
    default: return QUERN_CUBLAS_INVALID_VALUE;
    }
}

quern_cuda_status cublasLtMatmulAlgoGetHeuristic(quern_cublaslt_handle handle, quern_cublaslt_operation operation,
                                                 quern_cublaslt_layout a, quern_cublaslt_layout b,
                                                 quern_cublaslt_layout c, quern_cublaslt_layout d,
                                                 quern_cublaslt_preference preference, int asked,
                                                 quern_cublaslt_choice *choices, int *count) {
    const ProductCall call("cublasLtMatmulAlgoGetHeuristic", handle);
    if (call.status) return call.status;
    if (!operation || !a || !b || !c || !d || !preference || asked < 1) return QUERN_CUBLAS_INVALID_VALUE;
    const Product product{*operation, *a, *b, *c, *d};
    if (!product.isValid()) return QUERN_CUBLAS_INVALID_VALUE;
    *count = 0;
    // Cards before Ampere have no BF16.
    if (a->type == QUERN_CUBLAS_BFLOAT16 && std::atof(text("CAPABILITY", "9.0").c_str()) < 8) return success;
    Algorithm algorithm = {product.key(), {}, 1, false, 0};
    std::copy(std::begin(preference->alignments), std::end(preference->alignments), algorithm.alignments);
    // Long sums are divided, in the way that is allowed and fastest.
    const uint32_t parts = 4;
    constexpr uint32_t inPlace = 1, apart = QUERN_CUBLASLT_REDUCED_APART;
    if (product.inner() >= 64 && (preference->reductions & (inPlace | apart))
        && preference->workspaceBytes >= parts * sizeof(float)) {
        algorithm.parts = parts;
        algorithm.inPlace = preference->reductions & inPlace;
        algorithm.workspaceBytes = parts * sizeof(float);
    }
    *choices = {};
    std::memcpy(&choices->algorithm, &algorithm, sizeof algorithm);
    choices->workspace_bytes = algorithm.workspaceBytes;
    *count = 1;
    return success;
}

quern_cuda_status cublasLtMatmul(quern_cublaslt_handle handle, quern_cublaslt_operation operation, const void *alpha,
                                 const void *a, quern_cublaslt_layout a_layout, const void *b,
                                 quern_cublaslt_layout b_layout, const void *beta, const void *c,
                                 quern_cublaslt_layout c_layout, void *d, quern_cublaslt_layout d_layout,
                                 const quern_cublaslt_algorithm *chosen, void *workspace, size_t workspace_bytes,
                                 quern_cuda_stream stream) {
    const ProductCall call("cublasLtMatmul", handle);
    if (call.status) return call.status;
    if (!operation || !a_layout || !b_layout || !c_layout || !d_layout || !chosen || !alpha || !beta || !stream
        || stream->stream.card != call.card) {
        return QUERN_CUBLAS_INVALID_VALUE;
    }
    const Product product{*operation, *a_layout, *b_layout, *c_layout, *d_layout};
    Algorithm algorithm;
    std::memcpy(&algorithm, chosen, sizeof algorithm);
    if (!product.isValid() || product.key() != algorithm.key) return QUERN_CUBLAS_INVALID_VALUE;
    const void *const addresses[] = {a, b, c, d};
    for (int i = 0; i < 4; ++i)
        if (!isAligned(addresses[i], algorithm.alignments[i])) return QUERN_CUBLAS_INVALID_VALUE;
    if (workspace_bytes < algorithm.workspaceBytes || !isAligned(workspace, 256)) return QUERN_CUBLAS_INVALID_VALUE;
    const Product::Operands operands = {
        a, b, c, d, workspace, *static_cast<const float *>(alpha), *static_cast<const float *>(beta)};
    stream->stream.work.push_back([=, card = call.card] { return product.run(*card, algorithm, operands); });
    return success;
}

} // extern "C"
