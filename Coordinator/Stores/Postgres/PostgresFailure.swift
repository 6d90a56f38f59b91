import QuernFormats

/// What PostgreSQL, or the way to it, objects to.
struct PostgresFailure: Error {
    /// The SQLSTATE; empty where the server did not get to say anything.
    let state: String
    let message: String
    /// Whether the connection can still be used.
    let connectionLost: Bool

    /// Two transactions got into each other's way; the same again may well succeed.
    var mayPassWhenRepeated: Bool { ["40001", "40P01", "55P03"].contains(state) }

    /// A statement that was prepared is not there, or is there already: a pooler in front of the server, such as
    /// PgBouncer, gives each transaction another connection.
    var isOfPreparedStatement: Bool { ["26000", "42P05"].contains(state) }

    var error: QuernError {
        let detail = message.isEmpty ? "" : ": \(message)"
        if connectionLost || state.hasPrefix("08") || state.hasPrefix("57P") {
            return QuernError(
                .unavailable, "the job database cannot be reached\(detail)",
                remedy: "Check that PostgreSQL runs and that its URL is right; calls are repeated until it is back")
        }
        if mayPassWhenRepeated {
            return QuernError(.unavailable, "the job database is too busy\(detail)", remedy: "Try again")
        }
        switch state.prefix(2) {
        case "53":
            return QuernError(
                state == "53100" ? .outOfSpace : .unavailable, "the job database has run out of something\(detail)",
                remedy: "Give PostgreSQL more room")
        case "42":
            return QuernError(
                state == "42501" ? .unauthorized : .internalFault, "the job database rejects a statement\(detail)")
        default:
            return QuernError(.internalFault, "the job database fails with SQLSTATE \(state)\(detail)")
        }
    }
}
