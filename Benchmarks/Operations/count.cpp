// Counts the operations in single and double precision with which a card's thread encodes blocks of one type: the source
// of the programs for cards, compiled with numbers that count.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

static uint64_t operations;

template <typename Real> struct Counted {
    Real value;

    Counted() = default;
    template <typename Other> Counted(Other other) : value((Real)other) {}
    template <typename Other> Counted(Counted<Other> other) : value((Real)other.value) {}
    template <typename Other> explicit operator Other() const { return (Other)value; }

    Counted operator-() const { return -value; }
    Counted &operator+=(Counted other) { return *this = *this + other; }
    Counted &operator-=(Counted other) { return *this = *this - other; }
    Counted &operator*=(Counted other) { return *this = *this * other; }
    Counted &operator/=(Counted other) { return *this = *this / other; }
#define OPERATION(result, op)                                                                                          \
    friend result operator op(Counted a, Counted b) { return ++operations, a.value op b.value; }
    OPERATION(Counted, +)
    OPERATION(Counted, -)
    OPERATION(Counted, *)
    OPERATION(Counted, /)
    OPERATION(bool, <)
    OPERATION(bool, >)
    OPERATION(bool, <=)
    OPERATION(bool, >=)
    OPERATION(bool, ==)
    OPERATION(bool, !=)
#undef OPERATION
};

static Counted<float> counted_sqrt(Counted<float> a) { return ++operations, std::sqrt(a.value); }
static Counted<double> counted_sqrt(Counted<double> a) { return ++operations, std::sqrt(a.value); }
using plain_float = float;
using plain_double = double;

struct Place {
    unsigned x, y, z;
};
static Place blockIdx, blockDim = {1, 1, 1}, gridDim, threadIdx;
#define __global__
#define __constant__
#define QUERN_DEVICE 1
#define LANES 1
#define LANE_TABLES 1
#define float Counted<float>
#define double Counted<double>
#define __builtin_sqrtf counted_sqrt
#define __builtin_sqrt counted_sqrt
#include "../../Sources/CQuernKernels/device/vectors.h"
template <> struct is_number<plain_float> { static constexpr bool value = true; };
template <> struct is_number<plain_double> { static constexpr bool value = true; };
extern "C" {
#include "CQuernKernels.h"
}
#include "../../Sources/CQuernKernels/body/kernels.h"
#include "../../Sources/CQuernKernels/device/books.h"
#include "../../Sources/CQuernKernels/device/thread.h"
#include "../../Sources/CQuernKernels/device/row_kernels.h"
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef float
#undef double

#define NAME_OF(name, type) name##_##type
#define NAME(name, type) NAME_OF(name, type)

/// Operations per value of rows as trained layers have them, in blocks of `size` values and `bytes` bytes.
static void count(size_t size, size_t bytes, bool is_weighted) {
    enum { rows = 16, columns = 4096 };
    uint64_t state = 1;
    const auto uniform = [&state] {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return (float)(state >> 40) * 0x1p-24f;
    };
    std::vector<Counted<float>> values, importance;
    for (size_t i = 0; i < rows * columns; ++i)
        values.push_back((uniform() + uniform() + uniform() + uniform() - 2) * 0.03f);
    for (size_t i = 0; i < columns; ++i) importance.push_back(uniform() + 0.01f);
    const size_t blocks = values.size() / size;
    std::vector<uint8_t> encoded(blocks * bytes);
    std::vector<Counted<float>> means(rows);
    operations = 0;
    const Counted<float> *const weights = is_weighted ? importance.data() : nullptr;
    const bool has_means = is_weighted && (QUERN_TYPE == quern_type_q4_0 || QUERN_TYPE == quern_type_q4_1 || QUERN_TYPE == quern_type_q5_0
                                            || QUERN_TYPE == quern_type_q5_1);
    for (blockIdx.x = 0; has_means && blockIdx.x < rows; ++blockIdx.x)
        quern_row_means(values.data(), rows, columns, means.data());
    for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x)
        NAME(quern_encode, QUERN_TYPE)(values.data(), blocks, size, bytes, columns, weights,
                                       has_means ? means.data() : nullptr, encoded.data());
    std::printf(" %.1f", (double)operations / (double)values.size());
}

/// SIZE BYTES: of a block. Prints operations per value, without importance and with.
int main(int, char **arguments) {
    const size_t size = std::strtoul(arguments[1], nullptr, 10), bytes = std::strtoul(arguments[2], nullptr, 10);
    for (uint32_t table = 0; table < quern_device_tables; ++table) {
        const size_t length = quern_device_table_bytes(table);
        uint8_t *const memory = (uint8_t *)std::aligned_alloc(64, (length + 63) / 64 * 64);
        quern_device_table_write(table, (uint64_t)memory, memory);
        quern_tables[table] = memory;
    }
    count(size, bytes, false);
    count(size, bytes, true);
}
