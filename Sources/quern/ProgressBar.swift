import Foundation
import QuernJobs

/// Shows how far a job is: a bar that redraws itself on a terminal, a plain line now and then elsewhere.
final class ProgressBar {
    /// How progress is told.
    enum Style: Sendable {
        /// A bar on a terminal, lines elsewhere, on standard error.
        case human
        /// JSON objects on standard output.
        case json
        case silent
    }

    private let style: Style
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    /// Cost that was done before this process looked: it must not count as speed.
    private var costBefore: Int64?
    private var lastLine: ContinuousClock.Instant?
    private var drawn = false
    /// What the job waits for, and since when.
    private var waiting: (text: String, since: ContinuousClock.Instant)?
    private var said: String?

    init(_ style: Style) {
        self.style = style
        start = clock.now
    }

    func show(_ record: JobRecord) throws {
        let before = costBefore ?? record.progress.costDone
        costBefore = before
        let waiting = lasting(record.waiting)
        switch style {
        case .silent: return
        case .json:
            guard due(every: .seconds(1)) else { return }
            try Console.json(JSONProgress(record, waiting: waiting))
        case .human:
            say(waiting)
            if Console.isTerminal {
                Console.draw("\r\u{1B}[K" + text(record, before: before, width: 28))
                drawn = true
            } else if due(every: .seconds(5)) {
                Console.error(text(record, before: before, width: 0))
            }
        }
    }

    /// What a job waits for, once it has done so for a while: workers come and go.
    private func lasting(_ text: String?) -> String? {
        guard let text else {
            waiting = nil
            return nil
        }
        if let waiting, waiting.text == text { return clock.now - waiting.since < .seconds(3) ? nil : text }
        waiting = (text, clock.now)
        return nil
    }

    /// Says what a job waits for, when that changes: on a line of its own, for it may be long.
    private func say(_ waiting: String?) {
        guard waiting != said else { return }
        said = waiting
        guard let waiting else { return }
        finish()
        Console.error("waiting: \(waiting)")
    }

    /// Shows a share of something that has no job.
    /// - Parameters:
    ///   - fraction: in [0, 1].
    ///   - what: what is being done: `117 chunks`.
    func show(_ fraction: Double, of what: String) throws {
        let seconds = (clock.now - start) / .seconds(1)
        var text = Self.bar(fraction, width: Console.isTerminal ? 28 : 0) + " of \(what)"
        if fraction > 0.01 { text += ", \(Console.duration(seconds: seconds / fraction * (1 - fraction))) left" }
        switch style {
        case .silent: return
        case .json:
            if due(every: .seconds(1)) { try Console.json(Share(fraction: fraction)) }
        case .human where Console.isTerminal:
            guard due(every: .milliseconds(100)) else { return }
            Console.draw("\r\u{1B}[K" + text)
            drawn = true
        case .human:
            if due(every: .seconds(5)) { Console.error(text) }
        }
    }

    /// Leaves the cursor on a line of its own.
    func finish() {
        if drawn { Console.draw("\r\u{1B}[K") }
        drawn = false
    }

    private func due(every interval: Duration) -> Bool {
        let now = clock.now
        if let lastLine, now - lastLine < interval { return false }
        lastLine = now
        return true
    }

    private func text(_ record: JobRecord, before: Int64, width: Int) -> String {
        let progress = record.progress
        let fraction = progress.costTotal > 0 ? Double(progress.costDone) / Double(progress.costTotal) : 0
        let seconds = (clock.now - start) / .seconds(1)
        let rate = seconds > 0.2 ? Double(progress.costDone - before) / seconds : 0
        var text = Self.bar(fraction, width: width)
        text += " \(Console.size(progress.costDone)) of \(Console.size(progress.costTotal))"
        if rate > 0 {
            text += ", \(Console.size(Int64(rate)))/s"
            text += ", \(Console.duration(seconds: Double(progress.costTotal - progress.costDone) / rate)) left"
        }
        if record.state != .running { text += ", \(record.state.rawValue)" }
        return text
    }

    /// - Parameter width: of the bar; 0 for none.
    private static func bar(_ fraction: Double, width: Int) -> String {
        let percent = String(format: "%3d%%", Int(fraction * 100))
        guard width > 0 else { return percent }
        let full = min(max(Int(fraction * Double(width)), 0), width)
        return percent + " [" + String(repeating: "█", count: full) + String(repeating: "░", count: width - full) + "]"
    }

    private struct Share: Encodable {
        let event = "progress"
        let fraction: Double
    }

    private struct JSONProgress: Encodable {
        let event = "progress"
        let job: String
        let state: String
        let bytesDone: Int64
        let bytesTotal: Int64
        let items: [String: Int]
        let waiting: String?

        init(_ record: JobRecord, waiting: String?) {
            job = record.id.rawValue
            state = record.state.rawValue
            bytesDone = record.progress.costDone
            bytesTotal = record.progress.costTotal
            items = record.progress.items
            self.waiting = waiting
        }
    }
}
