import QuernFormats

/// The exit statuses that scripts rely on. Thrown by a command that has said all there is to say.
enum ExitStatus: Int32, Error {
    case done = 0
    case failed = 1
    case usage = 2
    case unreachable = 3
    case unauthorized = 4
    case cancelled = 5
    case verificationFailed = 6

    init(_ error: QuernError) {
        switch error.code {
        case .usage: self = .usage
        case .unavailable: self = .unreachable
        case .unauthorized: self = .unauthorized
        case .cancelled: self = .cancelled
        default: self = .failed
        }
    }
}
