// Which kernel serves which type.

static bool encode(uint32_t type, const float *from, size_t rows, size_t columns, const float *importance,
                   uint8_t *to) {
    const size_t count = rows * columns;
    switch (type) {
    case quern_type_f32:
        memcpy(to, from, count * sizeof(float));
        return true;
    case quern_type_f16:
        encode_f16(from, count, to);
        return true;
    case quern_type_bf16:
        encode_bf16(from, count, to);
        return true;
    case quern_type_q8_0:
        encode_q8_0(from, count / 32, to);
        return true;
    case quern_type_q4_0:
        encode_q4_0(from, rows, columns, importance, to);
        return true;
    case quern_type_q4_1:
        encode_q4_1(from, rows, columns, importance, to);
        return true;
    case quern_type_q5_0:
        encode_q5_0(from, rows, columns, importance, to);
        return true;
    case quern_type_q5_1:
        encode_q5_1(from, rows, columns, importance, to);
        return true;
    case quern_type_q2_k:
        encode_q2_k(from, count / 256, columns, importance, to);
        return true;
    case quern_type_q3_k:
        encode_q3_k(from, count / 256, columns, importance, to);
        return true;
    case quern_type_q4_k:
        encode_q4_k(from, count / 256, columns, importance, to);
        return true;
    case quern_type_q5_k:
        encode_q5_k(from, count / 256, columns, importance, to);
        return true;
    case quern_type_q6_k:
        encode_q6_k(from, count / 256, columns, importance, to);
        return true;
    case quern_type_iq2_xxs:
        encode_iq2_xxs(from, count / 256, columns, importance, to);
        return true;
    case quern_type_iq2_xs:
        encode_iq2_xs(from, count / 256, columns, importance, to);
        return true;
    case quern_type_iq2_s:
        encode_iq2_s(from, count / 256, columns, importance, to);
        return true;
    case quern_type_iq3_xxs:
        encode_iq3_xxs(from, count / 256, columns, importance, to);
        return true;
    case quern_type_iq4_nl:
        encode_iq4_nl(from, count / 32, columns, importance, to);
        return true;
    case quern_type_iq3_s:
        encode_iq3_s(from, count / 256, columns, importance, to);
        return true;
    case quern_type_iq4_xs:
        encode_iq4_xs(from, count / 256, columns, importance, to);
        return true;
    case quern_type_iq1_s:
        encode_iq1_s(from, count / 256, columns, importance, to);
        return true;
    case quern_type_iq1_m:
        encode_iq1_m(from, count / 256, columns, importance, to);
        return true;
    case quern_type_mxfp4:
        encode_mxfp4(from, count / 32, to);
        return true;
    case quern_type_nvfp4:
        encode_nvfp4(from, count / 64, to);
        return true;
    case quern_type_tq1_0:
        encode_tq1_0(from, count / 256, to);
        return true;
    case quern_type_tq2_0:
        encode_tq2_0(from, count / 256, to);
        return true;
    case quern_type_q1_0:
        encode_q1_0(from, count / 128, to);
        return true;
    case quern_type_q2_0:
        encode_q2_0(from, count / 64, to);
        return true;
    default:
        return false;
    }
}

static bool decode(uint32_t type, const uint8_t *from, size_t elements, float *to) {
    switch (type) {
    case quern_type_f32:
        memcpy(to, from, elements * sizeof(float));
        return true;
    case quern_type_f16:
        decode_f16(from, elements, to);
        return true;
    case quern_type_bf16:
        decode_bf16(from, elements, to);
        return true;
    case quern_type_q8_0:
        decode_q8_0(from, elements / 32, to);
        return true;
    case quern_type_q4_0:
        decode_q4_0(from, elements / 32, to);
        return true;
    case quern_type_q4_1:
        decode_q4_1(from, elements / 32, to);
        return true;
    case quern_type_q5_0:
        decode_q5_0(from, elements / 32, to);
        return true;
    case quern_type_q5_1:
        decode_q5_1(from, elements / 32, to);
        return true;
    case quern_type_q2_k:
        decode_q2_k(from, elements / 256, to);
        return true;
    case quern_type_q3_k:
        decode_q3_k(from, elements / 256, to);
        return true;
    case quern_type_q4_k:
        decode_q4_k(from, elements / 256, to);
        return true;
    case quern_type_q5_k:
        decode_q5_k(from, elements / 256, to);
        return true;
    case quern_type_q6_k:
        decode_q6_k(from, elements / 256, to);
        return true;
    case quern_type_iq2_xxs:
        decode_iq2_xxs(from, elements / 256, to);
        return true;
    case quern_type_iq2_xs:
        decode_iq2_xs(from, elements / 256, to);
        return true;
    case quern_type_iq2_s:
        decode_iq2_s(from, elements / 256, to);
        return true;
    case quern_type_iq3_xxs:
        decode_iq3_xxs(from, elements / 256, to);
        return true;
    case quern_type_iq4_nl:
        decode_iq4_nl(from, elements / 32, to);
        return true;
    case quern_type_iq3_s:
        decode_iq3_s(from, elements / 256, to);
        return true;
    case quern_type_iq4_xs:
        decode_iq4_xs(from, elements / 256, to);
        return true;
    case quern_type_iq1_s:
        decode_iq1_s(from, elements / 256, to);
        return true;
    case quern_type_iq1_m:
        decode_iq1_m(from, elements / 256, to);
        return true;
    case quern_type_mxfp4:
        decode_mxfp4(from, elements / 32, to);
        return true;
    case quern_type_nvfp4:
        decode_nvfp4(from, elements / 64, to);
        return true;
    case quern_type_tq1_0:
        decode_tq1_0(from, elements / 256, to);
        return true;
    case quern_type_tq2_0:
        decode_tq2_0(from, elements / 256, to);
        return true;
    case quern_type_q1_0:
        decode_q1_0(from, elements / 128, to);
        return true;
    case quern_type_q2_0:
        decode_q2_0(from, elements / 64, to);
        return true;
    default:
        return false;
    }
}

#ifndef QUERN_DEVICE
const quern_kernel_table KERNEL_TABLE = {
    encode,   decode,     row_error,         first_non_finite, softmax,       divergence,
    moments,  quantize,   dequantize,        fit,               fit_scratch,   refine_scratch,
    refine,       factor,   quadratic, add_products, largest_magnitude, FORWARD_TABLE};
#endif
