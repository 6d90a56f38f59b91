import QuernFormats

/// The body of an HTTP error (RFC 9457, `application/problem+json`), with what a `QuernError` holds beside it, so that
/// a client throws the very error that the coordinator threw.
public struct Problem: Sendable, Codable, Equatable {
    /// A URN that names the kind of error.
    public let type: String
    public let title: String
    /// The HTTP status.
    public let status: Int
    /// What went wrong, in one sentence.
    public let detail: String
    public let code: QuernError.Code
    public let location: String?
    public let remedy: String?

    public static let mediaType = "application/problem+json"

    /// - Parameter status: where HTTP has a more exact one than the code's own (405, 413, 415 …).
    public init(_ error: QuernError, status: Int? = nil) {
        type = "urn:quern:error:\(error.code.rawValue)"
        title = error.code.title
        self.status = status ?? error.code.httpStatus
        detail = error.message
        code = error.code
        location = error.location.isEmpty ? nil : error.location
        remedy = error.remedy.isEmpty ? nil : error.remedy
    }

    public var error: QuernError {
        QuernError(code, detail, at: location ?? "", remedy: remedy ?? "")
    }
}

extension QuernError.Code {
    /// Codes and HTTP statuses. From a code to its status the first row counts, and so it does on the way back; rows
    /// that come later only say how to read a status which something between client and coordinator may send. (401 asks
    /// for a token, and is only ever sent with what says so.)
    private static let statuses: [(code: QuernError.Code, status: Int)] = [
        (.usage, 400), (.invalidInput, 422), (.unsupported, 501), (.notFound, 404), (.conflict, 409),
        (.unauthorized, 403), (.outOfSpace, 507), (.unavailable, 503), (.cancelled, 499), (.internalFault, 500),
        (.outOfMemory, 500), (.corrupted, 500), (.io, 500),
        (.unauthorized, 401), (.usage, 405), (.unavailable, 408), (.invalidInput, 413), (.unsupported, 415),
        (.unavailable, 429), (.unavailable, 502), (.unavailable, 504),
    ]

    public var httpStatus: Int {
        Self.statuses.first { $0.code == self }?.status ?? 500
    }

    /// The best guess for an error response that is no problem document, such as a proxy's.
    public init(httpStatus: Int) {
        self =
            Self.statuses.first { $0.status == httpStatus }?.code
            ?? (400..<500 ~= httpStatus ? .usage : .internalFault)
    }

    /// A few words for people.
    public var title: String {
        switch self {
        case .usage: "Bad request"
        case .invalidInput: "Invalid input"
        case .unsupported: "Not supported"
        case .notFound: "Not found"
        case .conflict: "Conflict"
        case .unauthorized: "Not authorized"
        case .outOfSpace: "Out of space"
        case .outOfMemory: "Out of memory"
        case .unavailable: "Unavailable"
        case .cancelled: "Cancelled"
        case .corrupted: "Stored bytes are damaged"
        case .io: "Input or output failed"
        case .internalFault: "Internal fault"
        }
    }
}
