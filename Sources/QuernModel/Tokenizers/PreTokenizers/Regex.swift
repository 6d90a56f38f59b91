import COniguruma
import QuernFormats

/// A regular expression as tokenizer files have them: Oniguruma's own syntax over UTF-8, which is what the tokenizers
/// library takes. Patterns come from files, so what matching may cost is limited.
package final class Regex: @unchecked Sendable {
    // A compiled expression does not change, and matching keeps its state elsewhere.
    private let compiled: OnigRegex
    let pattern: String

    /// Bytes of a pattern.
    private static let maximumBytes = 1 << 16

    private static let isReady: Bool = {
        var encoding = quern_onig_utf8()
        return onig_initialize(&encoding, 1) == ONIG_NORMAL
    }()

    /// - Throws: `.invalidInput`, saying what is wrong with the pattern.
    package init(_ pattern: String) throws {
        guard Self.isReady else { throw QuernError(.internalFault, "Oniguruma does not start") }
        self.pattern = pattern
        let bytes = Array(pattern.utf8)
        guard bytes.count <= Self.maximumBytes else {
            throw QuernError(
                .invalidInput, "a pattern of \(bytes.count) bytes, at most \(Self.maximumBytes) are allowed")
        }
        var compiled: OnigRegex?
        var info = OnigErrorInfo()
        let status = bytes.withUnsafeBufferPointer { text -> Int32 in
            // An empty pattern has no address of its own.
            let none: [UInt8] = [0]
            return none.withUnsafeBufferPointer { spare in
                guard let start = text.isEmpty ? spare.baseAddress : text.baseAddress else { return ONIGERR_MEMORY }
                return onig_new(
                    &compiled, start, start + text.count, OnigOptionType(ONIG_OPTION_NONE), quern_onig_utf8(),
                    quern_onig_syntax(), &info)
            }
        }
        guard status == ONIG_NORMAL, let compiled else {
            throw QuernError(
                .invalidInput,
                "the pattern \(pattern.quotedForMessage) is no regular expression: \(Self.text(status, &info))")
        }
        self.compiled = compiled
    }

    deinit { onig_free(compiled) }

    /// Calls `found` with every match in `text`, from left to right; matches do not overlap, and an empty match does
    /// not follow another match at once.
    /// - Throws: `.unsupported` where matching takes too many steps.
    package func forEachMatch(
        in text: UnsafeBufferPointer<UInt8>, _ memory: RegexMemory, _ found: (Range<Int>) throws -> Void
    ) throws {
        guard let start = text.baseAddress else { return }
        var position = 0
        var lastEnd = -1
        var budget = RegexBudget(bytes: text.count)
        while position <= text.count {
            guard let match = try search(start, text.count, from: position, memory, &budget) else { return }
            if match.isEmpty, match.lowerBound == lastEnd {
                position += position < text.count ? UTF8Text.length(text[position]) : 1
                continue
            }
            position = match.upperBound
            lastEnd = match.upperBound
            try found(match)
        }
    }

    private func search(
        _ start: UnsafePointer<UInt8>, _ count: Int, from position: Int, _ memory: RegexMemory,
        _ budget: inout RegexBudget
    ) throws -> Range<Int>? {
        var limit = RegexBudget.firstLimit
        while true {
            memory.setLimit(limit)
            let status = onig_search_with_param(
                compiled, start, start + count, start + position, start + count, memory.region,
                OnigOptionType(ONIG_OPTION_NONE), memory.parameters)
            if status >= 0 { return memory.match }
            if status == ONIG_MISMATCH { return nil }
            let isCostly = status == ONIGERR_RETRY_LIMIT_IN_SEARCH_OVER || status == ONIGERR_RETRY_LIMIT_IN_MATCH_OVER
            guard isCostly, limit < RegexBudget.lastLimit + 4 * (count - position), budget.spend(limit) else {
                var info = OnigErrorInfo()
                throw QuernError(
                    .unsupported,
                    "the pattern \(pattern.quotedForMessage) fails on the text at byte \(position): \(Self.text(Int32(truncatingIfNeeded: status), &info))",
                    remedy:
                        "Either the text has a run of millions of like characters: break it; or the pattern is made to take too long"
                )
            }
            limit *= 8
        }
    }

    private static func text(_ status: Int32, _ info: inout OnigErrorInfo) -> String {
        var buffer = [UInt8](repeating: 0, count: Int(ONIG_MAX_ERROR_MESSAGE_LEN))
        let count = buffer.withUnsafeMutableBufferPointer { quern_onig_error($0.baseAddress, status, &info) }
        return String(decoding: buffer.prefix(max(0, min(Int(count), buffer.count))), as: UTF8.self)
    }
}

/// What matching over one text may cost in all. Steps back are counted by the library, but only against a limit that is
/// given beforehand: searches begin with a low one, and what reaches it is paid for and tried again with a higher one.
private struct RegexBudget {
    static let firstLimit = 4096
    static let lastLimit = 2 << 20
    private var left: Int

    init(bytes: Int) { left = (128 << 20) + 64 * bytes }

    mutating func spend(_ steps: Int) -> Bool {
        left -= steps
        return left >= 0
    }
}

/// What Oniguruma writes to while it searches; for one thread at a time.
package final class RegexMemory {
    fileprivate let region: UnsafeMutablePointer<OnigRegion>
    fileprivate let parameters: OpaquePointer
    private var limit = 0

    /// Saved places in one match: of long runs that a pattern goes back through. 40 bytes each.
    private static let maximumStack: UInt32 = 4 << 20

    package init() throws {
        guard let region = onig_region_new(), let parameters = onig_new_match_param() else {
            throw QuernError(.outOfMemory, "no memory for matching patterns")
        }
        self.region = region
        self.parameters = parameters
        onig_initialize_match_param(parameters)
        onig_set_match_stack_limit_size_of_match_param(parameters, Self.maximumStack)
    }

    deinit {
        onig_region_free(region, 1)
        onig_free_match_param(parameters)
    }

    fileprivate func setLimit(_ steps: Int) {
        guard steps != limit else { return }
        limit = steps
        onig_set_retry_limit_in_search_of_match_param(parameters, UInt(steps))
        onig_set_retry_limit_in_match_of_match_param(parameters, UInt(steps))
    }

    fileprivate var match: Range<Int> { Int(region.pointee.beg[0])..<Int(region.pointee.end[0]) }
}
