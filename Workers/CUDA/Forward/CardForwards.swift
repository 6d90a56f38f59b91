import Logging
import QuernCUDA
import QuernFormats
import QuernModel

/// Forward passes on cards of one kind, whose results are the same.
final class CardForwards: Sendable {
    private let cards: [Card]
    private let library: CUDAProducts
    private let logger: Logger

    /// Tries the cards; takes those that are like the first that can multiply.
    /// - Throws: where none can, what is wrong with the first.
    init(_ cards: [Card], _ library: CUDAProducts, logger: Logger) throws {
        var taken: [(card: Card, arithmetic: String)] = []
        var failure: (any Error)?
        for card in cards {
            do {
                let arithmetic = try card.withForwardEngine(library) { engine in
                    try Canary.checkProducts(of: engine, label: card.label)
                    return engine.arithmetic
                }
                guard let first = taken.first, first.arithmetic != arithmetic else {
                    taken.append((card, arithmetic))
                    continue
                }
                logger.notice(
                    "\(card.label) computes no forward passes: it is of another kind than \(first.card.label)")
            } catch {
                let error = (error as? CUDAFailure)?.error ?? error
                logger.error("\(card.label) computes no forward passes: \(error)")
                failure = failure ?? error
            }
        }
        if taken.isEmpty, let failure { throw failure }
        (self.cards, self.library, self.logger) = (taken.map(\.card), library, logger)
    }

    /// See `ForwardEngines.withForwardEngine`.
    func withEngine<Value>(_ body: (any ForwardEngine) throws -> Value) throws -> Value {
        var last: QuernError?
        while let card = cards.filter(\.isUsable).min(by: { $0.load < $1.load }) {
            do {
                return try card.withForwardEngine(library, body)
            } catch let failure as CUDAFailure {
                guard failure.kind != .outOfMemory else { throw failure.error }
                card.retire(for: failure.error, logger)
                last = failure.error
            }
        }
        throw ForwardLoss(
            error: last
                ?? QuernError(
                    .unavailable, "no card is left that computes forward passes", at: "--forward cuda",
                    remedy: "The log says what became of them"))
    }
}
