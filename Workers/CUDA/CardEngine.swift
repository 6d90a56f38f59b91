import Logging
import QuernCUDA
import QuernFormats
import QuernKernels
import QuernModel
import Synchronization

/// Encodes on NVIDIA cards, and computes forward passes there. A call goes to the card that has the least to do; what no
/// card can take, for lack of memory or because it has failed, the processor does: the bytes of blocks are the same.
package final class CardEngine: ComputeEngine {
    private let cards: [Card]
    private let processor = ProcessorEngine()
    private let products: Result<CUDAProducts, QuernError>
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
    /// - Throws: where no card can be used, what is wrong with the first.
    package init(
        _ devices: [CUDADevice], of driver: CUDADriver, libraries: CUDALibraries = CUDALibraries(),
        cache: ProgramCache, logger: Logger
    ) throws {
        self.logger = logger
        let compiler = Result { () throws(QuernError) in
            try CUDACompiler(libraries, driver: driver.version)
        }
        products = Result { () throws(QuernError) in try CUDAProducts(libraries, driver: driver.version) }
        if case .failure(let error) = products { logger.notice("forward passes stay on the processor: \(error)") }
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
    }

    package func encode(
        _ type: ElementType, rows: UnsafeBufferPointer<Float>, columns: Int,
        importance: UnsafeBufferPointer<Float>?, into encoded: UnsafeMutableRawBufferPointer,
        error: inout EncodingError?, _ scratch: Scratch
    ) throws {
        guard DeviceProgram.types.contains(type) else {
            return try processor.encode(
                type, rows: rows, columns: columns, importance: importance, into: encoded, error: &error, scratch)
        }
        while let card = cards.filter(\.isUsable).min(by: { $0.load < $1.load }) {
            do {
                return try card.encode(
                    type, rows: rows, columns: columns, importance: importance, into: encoded, error: &error)
            } catch let failure as CUDAFailure where failure.kind == .outOfMemory {
                tell(of: failure, on: card)
                break
            } catch {
                // Whatever it was, it is not the item's fault.
                retire(card, for: (error as? CUDAFailure)?.error ?? error)
            }
        }
        try processor.encode(
            type, rows: rows, columns: columns, importance: importance, into: encoded, error: &error, scratch)
    }

    package func withForwardEngine<Value>(_ body: (any ForwardEngine) throws -> Value) throws -> Value {
        guard case .success(let library) = products else { return try processor.withForwardEngine(body) }
        while let card = cards.filter(\.mayMultiply).min(by: { $0.load < $1.load }) {
            do {
                return try card.withForwardEngine(library, body)
            } catch let failure as CUDAFailure where failure.kind == .outOfMemory {
                tell(of: failure, on: card)
                break
            } catch let failure as CUDAFailure {
                retire(card, for: failure.error)
            } catch let obstacle as Card.ForwardObstacle {
                logger.notice("\(card.label) computes no forward passes: \(obstacle.error)")
            } catch let error as QuernError where error.code == .corrupted && error.location == card.label {
                retire(card, for: error)
            }
        }
        return try processor.withForwardEngine(body)
    }

    private func tell(of failure: CUDAFailure, on card: Card) {
        let isNew = toldOfMemory.withLock { told in
            defer { told = true }
            return !told
        }
        guard isNew else { return }
        logger.warning("the processor takes over what \(card.label) has no memory for: \(failure.error)")
    }

    private func retire(_ card: Card, for error: any Error) {
        if card.retire() { logger.error("\(card.label) takes no more work: \(error)") }
    }
}
