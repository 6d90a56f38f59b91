// Which kernel serves which numbers of weights.

static bool quantize(const quern_weight_layout *layout, const float *from, size_t rows, size_t columns,
                     const quern_weight_parts *to) {
    switch (layout->numbers) {
    case quern_weight_packed4:
        quantize_integer(layout, from, rows, columns, to, 4, 8);
        return true;
    case quern_weight_packed8:
        quantize_integer(layout, from, rows, columns, to, 8, 128);
        return true;
    case quern_weight_int8:
        quantize_integer(layout, from, rows, columns, to, 8, 0);
        return true;
    case quern_weight_e4m3:
        if (layout->source == quern_type_f16) quantize_float_f16(layout, from, rows, columns, to);
        else if (layout->source == quern_type_bf16) quantize_float_bf16(layout, from, rows, columns, to);
        else quantize_float_f32(layout, from, rows, columns, to);
        return true;
    case quern_weight_nvfp4:
        quantize_nvfp4(layout, from, rows * columns / 16, to);
        return true;
    case quern_weight_mxfp4:
        quantize_mxfp4(layout, from, rows * columns / 32, to);
        return true;
    case quern_weight_nf4:
        quantize_nf4(from, rows * columns / nf4_group, to);
        return true;
    case quern_weight_absmax8:
        quantize_absmax8(from, rows, columns, to);
        return true;
    default:
        return false;
    }
}

static bool dequantize(const quern_weight_layout *layout, const quern_weight_parts *from, size_t rows, size_t columns,
                       float *to) {
    switch (layout->numbers) {
    case quern_weight_packed4:
        dequantize_integer(layout, from, rows, columns, to, 4, 8);
        return true;
    case quern_weight_packed8:
        dequantize_integer(layout, from, rows, columns, to, 8, 128);
        return true;
    case quern_weight_int8:
        dequantize_integer(layout, from, rows, columns, to, 8, 0);
        return true;
    case quern_weight_e4m3:
        dequantize_float(layout, from, rows, columns, to);
        return true;
    case quern_weight_nvfp4:
        dequantize_nvfp4(layout, from, rows * columns / 16, to);
        return true;
    case quern_weight_mxfp4:
        dequantize_mxfp4(from, rows * columns / 32, to);
        return true;
    case quern_weight_nf4:
        dequantize_nf4(from, rows * columns / nf4_group, to);
        return true;
    case quern_weight_absmax8:
        dequantize_absmax8(from, rows, columns, to);
        return true;
    default:
        return false;
    }
}
