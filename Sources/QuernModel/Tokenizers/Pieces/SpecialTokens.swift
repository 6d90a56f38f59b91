/// Finds special tokens in a text as llama.cpp does: the longest first, wherever they stand; of equal length the one with
/// the lower id first; then shorter ones in what is left.
package struct SpecialTokens: Sendable {
    private let trie: ByteTrie
    /// Tokens that take ASCII white space behind them along.
    private let strippingRight: Set<Int32>
    private let strippingLeft: Set<Int32>

    /// - Parameter tokens: texts, not empty, and ids. Those that are no UTF-8 would cut characters in two, and are left
    ///   out.
    package init(
        _ tokens: [(text: [UInt8], id: Int32)], strippingLeft: Set<Int32> = [], strippingRight: Set<Int32> = []
    ) {
        trie = ByteTrie(
            tokens.filter { String(validating: $0.text, as: UTF8.self) != nil }.map { ($0.text, $0.id) })
        self.strippingLeft = strippingLeft
        self.strippingRight = strippingRight
    }

    private struct Match {
        let start: Int
        let end: Int
        let id: Int32
    }

    /// - Parameters:
    ///   - text: called with what lies between tokens; never empty.
    ///   - token: called with the id of a token.
    package func cut(
        _ source: UnsafeBufferPointer<UInt8>, text: (Range<Int>) throws -> Void, token: (Int32) throws -> Void
    ) rethrows {
        var done = 0
        var group: [Match] = []
        var groupEnd = 0
        func settle() throws {
            for match in Self.chosen(group) {
                // White space that the token before took along may reach into this one's place.
                guard match.start >= done else { continue }
                var end = match.start
                if strippingLeft.contains(match.id) {
                    while end > done, Self.isSpace(source[end - 1]) { end -= 1 }
                }
                if done < end { try text(done..<end) }
                try token(match.id)
                done = match.end
                if strippingRight.contains(match.id) {
                    while done < source.count, Self.isSpace(source[done]) { done += 1 }
                }
            }
            group.removeAll(keepingCapacity: true)
        }
        for index in source.indices where trie.begins(with: source[index]) {
            if index >= groupEnd, !group.isEmpty { try settle() }
            trie.forEachMatch(source, at: index) { length, id in
                group.append(Match(start: index, end: index + length, id: id))
                groupEnd = max(groupEnd, index + length)
            }
        }
        try settle()
        if done < source.count { try text(done..<source.count) }
    }

    /// Of tokens that overlap, those that are found first.
    private static func chosen(_ matches: [Match]) -> [Match] {
        guard matches.count > 1 else { return matches }
        let order = matches.sorted {
            let (left, right) = ($0.end - $0.start, $1.end - $1.start)
            return left != right ? left > right : $0.id != $1.id ? $0.id < $1.id : $0.start < $1.start
        }
        // Sorted by place, without overlap.
        var taken: [Match] = []
        for match in order {
            var low = 0
            var high = taken.count
            while low < high {
                let middle = (low + high) / 2
                if taken[middle].start < match.start { low = middle + 1 } else { high = middle }
            }
            if low < taken.count, taken[low].start < match.end { continue }
            if low > 0, taken[low - 1].end > match.start { continue }
            taken.insert(match, at: low)
        }
        return taken
    }

    /// `isspace` of C.
    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}
