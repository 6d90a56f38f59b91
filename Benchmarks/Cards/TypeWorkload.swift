import Foundation
import QuernCUDA
import QuernFormats
import QuernKernels
import QuernWorker

/// Millions of weights per second of one type.
struct TypeFigures: Encodable {
    let name: String
    /// What the bus lets through: BF16 values one way, blocks the other.
    let floor: Double
    /// Of the whole card, by a worker's calls.
    let card: Double
    let cardWithImportance: Double
    /// Of one core.
    let core: Double
    let coreWithImportance: Double
    /// Whether card and processor write the same.
    let isEqual: Bool
}

/// Rows to encode: normally distributed, like the weights of a trained layer, of which BF16 has all. The same in each run.
struct TypeWorkload {
    private let setup: Setup
    private let columns: Int
    private let threads: Int
    let values: [Float]
    let importance: [Float]

    /// Values that a core is given.
    private static let coreValues = 1 << 18

    init(_ setup: Setup, rows: Int, columns: Int, threads: Int) throws {
        (self.setup, self.columns, self.threads) = (setup, columns, threads)
        var state: UInt64 = 1
        func uniform() -> Float {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(state >> 40) * 0x1p-24
        }
        values = (0..<rows * columns).map { _ in
            let value = (uniform() + uniform() + uniform() + uniform() - 2) * 0.03
            return Float(bitPattern: value.bitPattern & 0xffff_0000)
        }
        importance = (0..<columns).map { _ in uniform() + 0.01 }
    }

    func measure(_ type: ElementType, limits: Limits) throws -> TypeFigures {
        let bytesOfWeight = Double(type.blockBytes) / Double(type.blockSize)
        let few = min(values.count, max(columns, Self.coreValues / columns * columns))
        let isEqual = try [nil, importance].allSatisfy { importance in
            try encode(type, few, importance, on: setup.engine) == encode(type, few, importance, on: ProcessorEngine())
        }
        return TypeFigures(
            name: "\(type)", floor: limits.floor(bytesBack: bytesOfWeight),
            card: try rate(type, values.count, nil, threads, on: setup.engine),
            cardWithImportance: try rate(type, values.count, importance, threads, on: setup.engine),
            core: try rate(type, few, nil, 1, on: ProcessorEngine()),
            coreWithImportance: try rate(type, few, importance, 1, on: ProcessorEngine()), isEqual: isEqual)
    }

    private func encode(
        _ type: ElementType, _ count: Int, _ importance: [Float]?, on engine: any EncodingEngine
    ) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: type.bytes(elements: count) ?? 0)
        var error: EncodingError?
        try values.withUnsafeBufferPointer { values in
            try (importance ?? []).withUnsafeBufferPointer { weights in
                try bytes.withUnsafeMutableBytes {
                    try engine.encode(
                        type, rows: UnsafeBufferPointer(rebasing: values[..<count]), columns: columns,
                        importance: importance == nil ? nil : weights, into: $0, error: &error, Scratch())
                }
            }
        }
        return bytes
    }

    private func rate(
        _ type: ElementType, _ count: Int, _ importance: [Float]?, _ threads: Int, on engine: any EncodingEngine
    ) throws -> Double {
        try quern_card_benchmark.rate(weights: count, threads: threads, seconds: setup.seconds) {
            _ = try encode(type, count, importance, on: engine)
        }
    }
}
