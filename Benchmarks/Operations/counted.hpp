// What a file needs that includes programs for cards, to have them run on the host with numbers that count their operations:
// definitions of `float` and `double` among it, which stay in force.
#pragma once

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

/// Numbers in 0 ..< 1, the same in each run.
struct Uniform {
    uint64_t state = 1;
    plain_float operator()() {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return (plain_float)(state >> 40) * 0x1p-24f;
    }
};

/// Rows as trained layers have them.
static std::vector<Counted<plain_float>> normal_rows(size_t count, Uniform &uniform) {
    std::vector<Counted<plain_float>> values;
    for (size_t i = 0; i < count; ++i) values.push_back((uniform() + uniform() + uniform() + uniform() - 2) * 0.03f);
    return values;
}

/// Puts the tables that the programs read where they find them.
static void put_tables(const void **addresses) {
    for (uint32_t table = 0; table < quern_device_tables; ++table) {
        const size_t length = quern_device_table_bytes(table);
        uint8_t *const memory = (uint8_t *)std::aligned_alloc(64, (length + 63) / 64 * 64);
        quern_device_table_write(table, (uint64_t)memory, memory);
        addresses[table] = memory;
    }
}
