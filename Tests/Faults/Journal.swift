import Foundation
import Synchronization

/// What a run prints: a line for each fault, what is wrong, and sums at the end.
final class Journal: Sendable {
    private struct State {
        var counts: [String: Int] = [:]
        var order: [String] = []
        var violations: [String] = []
    }
    private let begun = ContinuousClock.now
    private let state = Mutex(State())

    var seconds: Double {
        let passed = ContinuousClock.now - begun
        return Double(passed.components.seconds) + Double(passed.components.attoseconds) * 1e-18
    }

    func line(_ text: String) {
        let time = String(format: "%9.3f", seconds)
        FileHandle.standardOutput.write(Data("\(time)  \(text)\n".utf8))
    }

    /// Something that must not be.
    func violation(_ text: String) {
        state.withLock { $0.violations.append(text) }
        line("VIOLATION  \(text)")
    }

    var violations: Int { state.withLock { $0.violations.count } }

    /// Adds to a sum that is shown at the end.
    func count(_ name: String, _ number: Int = 1) {
        state.withLock { state in
            if state.counts[name] == nil { state.order.append(name) }
            state.counts[name, default: 0] += number
        }
    }

    func sum(_ name: String) -> Int { state.withLock { $0.counts[name] ?? 0 } }

    /// Prints the sums.
    /// - Returns: whether nothing was wrong.
    func summary(again command: String) -> Bool {
        let (counts, order, violations) = state.withLock { ($0.counts, $0.order, $0.violations) }
        line("summary")
        let width = order.map(\.count).max() ?? 0
        for name in order {
            line("  \(name.padding(toLength: width, withPad: " ", startingAt: 0))  \(counts[name] ?? 0)")
        }
        line("  \("seconds".padding(toLength: width, withPad: " ", startingAt: 0))  \(Int(seconds.rounded()))")
        guard !violations.isEmpty else {
            line("nothing was lost")
            return true
        }
        line("\(violations.count) violations; run it again with:  \(command)")
        for text in violations { line("  \(text)") }
        return false
    }
}
