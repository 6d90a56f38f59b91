// What the kernels' bodies need of the language they are written in, for compilers of CUDA C++ (NVRTC) and, to hold
// device code against the other builds, for a C++ compiler of the host.
#ifndef QUERN_DEVICE_PRELUDE_H
#define QUERN_DEVICE_PRELUDE_H

#include "vectors.h"

#define VECTOR(element, count) device_vector<element, count>
#define CHOOSE(mask, a, b) vector_chosen(mask, a, b)
#define LITERAL(type) type
#define KERNEL static __forceinline__
#define ENCODER static

#ifdef __CUDACC_RTC__
#define UNROLL _Pragma("unroll")
#define UNROLL_BY_FOUR _Pragma("unroll 4")
#define __builtin_sqrtf(a) __fsqrt_rn(a)
#define __builtin_sqrt(a) __dsqrt_rn(a)
#define __builtin_inff() __int_as_float(0x7f800000)
#define __builtin_clz(a) __clz((int)(a))
#define __builtin_ctz(a) (__ffs((int)(a)) - 1)
#define __builtin_parity(a) (__popc(a) & 1)
#else
#pragma STDC FP_CONTRACT OFF
#define __forceinline__ inline __attribute__((always_inline))
#define UNROLL
#define UNROLL_BY_FOUR
#endif

#endif
