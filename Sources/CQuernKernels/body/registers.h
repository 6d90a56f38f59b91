// One register of lanes: REGISTER of them, for loops that run as often as the slowest lane needs, and that would spill
// wider lanes.

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
typedef float register_float __attribute__((ext_vector_type(REGISTER)));
typedef int32_t register_int __attribute__((ext_vector_type(REGISTER)));
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

KERNEL register_int register_least(register_int a, int32_t b) {
#if REGISTER == 1
    return a < b ? a : b;
#else
    return __builtin_elementwise_min(a, (register_int)b);
#endif
}

/// The largest lane.
KERNEL int32_t register_largest(register_int a) {
#if REGISTER == 1
    return a;
#else
    return __builtin_reduce_max(a);
#endif
}

/// Shifts in zeros.
KERNEL register_int register_shift_down(register_int a, int places) {
#if REGISTER == 1
    return (int32_t)((uint32_t)a >> places);
#else
    typedef uint32_t register_word __attribute__((ext_vector_type(REGISTER)));
    return (register_int)((register_word)a >> (uint32_t)places);
#endif
}

/// table[index] of each lane.
KERNEL register_int register_gather(const uint32_t *table, register_int index) {
#if REGISTER == 1
    return (int32_t)table[index];
#elif REGISTER == 16
    return (register_int)__builtin_ia32_gathersiv16si((register_int)0, table, index, (uint16_t)0xffff, 4);
#elif REGISTER == 8
    return (register_int)__builtin_ia32_gatherd_d256((register_int)0, (const int *)table, index, ~(register_int)0, 4);
#else
    register_int values;
    for (int lane = 0; lane < REGISTER; ++lane) values[lane] = (int32_t)table[index[lane]];
    return values;
#endif
}
