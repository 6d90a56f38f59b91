import Foundation
import Logging

/// Logs of the processes that serve: lines on standard error, where a supervisor collects them.
enum Log {
    static func logger(_ label: String) -> Logger {
        var logger = Logger(label: label) { StreamLogHandler.standardError(label: $0) }
        logger.logLevel =
            ProcessInfo.processInfo.environment["QUERN_LOG"].flatMap(Logger.Level.init(rawValue:)) ?? .info
        return logger
    }
}
