import Foundation
import QuernFormats
import QuernJobs

/// A job's events and progress as text for a server-sent event stream.
struct EventStream: Sendable {
    let coordinator: Coordinator
    let job: JobID
    let after: Int64

    /// Between two looks at the job; many completions make one progress event.
    private static let pause: Duration = .milliseconds(250)
    /// Silence after which a comment shows both sides that the connection lives.
    private static let silence: Duration = .seconds(15)

    /// Sends until the job has ended and all is sent, or the coordinator goes down; a client then comes back with the
    /// id of the last event it has seen.
    func run(send: (String) async throws -> Void) async throws {
        let clock = ContinuousClock()
        var last = after
        var shown: JobProgress?
        var spoke = clock.now
        while !Task.isCancelled {
            let heard = coordinator.bell.count
            // The job before its events: where it has ended, the event of its end is there too.
            let record = try await coordinator.job(job)
            var text = ""
            for event in try await coordinator.store.events(of: job, after: last) {
                text += try message(event, name: event.kind.rawValue, id: event.sequence)
                last = event.sequence
            }
            let progress = JobProgress(record)
            if progress != shown {
                text += try message(progress, name: "progress")
                shown = progress
            }
            if record.state.isFinal { text += try message(progress, name: "end") }
            if text.isEmpty, clock.now - spoke >= Self.silence { text = ": still here\n\n" }
            if !text.isEmpty {
                try await send(text)
                spoke = clock.now
            }
            if record.state.isFinal || coordinator.isDraining { return }
            await coordinator.bell.wait(after: heard, upTo: coordinator.settings.tick)
            if !coordinator.isDraining { try await Task.sleep(for: Self.pause) }
        }
    }

    private func message(_ value: some Encodable, name: String, id: Int64? = nil) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let data = String(decoding: try encoder.encode(value), as: UTF8.self)
        return "\(id.map { "id: \($0)\n" } ?? "")event: \(name)\ndata: \(data)\n\n"
    }
}
