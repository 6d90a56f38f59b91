import Logging
import QuernCUDA
import QuernFormats
import QuernKernels
import QuernWorker
import Synchronization
import TestSupport
import Testing

/// Cards, and an engine that encodes on them.
struct CardRig {
    /// Nil where they are the machine's own.
    private let simulated: SimulatedCards?
    private let log = Log()
    let engine: CardEngine

    /// - Parameters:
    ///   - settings: of simulated cards, see `SimulatedCards`; nil for any, the machine's own among them (`TestedCards`).
    ///   - computesForward: see `CardEngine`.
    init(_ settings: [String: String]? = nil, computesForward: Bool = false) throws {
        let cards = settings == nil && TestedCards.areOwn ? nil : try SimulatedCards(settings ?? [:])
        simulated = cards
        var libraries = CUDALibraries()
        if let cards { libraries = CUDALibraries(folders: [cards.path, try SimulatedCards.compilerFolder()]) }
        let driver = try CUDADriver(libraries)
        let logger = log.logger
        engine = try CardEngine(
            try driver.devices(), of: driver, libraries: libraries, computesForward: computesForward,
            cache: ProgramCache(folder: SimulatedCards.programs, logger: logger), logger: logger)
    }

    var isSimulated: Bool { simulated != nil }

    /// Changes a setting of simulated cards.
    func set(_ name: String, _ value: String) throws { try #require(simulated).set(name, value) }

    /// Expects that cards have done what was asked for: had they refused, the processor would have gone on in their place.
    /// - Parameter isRight: does something of it again, and says whether it is right. Simulated cards miscalculate then.
    func expectTheyDidIt(
        _ location: SourceLocation = #_sourceLocation, isRight: () throws -> Bool
    ) throws {
        #expect(log.isEmpty, sourceLocation: location)
        guard let simulated else { return }
        try simulated.set("FLIPS", "1")
        let isRight = try isRight()
        #expect(!isRight, sourceLocation: location)
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

    /// Whether the engine had anything to say, which it has where a card is given up or has no memory.
    private final class Log: Sendable {
        private let lines = Mutex(0)

        var isEmpty: Bool { lines.withLock { $0 == 0 } }
        var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

        private struct Handler: LogHandler {
            let log: Log
            var metadata: Logger.Metadata = [:]
            var logLevel = Logger.Level.warning

            init(log: Log) { self.log = log }

            subscript(metadataKey key: String) -> Logger.Metadata.Value? {
                get { metadata[key] }
                set { metadata[key] = newValue }
            }

            func log(event: LogEvent) { log.lines.withLock { $0 += 1 } }
        }
    }
}
