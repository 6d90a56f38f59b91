import QuernFormats
import Testing

@Suite struct PatternCostTests {
    @Test(arguments: [
        "", "attn_v", ".*down_proj", #"blk\.(1|2|3)\.ffn_(up|down)"#, #"blk\.[0-9]+\.attn_.*"#, "a*b*c*d*", "(ab)+",
        #"\(a+\)+"#, "[(*+)]+", "[]*+(]+x", "[^]*+(]+x", #"[\](+]+x"#, "(?:ab)+c", "(?=a)b", "x{3}", "(a+)b", "(a|b)c?",
    ])
    func areTaken(_ pattern: String) throws {
        try PatternCost.check(pattern)
    }

    @Test(arguments: [
        "(a+)+", "(a*)*b", "((a+)b?)+c", "^(([a-z0-9._]+)+)+$X", "(a|a)*b", "(a|ab){50}", "(a?){50}", "((a){2,9})+",
        "a*a*a*a*a*b", "a+b+c+d+e{2,}", "(?:a+)+", #"(\)a+)+"#,
    ])
    func mayTakeForever(_ pattern: String) throws {
        let error = #expect(throws: QuernError.self) { try PatternCost.check(pattern, "of a test: ") }
        #expect(error?.code == .usage)
        #expect(error?.message.hasPrefix("matching of a test: ") == true)
        #expect(error?.message.hasSuffix(" may take forever") == true)
    }
}
