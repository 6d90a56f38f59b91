import Logging
import QuernCUDA
import QuernFormats
import QuernKernels
import QuernWorker
import TestSupport

/// Simulated cards, and an engine that encodes on them.
struct CardRig {
    let cards: SimulatedCards
    let engine: CardEngine

    /// - Parameters:
    ///   - settings: see `SimulatedCards`.
    ///   - computesForward: see `CardEngine`.
    init(_ settings: [String: String] = [:], computesForward: Bool = false) throws {
        cards = try SimulatedCards(settings)
        let driver = try CUDADriver(CUDALibraries(folders: [cards.path]))
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        engine = try CardEngine(
            try driver.devices(), of: driver,
            libraries: CUDALibraries(folders: [cards.path, try SimulatedCards.compilerFolder()]),
            computesForward: computesForward,
            cache: ProgramCache(folder: SimulatedCards.programs, logger: logger), logger: logger)
    }

    struct Encoded: Equatable {
        let bytes: [UInt8]
        let error: EncodingError?
    }

    /// Rows in a type, and what was lost of them after something else was lost.
    static func encode(
        _ type: ElementType, _ rows: [Float], columns: Int, importance: [Float]?, on engine: any EncodingEngine
    ) throws -> Encoded {
        var bytes = [UInt8](repeating: 0, count: type.bytes(elements: rows.count) ?? 0)
        var error: EncodingError? = EncodingError(squaredError: 1e-3, squaredNorm: 1e3)
        try rows.withUnsafeBufferPointer { rows in
            try bytes.withUnsafeMutableBytes { bytes in
                try (importance ?? []).withUnsafeBufferPointer { weights in
                    try engine.encode(
                        type, rows: rows, columns: columns, importance: importance == nil ? nil : weights, into: bytes,
                        error: &error, Scratch())
                }
            }
        }
        return Encoded(bytes: bytes, error: error)
    }

    /// The same from the cards and from the processor.
    func both(
        _ type: ElementType, _ rows: [Float], columns: Int, importance: [Float]? = nil
    ) throws -> (cards: Encoded, processor: Encoded) {
        (
            try Self.encode(type, rows, columns: columns, importance: importance, on: engine),
            try Self.encode(type, rows, columns: columns, importance: importance, on: ProcessorEngine())
        )
    }
}
