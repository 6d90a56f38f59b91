extension Double {
    /// The number that the tokenizers library makes of this one's shortest decimal form: its JSON reader (serde_json,
    /// as it comes) rounds the digits and then the quotient or product with a power of ten, which can be off by one in
    /// the last place. It matters where two cuts of a word are equally likely but for that.
    var asSerdeReadsIt: Double {
        var significand: UInt64 = 0
        var exponent = 0
        var isFraction = false
        var text = description.utf8[...]
        let isNegative = text.first == UInt8(ascii: "-")
        if isNegative { text = text.dropFirst() }
        while let byte = text.first, byte != UInt8(ascii: "e") {
            text = text.dropFirst()
            if byte == UInt8(ascii: ".") {
                isFraction = true
                continue
            }
            // At most 17 digits, and zeros, which a number of 20 digits may overflow with.
            let (product, overflow) = significand.multipliedReportingOverflow(by: 10)
            guard !overflow, byte >= UInt8(ascii: "0") else { return self }
            significand = product &+ UInt64(byte - UInt8(ascii: "0"))
            if isFraction { exponent -= 1 }
        }
        if text.first == UInt8(ascii: "e") { exponent += Int(String(text.dropFirst()) ?? "") ?? 0 }

        guard let power = Double("1e\(abs(exponent))"), power.isFinite else { return self }
        let magnitude = exponent >= 0 ? Double(significand) * power : Double(significand) / power
        return isNegative ? -magnitude : magnitude
    }
}
