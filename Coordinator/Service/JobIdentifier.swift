import Foundation
import QuernFormats
import QuernJobs
import QuernStore

extension JobID {
    /// Crockford's base 32: no I, L, O, U; sorts as the numbers do.
    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz")

    /// Nine characters of milliseconds since 1970, so that ids sort by age, and seven random ones.
    static func random(at time: Date = Date()) -> JobID {
        let milliseconds = UInt64(max(0, time.timeIntervalSince1970 * 1000))
        return JobID(
            rawValue: text(milliseconds, digits: 9)
                + text(UInt64.random(in: 0..<(1 << 35)), digits: 7))
    }

    /// The id of the job that is submitted under an idempotency key, the same on every coordinator: a repeated
    /// submission finds its job before anything is planned. 80 bits of the key's sha256.
    public static func of(idempotencyKey key: String) -> JobID {
        let digest = Digest(of: Array(key.utf8)).bytes
        let words = [digest[0..<5], digest[5..<10]].map { $0.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
        return JobID(rawValue: "k" + text(words[0], digits: 8) + text(words[1], digits: 8))
    }

    private static func text(_ number: UInt64, digits: Int) -> String {
        String((0..<digits).map { alphabet[Int(number >> (5 * UInt64(digits - 1 - $0)) & 31)] })
    }
}

extension String {
    /// Whether the job database takes it for a name: 1 to 255 characters, and none is NUL, which PostgreSQL does not
    /// hold: what stands for it there would make two names the same.
    var isName: Bool { (1...255).contains(unicodeScalars.count) && !utf8.contains(0) }
}
