import Synchronization

/// How much of a folder has been read, on a terminal.
final class ReadingBar: Sendable {
    private let shows: Bool
    private let shown = Mutex<UInt64?>(nil)

    init(shows: Bool) { self.shows = shows && Console.isTerminal }

    /// May be called from any thread, and often: it draws whole percents.
    func show(_ read: UInt64, of total: UInt64) {
        guard shows, total > 0 else { return }
        let percent = min(100, UInt64(Double(read) / Double(total) * 100))
        shown.withLock { shown in
            guard shown.map({ $0 < percent }) ?? true else { return }
            shown = percent
            Console.draw("\r\u{1B}[Kreading \(percent)% of \(Console.size(total))")
        }
    }

    func finish() {
        if shown.withLock({ $0 }) != nil { Console.draw("\r\u{1B}[K") }
    }
}
