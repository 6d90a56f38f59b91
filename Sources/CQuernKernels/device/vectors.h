// Vectors as clang's `ext_vector_type` has them, for compilers of devices, which have none: the same operators and
// builtins over an array that stays in registers. Every operation works place by place, as one thread does it.
#ifndef QUERN_DEVICE_VECTORS_H
#define QUERN_DEVICE_VECTORS_H

/// What comparisons of vectors have in each place: an integer of the same size.
template <size_t size> struct mask_element;
template <> struct mask_element<1> { using type = int8_t; };
template <> struct mask_element<2> { using type = int16_t; };
template <> struct mask_element<4> { using type = int32_t; };
template <> struct mask_element<8> { using type = int64_t; };

template <typename T> struct is_number { static constexpr bool value = false; };
#define NUMBER(type) template <> struct is_number<type> { static constexpr bool value = true; }
NUMBER(bool);
NUMBER(int8_t);
NUMBER(uint8_t);
NUMBER(int16_t);
NUMBER(uint16_t);
NUMBER(int32_t);
NUMBER(uint32_t);
NUMBER(int64_t);
NUMBER(uint64_t);
NUMBER(float);
NUMBER(double);
#undef NUMBER
/// The bits of a value. A NaN that a card makes has all of them set but the sign (CUDA C++ Programming Guide, "Floating-Point
/// Standard"); here it has those that processors of x86 give theirs, by which some encoders go where scales overflow.
inline uint32_t device_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
#ifndef __CUDACC_RTC__
    // As on a card.
    if (!(value == value)) bits = 0x7fffffff;
#endif
    return value == value ? bits : 0xffc00000;
}

template <typename T> inline void copy_bits(void *to, const T *from, size_t bytes) { memcpy(to, from, bytes); }
inline void copy_bits(void *to, const float *from, size_t bytes) {
    for (size_t i = 0; i < bytes / sizeof *from; ++i) {
        const uint32_t bits = device_bits(from[i]);
        memcpy((uint32_t *)to + i, &bits, sizeof bits);
    }
}

template <bool condition, typename T> struct only_if {};
template <typename T> struct only_if<true, T> { using type = T; };

template <typename T, int count> struct device_vector {
    using element = T;
    T places[count];

    device_vector() = default;
    /// The same value in every place.
    template <typename U, typename = typename only_if<is_number<U>::value, U>::type> device_vector(U value) {
        for (int i = 0; i < count; ++i) places[i] = (T)value;
    }
    /// A value for each place.
    template <typename... U, typename = typename only_if<(sizeof...(U) + 2 == count), int>::type>
    device_vector(T first, T second, U... others) : places{first, second, (T)others...} {}
    /// The same bits.
    template <typename U, int other>
    explicit device_vector(const device_vector<U, other> &from) {
        static_assert(sizeof from == sizeof places, "vectors of one size");
        copy_bits(places, from.places, sizeof places);
    }

    T &operator[](size_t i) { return places[i]; }
    T operator[](size_t i) const { return places[i]; }
    device_vector operator-() const {
        device_vector to;
        for (int i = 0; i < count; ++i) to.places[i] = (T)-places[i];
        return to;
    }
    device_vector operator~() const {
        device_vector to;
        for (int i = 0; i < count; ++i) to.places[i] = (T)~places[i];
        return to;
    }
};

#define SCALAR(U) typename = typename only_if<is_number<U>::value, U>::type
#define OPERATOR(op)                                                                                                   \
    template <typename T, int count>                                                                                   \
    device_vector<T, count> operator op(const device_vector<T, count> &a, const device_vector<T, count> &b) {          \
        device_vector<T, count> to;                                                                                    \
        for (int i = 0; i < count; ++i) to.places[i] = (T)(a.places[i] op b.places[i]);                                \
        return to;                                                                                                     \
    }                                                                                                                  \
    template <typename T, int count, typename U, SCALAR(U)>                                                            \
    device_vector<T, count> operator op(const device_vector<T, count> &a, U b) {                                       \
        return a op device_vector<T, count>(b);                                                                        \
    }                                                                                                                  \
    template <typename T, int count, typename U, SCALAR(U)>                                                            \
    device_vector<T, count> operator op(U a, const device_vector<T, count> &b) {                                       \
        return device_vector<T, count>(a) op b;                                                                        \
    }                                                                                                                  \
    template <typename T, int count, typename U>                                                                       \
    device_vector<T, count> &operator op##=(device_vector<T, count> &a, const U &b) {                                  \
        return a = a op b;                                                                                             \
    }
OPERATOR(+)
OPERATOR(-)
OPERATOR(*)
OPERATOR(/)
OPERATOR(&)
OPERATOR(|)
OPERATOR(^)
OPERATOR(<<)
OPERATOR(>>)
#undef OPERATOR

/// All ones where it holds.
#define COMPARISON(op)                                                                                                 \
    template <typename T, int count>                                                                                   \
    device_vector<typename mask_element<sizeof(T)>::type, count> operator op(const device_vector<T, count> &a,         \
                                                                             const device_vector<T, count> &b) {       \
        device_vector<typename mask_element<sizeof(T)>::type, count> to;                                               \
        for (int i = 0; i < count; ++i) to.places[i] = a.places[i] op b.places[i] ? -1 : 0;                            \
        return to;                                                                                                     \
    }                                                                                                                  \
    template <typename T, int count, typename U, SCALAR(U)>                                                            \
    device_vector<typename mask_element<sizeof(T)>::type, count> operator op(const device_vector<T, count> &a, U b) {  \
        return a op device_vector<T, count>(b);                                                                        \
    }                                                                                                                  \
    template <typename T, int count, typename U, SCALAR(U)>                                                            \
    device_vector<typename mask_element<sizeof(T)>::type, count> operator op(U a, const device_vector<T, count> &b) {  \
        return device_vector<T, count>(a) op b;                                                                        \
    }
COMPARISON(==)
COMPARISON(!=)
COMPARISON(<)
COMPARISON(>)
COMPARISON(<=)
COMPARISON(>=)
#undef COMPARISON
#undef SCALAR

template <typename Vector, typename T, int count> Vector vector_converted(const device_vector<T, count> &from) {
    Vector to;
    static_assert(sizeof to.places / sizeof to.places[0] == count, "as many places");
    for (int i = 0; i < count; ++i) to[i] = (typename Vector::element)from.places[i];
    return to;
}

template <int... indices, typename T, int count>
device_vector<T, sizeof...(indices)> vector_shuffled(const device_vector<T, count> &a,
                                                     const device_vector<T, count> &b) {
    return {(indices < count ? a.places[indices % count] : b.places[indices % count])...};
}

/// a where the mask has ones, else b.
template <typename T, int count>
device_vector<T, count> vector_chosen(const device_vector<typename mask_element<sizeof(T)>::type, count> &mask,
                                      const device_vector<T, count> &a, const device_vector<T, count> &b) {
    device_vector<T, count> to;
    for (int i = 0; i < count; ++i) to.places[i] = mask.places[i] ? a.places[i] : b.places[i];
    return to;
}

template <typename T, int count> T vector_most(const device_vector<T, count> &a) {
    T most = a.places[0];
    for (int i = 1; i < count; ++i) most = a.places[i] > most ? a.places[i] : most;
    return most;
}

template <typename T, int count> T vector_least(const device_vector<T, count> &a) {
    T least = a.places[0];
    for (int i = 1; i < count; ++i) least = a.places[i] < least ? a.places[i] : least;
    return least;
}

template <typename T, int count> T vector_or(const device_vector<T, count> &a) {
    T bits = 0;
    for (int i = 0; i < count; ++i) bits |= a.places[i];
    return bits;
}

/// Of integers.
template <typename T, int count>
device_vector<T, count> vector_larger(const device_vector<T, count> &a, const device_vector<T, count> &b) {
    device_vector<T, count> to;
    for (int i = 0; i < count; ++i) to.places[i] = a.places[i] > b.places[i] ? a.places[i] : b.places[i];
    return to;
}

/// Of integers.
template <typename T, int count>
device_vector<T, count> vector_smaller(const device_vector<T, count> &a, const device_vector<T, count> &b) {
    device_vector<T, count> to;
    for (int i = 0; i < count; ++i) to.places[i] = a.places[i] < b.places[i] ? a.places[i] : b.places[i];
    return to;
}

#define __builtin_convertvector(from, vector) (vector_converted<vector>(from))
#define __builtin_shufflevector(a, b, ...) (vector_shuffled<__VA_ARGS__>(a, b))
#define __builtin_reduce_max(a) vector_most(a)
#define __builtin_reduce_min(a) vector_least(a)
#define __builtin_reduce_or(a) vector_or(a)
#define __builtin_elementwise_max(a, b) vector_larger(a, b)
#define __builtin_elementwise_min(a, b) vector_smaller(a, b)

#endif
