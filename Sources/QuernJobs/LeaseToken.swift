import QuernFormats
import QuernStore

/// What opens the blobs of one work item, and takes its result, for as long as a lease holds. It says which lease that
/// is, under a code that only coordinators can make: nothing is stored for it.
public enum LeaseToken {
    /// What all begin with, so that they are told from other tokens.
    public static let prefix = "quern_lease_"

    /// - Parameter secret: shared by the coordinators of a job store.
    public static func make(for lease: Lease, secret: [UInt8]) -> String {
        let content = bytes(of: lease)
        return prefix + hex(content) + "_" + MessageAuthentication.code(of: content, key: secret).hex
    }

    /// - Returns: the lease that a token was made for; nil where it was not made with `secret`.
    public static func lease(of token: String, secret: [UInt8]) -> Lease? {
        guard token.hasPrefix(prefix), token.utf8.count <= 2048 else { return nil }
        let parts = token.dropFirst(prefix.count).split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 2, let content = unhex(parts[0]), let code = Digest(hex: parts[1]),
            MessageAuthentication.isValid(code, of: content, key: secret)
        else { return nil }
        let fields = String(decoding: content, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard fields.count == 4, let ordinal = Int(fields[1]), let fence = Int64(fields[2]) else { return nil }
        return Lease(
            item: WorkItemID(job: JobID(rawValue: String(fields[0])), ordinal: ordinal), id: String(fields[3]),
            fence: fence)
    }

    private static func bytes(of lease: Lease) -> [UInt8] {
        Array("\(lease.item.job)\n\(lease.item.ordinal)\n\(lease.fence)\n\(lease.id)".utf8)
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func unhex(_ text: Substring) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(decoding: digits[index..<index + 2], as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(byte)
        }
        return bytes
    }
}
