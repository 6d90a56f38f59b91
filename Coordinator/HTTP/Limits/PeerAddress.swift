import NIOCore

/// Where a connection comes from, as limits tell callers apart: an IPv4 address, or the first half of an IPv6 address,
/// which is what one subscriber has all to himself.
struct PeerAddress: Hashable, Sendable, CustomStringConvertible {
    let description: String

    init(_ address: SocketAddress?) {
        switch address {
        case .v4(let address): description = SocketAddress(address.address).ipAddress ?? "?"
        case .v6(let address):
            let bytes = withUnsafeBytes(of: address.address.sin6_addr) { Array($0) }
            // An IPv4 address in the clothes of IPv6 (RFC 4291, 2.5.5.2).
            if bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF {
                description = bytes[12...].map(String.init).joined(separator: ".")
            } else {
                let groups = stride(from: 0, to: 8, by: 2).map { index in
                    String(UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1]), radix: 16)
                }
                description = groups.joined(separator: ":") + "::/64"
            }
        default: description = "local"
        }
    }
}
