import QuernFormats

/// How often a request is sent to a server that cannot be reached or is busy, and how long is waited in between.
package struct Patience: Sendable {
    /// How often it is sent at most.
    package var attempts = 5
    /// Each further pause is twice as long.
    package var pause: Duration = .milliseconds(200)
    /// The longest that a server may ask to be left alone.
    package var longest: Duration = .seconds(30)

    package init() {}

    /// An attempt that failed, and how long the server wants to be left alone.
    struct Failure: Error {
        let error: QuernError
        let wait: Duration?
    }

    /// Makes attempts until one succeeds.
    /// - Parameter attempt: an error `.unavailable` is one that may pass. `Failure` says more of it.
    /// - Throws: the error of the last attempt, or the first that will not pass; `.cancelled`, naming `place`.
    func spend<Value: Sendable>(
        at place: String, _ attempt: @Sendable () async throws -> Value
    ) async throws -> Value {
        var pause = pause
        var made = 0
        while true {
            let failure: Failure
            do {
                return try await attempt()
            } catch let error as Failure {
                failure = error
            } catch let error as QuernError {
                failure = Failure(error: error, wait: nil)
            }
            made += 1
            let wait = failure.wait ?? .zero
            guard failure.error.code == .unavailable, made < attempts, wait <= longest else { throw failure.error }
            do {
                // Spread, so that all who were told the same do not come back at once.
                try await Task.sleep(for: max(pause, wait) * Double.random(in: 1...1.5))
            } catch {
                throw QuernError.cancelledRequest(at: place)
            }
            pause *= 2
        }
    }
}
