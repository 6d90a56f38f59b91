/// A part of a word on its way to being a token.
struct Symbol {
    /// Negative where the text is no token.
    var id: Int32
    /// Bytes of the word.
    var start: UInt32
    var length: UInt32
}

/// What may be merged, and what first.
protocol MergeRule {
    /// - Returns: rank in the upper half, made id in the lower; all ones where the two do not merge.
    func merge(_ left: Symbol, _ right: Symbol) -> UInt64
}

/// Merges the symbols of a word, always the pair of the lowest rank, of equals the leftmost, until none merges
/// (Sennrich et al., arXiv:1508.07909).
struct Merging {
    /// The symbols of the word: in, and merged, out.
    var symbols: [Symbol] = []
    /// By symbol: its merge with the next one.
    private var offers: [UInt64] = []
    private var previous: [Int32] = []
    private var next: [Int32] = []
    /// A binary heap of rank and position.
    private var heap: [UInt64] = []

    private static let none = UInt64.max
    /// Up to here, looking at all pairs again is faster than keeping a heap.
    private static let scanned = 48
    private static let turnsBetweenChecks = 1 << 16

    /// Makes every character of the word a symbol.
    mutating func cut(_ word: UnsafeBufferPointer<UInt8>, ids: ByteTable) {
        symbols.removeAll(keepingCapacity: true)
        var index = 0
        while index < word.count {
            let length = min(UTF8Text.length(word[index]), word.count - index)
            let text = UnsafeBufferPointer(rebasing: word[index..<index + length])
            symbols.append(
                Symbol(id: ids[text] ?? -1, start: UInt32(truncatingIfNeeded: index), length: UInt32(length)))
            index += length
        }
    }

    /// - Parameter check: called now and then where there is much to merge; what it throws ends the work.
    mutating func merge(by rule: some MergeRule, check: () throws -> Void) rethrows {
        guard symbols.count > 1 else { return }
        offers.removeAll(keepingCapacity: true)
        for index in 0..<symbols.count - 1 { offers.append(rule.merge(symbols[index], symbols[index + 1])) }
        offers.append(Self.none)
        if symbols.count <= Self.scanned { scan(by: rule) } else { try mergeByHeap(rule, check) }
    }

    private mutating func scan(by rule: some MergeRule) {
        while true {
            var best = Self.none >> 32
            var place = -1
            for (index, offer) in offers.enumerated() where offer >> 32 < best {
                best = offer >> 32
                place = index
            }
            // A rank of all ones cannot be told from none, but there are not that many merges.
            guard place >= 0 else { return }
            symbols[place].id = Self.id(offers[place])
            symbols[place].length += symbols[place + 1].length
            symbols.remove(at: place + 1)
            offers.remove(at: place)
            offers[place] =
                place + 1 < symbols.count ? rule.merge(symbols[place], symbols[place + 1]) : Self.none
            if place > 0 { offers[place - 1] = rule.merge(symbols[place - 1], symbols[place]) }
        }
    }

    private mutating func mergeByHeap(_ rule: some MergeRule, _ check: () throws -> Void) rethrows {
        let count = symbols.count
        previous = (0..<Int32(count)).map { $0 - 1 }
        next = (0..<Int32(count)).map { $0 + 1 < Int32(count) ? $0 + 1 : -1 }
        heap.removeAll(keepingCapacity: true)
        for index in 0..<count where offers[index] != Self.none { push(index) }
        var turns = 0
        while let top = pop() {
            turns += 1
            if turns % Self.turnsBetweenChecks == 0 { try check() }
            let place = Int(top & 0xFFFF_FFFF)
            // Entries are not taken back when a neighbour merges; an offer that has changed shows it.
            guard offers[place] != Self.none, offers[place] >> 32 == top >> 32, next[place] >= 0 else { continue }
            let right = Int(next[place])
            symbols[place].id = Self.id(offers[place])
            symbols[place].length += symbols[right].length
            symbols[right].length = 0
            offers[right] = Self.none
            next[place] = next[right]
            if next[right] >= 0 { previous[Int(next[right])] = Int32(place) }
            offers[place] =
                next[place] >= 0 ? rule.merge(symbols[place], symbols[Int(next[place])]) : Self.none
            if offers[place] != Self.none { push(place) }
            if previous[place] >= 0 {
                let left = Int(previous[place])
                offers[left] = rule.merge(symbols[left], symbols[place])
                if offers[left] != Self.none { push(left) }
            }
        }
        symbols.removeAll { $0.length == 0 }
    }

    private static func id(_ offer: UInt64) -> Int32 { Int32(truncatingIfNeeded: offer) }

    private mutating func push(_ place: Int) {
        heap.append((offers[place] & ~0xFFFF_FFFF) | UInt64(place))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child] < heap[parent] else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func pop() -> UInt64? {
        guard let top = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return top }
        heap[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { return top }
            if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
            guard heap[child] < heap[parent] else { return top }
            heap.swapAt(child, parent)
            parent = child
        }
    }
}
