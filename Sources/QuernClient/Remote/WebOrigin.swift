import Foundation

/// Scheme, host and port of an address: secrets are good for one of them.
package struct WebOrigin: Sendable, Equatable {
    package let scheme: String
    /// In lower case.
    package let host: String
    package let port: Int

    /// Nil for what is no `http` or `https` address, and for one with a user in it.
    package init?(_ url: String) {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme?.lowercased(),
            ["http", "https"].contains(scheme), let host = parts.percentEncodedHost?.lowercased(), !host.isEmpty,
            parts.user == nil, parts.password == nil
        else { return nil }
        self.scheme = scheme
        self.host = host
        port = parts.port ?? (scheme == "https" ? 443 : 80)
    }

    /// With the port unless it is the scheme's own: as lists of hosts have it.
    package var name: String { port == (scheme == "https" ? 443 : 80) ? host : "\(host):\(port)" }

    /// Whether it is an address that means something else on every machine, such as the metadata service of a cloud:
    /// 169.254.0.0/16, fe80::/10, fd00:ec2::/32.
    package var isLinkLocal: Bool {
        let host = host.trimmingCharacters(in: ["[", "]"])
        var four = in_addr()
        // Also forms such as 0xa9fea9fe and 2852039166.
        if inet_aton(host, &four) != 0 { return UInt32(bigEndian: four.s_addr) >> 16 == 0xA9FE }
        var six = in6_addr()
        guard inet_pton(AF_INET6, host, &six) == 1 else { return false }
        let bytes = withUnsafeBytes(of: &six, Array.init)
        let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        return bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80
            || isMapped && bytes[12] == 169 && bytes[13] == 254
            || bytes[..<4].elementsEqual([0xFD, 0x00, 0x0E, 0xC2])
    }
}
