#include "product.hpp"

#include <cstring>
#include <vector>

namespace simulated {
namespace {

using Layout = quern_cublaslt_layout_s;

size_t elementBytes(const Layout &layout) { return layout.type == QUERN_CUBLAS_BFLOAT16 ? 2 : 4; }

bool isValid(const Layout &layout, bool mayShare) {
    const bool isKnown = layout.type == QUERN_CUBLAS_FLOAT || layout.type == QUERN_CUBLAS_BFLOAT16;
    const auto isCount = [](uint64_t count) { return count >= 1 && count <= INT32_MAX; };
    if (!isKnown || !isCount(layout.rows) || !isCount(layout.columns) || layout.batchCount < 1) return false;
    if (layout.leadingDimension < int64_t(layout.rows) || layout.batchStride < 0) return false;
    return mayShare || layout.batchCount == 1 || layout.batchStride > 0;
}

bool isSame(const Layout &a, const Layout &b) {
    return a.type == b.type && a.rows == b.rows && a.columns == b.columns && a.leadingDimension == b.leadingDimension
        && a.batchCount == b.batchCount && a.batchStride == b.batchStride;
}

float element(const void *start, const Layout &layout, uint64_t index) {
    if (layout.type == QUERN_CUBLAS_FLOAT) return static_cast<const float *>(start)[index];
    const uint32_t bits = uint32_t(static_cast<const uint16_t *>(start)[index]) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

/// Whether all elements of all matrices lie in one allocation.
bool contains(const Card &card, const void *start, const Layout &layout) {
    const uint64_t last = uint64_t(layout.batchCount - 1) * uint64_t(layout.batchStride)
        + (layout.columns - 1) * uint64_t(layout.leadingDimension) + layout.rows;
    return card.contains(reinterpret_cast<uintptr_t>(start), last * elementBytes(layout));
}

/// op(M) as rows of floats without gaps: the rows of op(A), or the columns of op(B).
std::vector<float> packed(const void *start, const Layout &layout, uint64_t batch, bool byRow) {
    std::vector<float> values(layout.rows * layout.columns);
    const uint64_t first = batch * uint64_t(layout.batchStride);
    for (uint64_t column = 0; column < layout.columns; ++column) {
        for (uint64_t row = 0; row < layout.rows; ++row) {
            const float value = element(start, layout, first + column * uint64_t(layout.leadingDimension) + row);
            values[byRow ? row * layout.columns + column : column * layout.rows + row] = value;
        }
    }
    return values;
}

float dot(const float *a, const float *b, uint64_t from, uint64_t to) {
    float sum = 0;
    for (uint64_t i = from; i < to; ++i) sum += a[i] * b[i];
    return sum;
}

/// Turns with each product, as the order in which parts come does on a card.
uint32_t turn = 0;

} // namespace

bool Product::isValid() const {
    const auto isOperation = [](int32_t value) {
        return value == QUERN_CUBLAS_AS_IT_LIES || value == QUERN_CUBLAS_TRANSPOSED;
    };
    if (operation.computeType != QUERN_CUBLAS_COMPUTE_FLOAT || operation.scaleType != QUERN_CUBLAS_FLOAT) return false;
    if (!isOperation(operation.transposesA) || !isOperation(operation.transposesB)) return false;
    if (!simulated::isValid(a, true) || !simulated::isValid(b, true) || !simulated::isValid(c, false)) return false;
    if (!isSame(c, d) || a.type != b.type || d.type != QUERN_CUBLAS_FLOAT) return false;
    if (a.batchCount != d.batchCount || b.batchCount != d.batchCount) return false;
    const uint64_t rows = operation.transposesA ? a.columns : a.rows;
    const uint64_t columns = operation.transposesB ? b.rows : b.columns;
    const uint64_t innerOfB = operation.transposesB ? b.columns : b.rows;
    return rows == d.rows && columns == d.columns && inner() == innerOfB;
}

uint64_t Product::inner() const { return operation.transposesA ? a.rows : a.columns; }

uint64_t Product::key() const {
    uint64_t key = 14695981039346656037u;
    const auto add = [&](uint64_t value) { key = (key ^ value) * 1099511628211u; };
    add(uint64_t(operation.transposesA) * 2 + uint64_t(operation.transposesB));
    for (const Layout *layout : {&a, &b, &c, &d}) {
        for (const uint64_t value : {uint64_t(layout->type), layout->rows, layout->columns,
                                     uint64_t(layout->leadingDimension), uint64_t(layout->batchCount),
                                     uint64_t(layout->batchStride)})
            add(value);
    }
    return key;
}

int Product::run(const Card &card, const Algorithm &algorithm, const Operands &operands) const {
    const bool isAllocated = contains(card, operands.a, a) && contains(card, operands.b, b)
        && contains(card, operands.d, d) && (operands.beta == 0 || contains(card, operands.c, c));
    if (!isAllocated) return illegalAddress;
    const uint64_t length = inner(), parts = algorithm.parts;
    // Parts lie in the workspace, as on a card.
    auto *const sums = static_cast<float *>(operands.workspace);
    if (parts > 1 && !card.contains(reinterpret_cast<uintptr_t>(sums), algorithm.workspaceBytes)) {
        return illegalAddress;
    }
    const uint64_t firstPart = algorithm.inPlace ? turn++ : 0;
    for (int32_t batch = 0; batch < d.batchCount; ++batch) {
        const auto rows = packed(operands.a, a, uint64_t(batch), !operation.transposesA);
        const auto columns = packed(operands.b, b, uint64_t(batch), operation.transposesB);
        for (uint64_t column = 0; column < d.columns; ++column) {
            for (uint64_t row = 0; row < d.rows; ++row) {
                const float *const x = &rows[row * length], *const y = &columns[column * length];
                float sum = parts > 1 ? 0 : dot(x, y, 0, length);
                for (uint64_t i = 0; parts > 1 && i < parts; ++i) {
                    const uint64_t part = (firstPart + i) % parts;
                    sums[part] = dot(x, y, part * length / parts, (part + 1) * length / parts);
                    sum += sums[part];
                }
                const uint64_t index = uint64_t(batch) * uint64_t(d.batchStride)
                    + column * uint64_t(d.leadingDimension) + row;
                // What C has is not read where nothing of it is added: it may be no number.
                const auto *const before = static_cast<const float *>(operands.c);
                const float kept = operands.beta == 0 ? 0 : operands.beta * before[index];
                static_cast<float *>(operands.d)[index] = operands.alpha * sum + kept;
            }
        }
    }
    return success;
}

} // namespace simulated
