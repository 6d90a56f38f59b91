// One register of lanes: REGISTER of them, for loops that would spill wider lanes.

#if defined(PERMUTE_LANES)
#define REGISTER PERMUTE_LANES
#elif LANES > 1
#define REGISTER 4
#else
#define REGISTER 1
#endif

#if REGISTER == 1
typedef float register_float;
typedef int32_t register_int;
#else
typedef VECTOR(float, REGISTER) register_float;
typedef VECTOR(int32_t, REGISTER) register_int;
#endif
/// All ones or zero.
typedef register_int register_mask;

KERNEL register_float register_to_float(register_int a) {
#if REGISTER == 1
    return (float)a;
#else
    return __builtin_convertvector(a, register_float);
#endif
}

KERNEL register_mask register_less(register_float a, register_float b) {
#if REGISTER == 1
    return a < b ? -1 : 0;
#else
    return a < b;
#endif
}

KERNEL register_float register_pick(register_mask mask, register_float a, register_float b) { return mask ? a : b; }
KERNEL register_int register_pick_int(register_mask mask, register_int a, register_int b) { return mask ? a : b; }

/// See `nearest_within`.
KERNEL register_float register_nearest_within(register_float a, int low, int high) {
#if REGISTER == 1
    return nearest_within(a, low, high);
#else
    const register_int wrapped = ((register_int)(a + ROUNDING) & 0x7fffff) | 0x4b000000;
    const register_int held = __builtin_elementwise_min(
        __builtin_elementwise_max(wrapped, (register_int)(ROUNDING_BITS + low)), (register_int)(ROUNDING_BITS + high));
    return (register_float)held - ROUNDING;
#endif
}

/// a where it is less than b, else b.
KERNEL register_float register_least(register_float a, float b) {
    return register_pick(register_less(a, (register_float)b), a, (register_float)b);
}

/// a where it is greater than b, else b.
KERNEL register_float register_most(register_float a, float b) {
    return register_pick(register_less((register_float)b, a), a, (register_float)b);
}

/// Bit i is set where lane i of `a` has one of the bits of `mask`.
KERNEL uint32_t register_lanes_with(register_int a, int32_t mask) {
#if REGISTER == 1
    return (a & mask) != 0;
#else
    typedef VECTOR(bool, REGISTER) register_bool;
    const register_bool set = __builtin_convertvector((a & mask) != 0, register_bool);
    uint32_t lanes = 0;
    memcpy(&lanes, &set, sizeof set);
    return lanes;
#endif
}
