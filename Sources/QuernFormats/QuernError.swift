/// The one error that reaches a user: what went wrong, where, and what to do about it.
public struct QuernError: Error, Sendable, Equatable {
    /// What a caller can act on; it decides exit statuses, HTTP statuses and whether a retry makes sense.
    public enum Code: String, Sendable, Codable, CaseIterable {
        /// The request itself is wrong: an unknown preset, a bad flag.
        case usage
        /// A file or message breaks its format, or asks for the impossible.
        case invalidInput
        /// Well-formed, but nothing here can handle it.
        case unsupported
        case notFound
        /// The state forbids it: a lease was lost, a job has ended, a source has changed.
        case conflict
        case unauthorized
        case outOfSpace
        case outOfMemory
        /// The other side cannot be reached, or did not answer.
        case unavailable
        case cancelled
        /// Stored bytes do not have the digest they should have.
        case corrupted
        case io
        case internalFault
    }

    public let code: Code
    /// What went wrong, in one sentence without a full stop.
    public let message: String
    /// Where: a file, a tensor, an offset, a field. Empty where the message says it all.
    public let location: String
    /// What the reader can do. Empty where nothing helps.
    public let remedy: String

    /// Names in the texts may come from anywhere: characters that steer a terminal are spelled out, and each of the texts
    /// is cut behind 2000 characters.
    public init(_ code: Code, _ message: String, at location: String = "", remedy: String = "") {
        self.code = code
        self.message = message.shown(Self.longestText)
        self.location = location.shown(Self.longestText)
        self.remedy = remedy.shown(Self.longestText)
    }

    private static let longestText = 2000

    /// The same error seen from further out, for example with the file a parser could not know.
    public func located(in place: String) -> QuernError {
        QuernError(code, message, at: location.isEmpty ? place : "\(place): \(location)", remedy: remedy)
    }
}

extension QuernError: CustomStringConvertible {
    public var description: String {
        var text = location.isEmpty ? message : "\(location): \(message)"
        if !remedy.isEmpty { text += ". \(remedy)" }
        return text
    }
}
