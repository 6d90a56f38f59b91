import QuernFormats

/// Where a server listens: `127.0.0.1:7341`, `[::1]:7341`, `0.0.0.0:7341`.
public struct ListenAddress: Sendable, Equatable, CustomStringConvertible {
    /// A name or an address, IPv6 without brackets.
    public let host: String
    /// 0 for one that the system picks.
    public let port: Int

    /// - Throws: `QuernError` `.usage` where `text` is not HOST:PORT.
    public init(_ text: String) throws {
        let parsed: (host: Substring, port: Substring)?
        if text.hasPrefix("["), let bracket = text.firstIndex(of: "]") {
            let rest = text[text.index(after: bracket)...]
            parsed = rest.first == ":" ? (text[text.index(after: text.startIndex)..<bracket], rest.dropFirst()) : nil
        } else if let colon = text.lastIndex(of: ":"), !text[..<colon].contains(":") {
            parsed = (text[..<colon], text[text.index(after: colon)...])
        } else {
            parsed = nil
        }
        guard let parsed, !parsed.host.isEmpty, !parsed.port.isEmpty,
            parsed.port.utf8.allSatisfy({ (48...57).contains($0) }), let port = Int(parsed.port), port <= 65535
        else {
            throw QuernError(
                .usage, "'\(text)' is no address to listen on", remedy: "Give HOST:PORT, such as 127.0.0.1:7341")
        }
        host = String(parsed.host)
        self.port = port
    }

    /// Whether only this machine can reach it.
    public var isLoopback: Bool { Self.isLoopback(host) }

    /// Whether a host is this machine.
    /// - Parameter host: a name or an address, IPv6 with or without brackets.
    public static func isLoopback(_ host: String) -> Bool {
        if host == "[::1]" { return true }
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
