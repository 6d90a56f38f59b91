import Foundation

/// Cards for tests that want nothing special of them: simulated ones, or the machine's own where `QUERN_TEST_CARDS` says
/// `own`.
public final class TestedCards: Sendable {
    /// Whether they are the machine's own.
    public static let areOwn = ProcessInfo.processInfo.environment["QUERN_TEST_CARDS"] == "own"

    private let simulated: SimulatedCards?

    /// - Parameter mustFail: whether they are to do what only simulated cards can be told to do.
    public init(mustFail: Bool = false) throws { simulated = Self.areOwn && !mustFail ? nil : try SimulatedCards() }

    /// The environment of a program that is to find them.
    /// - Parameter settings: of simulated ones; the machine's are as they are.
    public func environment(_ settings: [String: String] = [:]) throws -> [String: String] {
        try simulated?.environment(settings) ?? [:]
    }
}
