import QuernFormats
import QuernKernels

/// What encodes: the lane kernels of one instruction set, or the plain Swift reference.
enum Encoder: Hashable, Sendable, CustomStringConvertible {
    case lanes(InstructionSet)
    case reference

    static let all: [Encoder] = InstructionSet.allCases.map(Encoder.lanes) + [.reference]

    var description: String {
        switch self {
        case .lanes(let set): set.description
        case .reference: "reference"
        }
    }

    func encode(_ type: ElementType, rows: [Float], columns: Int, importance: [Float]?) -> [UInt8] {
        let size = rows.count / type.blockSize * type.blockBytes
        return [UInt8](unsafeUninitializedCapacity: size) { output, initialized in
            let output = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(output)[..<size])
            rows.withUnsafeBufferPointer { rows in
                guard let importance else { return encode(type, rows, columns, nil, output) }
                importance.withUnsafeBufferPointer { encode(type, rows, columns, $0, output) }
            }
            initialized = size
        }
    }

    private func encode(
        _ type: ElementType, _ rows: UnsafeBufferPointer<Float>, _ columns: Int,
        _ importance: UnsafeBufferPointer<Float>?, _ output: UnsafeMutableRawBufferPointer
    ) {
        switch self {
        case .lanes(let set):
            Kernels.encode(type, rows: rows, columns: columns, importance: importance, into: output, with: set)
        case .reference:
            ReferenceEncoder.encode(type, rows: rows, columns: columns, importance: importance, into: output)
        }
    }
}

func decode(_ type: ElementType, _ bytes: [UInt8], with set: InstructionSet) -> [Float] {
    let count = bytes.count / type.blockBytes * type.blockSize
    return [Float](unsafeUninitializedCapacity: count) { values, initialized in
        let values = UnsafeMutableBufferPointer(rebasing: values[..<count])
        bytes.withUnsafeBytes { Kernels.decode(type, bytes: $0, into: values, with: set) }
        initialized = count
    }
}

/// Where two encodings first differ, in words; nil where they do not.
func firstDifference(_ type: ElementType, columns: Int, _ a: [UInt8], _ b: [UInt8]) -> String? {
    if a.count != b.count { return "\(a.count) and \(b.count) bytes" }
    guard let byte = a.indices.first(where: { a[$0] != b[$0] }) else { return nil }
    let block = byte / type.blockBytes
    let blocksPerRow = columns / type.blockSize
    return "row \(block / blocksPerRow), block \(block % blocksPerRow), byte \(byte % type.blockBytes): "
        + "\(a[byte]) and \(b[byte])"
}
