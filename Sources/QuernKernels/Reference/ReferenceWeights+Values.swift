import Foundation
import QuernFormats

extension ReferenceWeights {
    /// What `Kernels.dequantize` computes.
    /// - Parameter components: what `quantize` returns.
    public static func dequantize(
        _ format: WeightFormat, source: SafetensorsType, components: [WeightComponent: [UInt8]], rows: Int,
        columns: Int, globalScale: Float? = nil
    ) -> [Float] {
        let codes = components[.packed] ?? components[.weight] ?? []
        let scales = components[.scale] ?? []
        let width = format.group ?? columns
        let groups = (columns + width - 1) / width
        return (0..<rows).flatMap { row in
            (0..<columns).map { column in
                let group = (format == .floatBlocks ? row / WeightFormat.blockLength : row) * groups + column / width
                switch format {
                case .packed(let bits, _, _):
                    let perWord = 32 / bits
                    let wordsPerRow = (columns + perWord - 1) / perWord
                    let zero = components[.zeroPoint].map {
                        field(bits, of: $0, word: row / perWord * groups + column / width, place: row % perWord)
                    }
                    let code = field(
                        bits, of: codes, word: row * wordsPerRow + column / perWord, place: column % perWord)
                    return Float(code - (zero ?? 1 << (bits - 1))) * source.number(group, of: scales)
                case .integer:
                    return Float(Int8(bitPattern: codes[row * columns + column])) * source.number(group, of: scales)
                case .float, .floatBlocks:
                    let code = codes[row * columns + column]
                    let magnitude = ReferenceSmallFloat.e4m3.values[Int(code & 0x7f)]
                    return (code < 0x80 ? magnitude : -magnitude) * source.number(group, of: scales)
                case .nvfp4:
                    let scale = ReferenceSmallFloat.e4m3.values[Int(scales[group])] / (globalScale ?? 1)
                    return fp4(row * columns + column, of: codes) * scale
                case .mxfp4:
                    return fp4(row * columns + column, of: codes) * scalbn(Float(1), Int(scales[group]) - 127)
                case .nf4:
                    let byte = codes[(row * columns + column) / 2]
                    let code = column % 2 == 0 ? byte >> 4 : byte & 15
                    return NF4.codes[Int(code)] * SafetensorsType.f32.number(group, of: scales)
                case .absmax8:
                    let step = SafetensorsType.f32.number(group, of: scales) / 127
                    return Float(Int8(bitPattern: codes[row * columns + column])) * step
                }
            }
        }
    }

    private static func fp4(_ index: Int, of codes: [UInt8]) -> Float {
        let code = Int(codes[index / 2] >> (index % 2 * 4) & 15)
        let magnitude = ReferenceSmallFloat.e2m1.values[code & 7]
        return code < 8 ? magnitude : -magnitude
    }

    private static func field(_ bits: Int, of bytes: [UInt8], word: Int, place: Int) -> Int {
        let bit = place * bits
        return Int(bytes[word * 4 + bit / 8]) >> (bit % 8) & ((1 << bits) - 1)
    }
}

extension SafetensorsType {
    /// Number `index` of bytes of this type.
    fileprivate func number(_ index: Int, of bytes: [UInt8]) -> Float {
        let size = bits / 8
        let pattern = (0..<size).reduce(UInt32(0)) { $0 | UInt32(bytes[index * size + $1]) << UInt32($1 * 8) }
        return switch self {
        case .f16: Float(Float16(bitPattern: UInt16(pattern)))
        case .bf16: Float(bitPattern: pattern << 16)
        default: Float(bitPattern: pattern)
        }
    }
}
