import Foundation
import QuernFormats
import QuernJobs

extension CoordinatorClient {
    /// What happens to a job from event `sequence` on, until the job has ended and all its events have come.
    ///
    /// A broken connection is mended without losing or repeating an event; only when the coordinator cannot be
    /// reached for `patience` does the sequence throw `.unavailable`.
    public func watch(
        _ id: JobID, after sequence: Int64 = 0, patience: Duration = .seconds(60)
    ) -> AsyncThrowingStream<JobUpdate, any Error> {
        AsyncThrowingStream { continuation in
            let task = Task {
                do {
                    try await follow(id, after: sequence, patience: patience) { continuation.yield($0) }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    private func follow(
        _ id: JobID, after sequence: Int64, patience: Duration, deliver: (JobUpdate) -> Void
    ) async throws {
        let clock = ContinuousClock()
        var last = sequence
        var deadline = clock.now + patience
        while true {
            do {
                let ended = try await read(id, after: &last) { update in
                    deadline = clock.now + patience
                    deliver(update)
                }
                if ended { return }
            } catch let error as QuernError where error.code == .unavailable && clock.now < deadline {
                // Tried again below.
            }
            do {
                try await Task.sleep(for: .seconds(1))
            } catch {
                throw QuernError(.cancelled, "watching was cancelled", at: id.rawValue)
            }
        }
    }

    /// Reads one connection's events.
    /// - Returns: whether the coordinator said that there will be no more.
    private func read(
        _ id: JobID, after sequence: inout Int64, deliver: (JobUpdate) -> Void
    ) async throws -> Bool {
        let response = try await transport.response(
            .get, "\(path(of: id))/events",
            headers: [("Accept", "text/event-stream"), ("Last-Event-ID", String(sequence))])
        try await transport.check(response)
        var parser = EventStreamParser()
        do {
            for try await buffer in response.body {
                guard let events = parser.feed(buffer.readableBytesView) else {
                    throw QuernError(.invalidInput, "the answer is no stream of events", at: url)
                }
                for event in events {
                    switch event.name {
                    case "end": return true
                    case "progress": deliver(.progress(try decode(event.data)))
                    default:
                        let update: JobEvent = try decode(event.data)
                        sequence = max(sequence, update.sequence)
                        deliver(.event(update))
                    }
                }
            }
        } catch {
            throw transport.unreachable(error)
        }
        return false
    }

    private func decode<Value: Decodable>(_ text: String) throws -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: Data(text.utf8))
        } catch {
            throw QuernError(
                .invalidInput, "an event cannot be read: \(error)", at: url,
                remedy: "Use the same version of quern on both sides")
        }
    }
}
