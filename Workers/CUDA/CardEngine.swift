import Logging
import QuernCUDA
import QuernFormats
import QuernJobs
import QuernKernels
import QuernModel
import Synchronization

/// Encodes on NVIDIA cards. A call goes to the card that has the least to do; what no card can take, for lack of memory or
/// because it has failed, the processor does: the bytes are the same.
package final class CardEngine: ComputeEngine {
    private let cards: [Card]
    private let processor = ProcessorEngine()
    private let forwards: CardForwards?
    private let logger: Logger
    private let toldOfMemory = Mutex(false)

    /// Blocks enough for all multiprocessors of a large card, most of them of 256 elements, from a few calls.
    package let chunkElements = 8 << 20

    /// Buffers that the card copies from and to, and those of what is copied there.
    package var memory: Int64 { Int64(chunkElements) * 4 * 4 }

    /// Makes the cards ready. What each of them encodes is compared with what the processor does, before anything else.
    /// - Parameters:
    ///   - driver: that of the devices.
    ///   - libraries: where the compiler and cuBLASLt are looked for.
    ///   - computesForward: whether forward passes can be computed on the cards, too.
    /// - Throws: where no card can be used, what is wrong with the first.
    package init(
        _ devices: [CUDADevice], of driver: CUDADriver, libraries: CUDALibraries = CUDALibraries(),
        computesForward: Bool = false, cache: ProgramCache, logger: Logger
    ) throws {
        self.logger = logger
        let compiler = Result { () throws(QuernError) in
            try CUDACompiler(libraries, driver: driver.version)
        }
        let products = computesForward ? try CUDAProducts(libraries, driver: driver.version) : nil
        var cards: [Card] = []
        var failures: [(label: String, error: any Error)] = []
        for device in devices {
            do {
                let card = try Card(driver, device, compiler: compiler, cache: cache)
                try card.prove(.q4_K)
                cards.append(card)
            } catch {
                failures.append((device.label, (error as? CUDAFailure)?.error ?? error))
            }
        }
        if cards.isEmpty, let first = failures.first { throw first.error }
        for failure in failures { logger.error("\(failure.label) takes no work: \(failure.error)") }
        self.cards = cards
        forwards = try products.map { try CardForwards(cards, $0, logger: logger) }
    }

    package func encode(
        _ type: ElementType, rows: UnsafeBufferPointer<Float>, columns: Int,
        importance: UnsafeBufferPointer<Float>?, into encoded: UnsafeMutableRawBufferPointer,
        error: inout EncodingError?, _ scratch: Scratch
    ) throws {
        let isDone =
            DeviceProgram.types.contains(type)
            && withCard { card in
                try card.encode(
                    type, rows: rows, columns: columns, importance: importance, into: encoded, error: &error)
            } != nil
        guard !isDone else { return }
        try processor.encode(
            type, rows: rows, columns: columns, importance: importance, into: encoded, error: &error, scratch)
    }

    package func refine(
        _ type: ElementType, rows: UnsafeBufferPointer<Float>, columns: Int, by refining: Refining,
        into encoded: UnsafeMutableRawBufferPointer, error: inout EncodingError?, _ scratch: Scratch
    ) throws {
        let isDone =
            withCard { card in
                try card.refine(type, rows: rows, columns: columns, by: refining, into: encoded, error: &error)
            } != nil
        guard !isDone else { return }
        try processor.refine(
            type, rows: rows, columns: columns, by: refining, into: encoded, error: &error, scratch)
    }

    package func round(
        _ rows: UnsafeBufferPointer<Float>, by rounding: WeightRounding, original: UnsafeBufferPointer<Float>,
        into outputs: [WeightComponent: UnsafeMutableRawBufferPointer], error: inout EncodingError, _ scratch: Scratch
    ) throws {
        let isDone =
            withCard { card in
                try card.round(rows, by: rounding, original: original, into: outputs, error: &error)
            } != nil
        guard !isDone else { return }
        try processor.round(rows, by: rounding, original: original, into: outputs, error: &error, scratch)
    }

    package func factor(_ strips: UnsafeMutableBufferPointer<Float>, count: Int) -> Bool {
        withCard { try $0.factor(strips, count: count) } ?? processor.factor(strips, count: count)
    }

    /// Gives something to the card that has the least to do, and to the next where that fails.
    /// - Returns: nil where no card can take it; nothing has come of it then.
    private func withCard<Value>(_ body: (Card) throws -> Value) -> Value? {
        while let card = cards.filter(\.isUsable).min(by: { $0.load < $1.load }) {
            do {
                return try body(card)
            } catch let failure as CUDAFailure where failure.kind == .outOfMemory {
                let isNew = toldOfMemory.withLock { told in
                    defer { told = true }
                    return !told
                }
                if isNew {
                    logger.warning("the processor takes over what \(card.label) has no memory for: \(failure.error)")
                }
                return nil
            } catch {
                // Whatever it was, it is not the item's fault.
                card.retire(for: (error as? CUDAFailure)?.error ?? error, logger)
            }
        }
        return nil
    }

    package func forwardObstacle(on device: ForwardDevice) -> QuernError? {
        device == .cuda && forwards != nil ? nil : processor.forwardObstacle(on: device)
    }

    package func withForwardEngine<Value>(
        on device: ForwardDevice, _ body: (any ForwardEngine) throws -> Value
    ) throws -> Value {
        guard device == .cuda, let forwards else { return try processor.withForwardEngine(on: device, body) }
        return try forwards.withEngine(body)
    }
}
