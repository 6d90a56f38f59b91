import Logging
import Synchronization

/// What was logged, for waiting.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])

    var logger: Logger {
        Logger(label: "test") { _ in Handler(lines: self) }
    }

    /// Lines that contain `words`.
    func count(of words: String) -> Int { lines.withLock { $0.count { $0.contains(words) } } }

    /// Returns once a line has come that contains `words`; lines up to that are spent.
    func wait(for words: String) async {
        while true {
            let found = lines.withLock { lines in
                guard let index = lines.firstIndex(where: { $0.contains(words) }) else { return false }
                lines.removeSubrange(...index)
                return true
            }
            if found { return }
            try? await Task.sleep(for: .milliseconds(5))
        }
    }

    private struct Handler: LogHandler {
        let lines: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.notice

        init(lines: LogLines) { self.lines = lines }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.lines.withLock { $0.append("\(event.message)") }
        }
    }
}
