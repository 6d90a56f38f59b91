/// Amounts of bytes as people write them.
public enum ByteCount {
    /// Parses `5GB`, `500M`, `1.5GiB`, `1048576`: K, M, G and T are decimal, with or without a B, as llama.cpp's
    /// split sizes are; KiB, MiB, GiB and TiB are binary. Case and a space before the unit do not matter.
    /// - Throws: `QuernError` `.usage` for anything else, and for what does not fit 63 bits.
    public static func parse(_ text: String) throws -> UInt64 {
        let refusal = QuernError(
            .usage, "'\(text)' is no amount of bytes", remedy: "Write it like 5GB, 500M, 1.5GiB or 1048576")
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }.lowercased()
        guard let factor = factors[unit], digits.first != ".", digits.last != "." else { throw refusal }
        if let whole = UInt64(digits) {
            let (bytes, overflow) = whole.multipliedReportingOverflow(by: factor)
            guard !overflow, bytes <= UInt64(Int64.max) else { throw refusal }
            return bytes
        }
        guard let number = Double(digits), number * Double(factor) < 0x1p63 else { throw refusal }
        return UInt64((number * Double(factor)).rounded())
    }

    private static let factors: [String: UInt64] = [
        "": 1, "b": 1,
        "k": 1000, "kb": 1000, "kib": 1 << 10,
        "m": 1_000_000, "mb": 1_000_000, "mib": 1 << 20,
        "g": 1_000_000_000, "gb": 1_000_000_000, "gib": 1 << 30,
        "t": 1_000_000_000_000, "tb": 1_000_000_000_000, "tib": 1 << 40,
    ]
}
