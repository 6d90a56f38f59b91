/// A step that cuts a piece of text into smaller ones, or rewrites it. No merge ever crosses a cut.
protocol PreTokenizer: Sendable {
    /// - Parameters:
    ///   - piece: valid UTF-8, not empty.
    ///   - isFirst: whether it begins where the text begins.
    ///   - emit: takes the pieces, in their order; empty ones are dropped.
    func split(
        _ piece: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ scratch: EncodingScratch,
        emit: (UnsafeBufferPointer<UInt8>, _ isFirst: Bool) throws -> Void
    ) throws
}

/// What becomes of the places that a pattern matches.
enum SplitBehavior: String, Sendable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    case contiguous = "Contiguous"
}

/// Turns matches and what lies between them into pieces, as they come.
struct PieceMaker {
    private let behavior: SplitBehavior
    private let isInverted: Bool
    /// What may yet be joined with what follows.
    private var held: (range: Range<Int>, isMatch: Bool)?

    init(_ behavior: SplitBehavior, isInverted: Bool = false) {
        self.behavior = behavior
        self.isInverted = isInverted
    }

    /// - Parameter isMatch: whether the pattern matches there; parts come in their order and leave nothing out.
    @inline(__always)
    mutating func add(_ range: Range<Int>, isMatch: Bool, emit: (Range<Int>) throws -> Void) rethrows {
        let isMatch = isMatch != isInverted
        switch behavior {
        case .removed:
            if !isMatch { try emit(range) }
        case .isolated:
            try emit(range)
        case .contiguous:
            if let former = held, former.isMatch == isMatch {
                held = (former.range.lowerBound..<range.upperBound, isMatch)
            } else {
                if let former = held { try emit(former.range) }
                held = (range, isMatch)
            }
        case .mergedWithPrevious:
            if isMatch, let former = held, !former.isMatch {
                held = (former.range.lowerBound..<range.upperBound, true)
            } else {
                if let former = held { try emit(former.range) }
                held = (range, isMatch)
            }
        case .mergedWithNext:
            if !isMatch, let former = held, former.isMatch {
                try emit(former.range.lowerBound..<range.upperBound)
                held = nil
            } else {
                if let former = held { try emit(former.range) }
                held = isMatch ? (range, true) : nil
                if !isMatch { try emit(range) }
            }
        }
    }

    mutating func finish(emit: (Range<Int>) throws -> Void) rethrows {
        if let held { try emit(held.range) }
        held = nil
    }
}

extension PreTokenizer {
    /// Cuts at single characters.
    @inline(__always)
    func split(
        _ piece: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ behavior: SplitBehavior,
        where matches: (UInt32) -> Bool, emit: (UnsafeBufferPointer<UInt8>, _ isFirst: Bool) throws -> Void
    ) throws {
        var maker = PieceMaker(behavior)
        func send(_ range: Range<Int>) throws {
            try emit(UnsafeBufferPointer(rebasing: piece[range]), isFirst && range.lowerBound == 0)
        }
        var done = 0
        var index = 0
        while index < piece.count {
            let (scalar, length) = UTF8Text.scalar(piece, at: index)
            if matches(scalar) {
                if done < index { try maker.add(done..<index, isMatch: false, emit: send) }
                done = index + length
                try maker.add(index..<done, isMatch: true, emit: send)
            }
            index += length
        }
        if done < index { try maker.add(done..<index, isMatch: false, emit: send) }
        try maker.finish(emit: send)
    }
}
