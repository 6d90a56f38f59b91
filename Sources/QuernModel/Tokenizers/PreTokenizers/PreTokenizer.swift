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

/// Cuts a piece at matches, as they come.
struct PieceMaker {
    typealias Emit = (UnsafeBufferPointer<UInt8>, _ isFirst: Bool) throws -> Void

    private let piece: UnsafeBufferPointer<UInt8>
    private let isFirst: Bool
    private let behavior: SplitBehavior
    private let isInverted: Bool
    /// Where the last match ended.
    private var done = 0
    /// What may yet be joined with what follows.
    private var held: (range: Range<Int>, isMatch: Bool)?

    /// - Parameters:
    ///   - isFirst: whether the piece begins where the text begins.
    ///   - isInverted: whether matches count as what lies between them, and the other way round.
    init(
        _ piece: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ behavior: SplitBehavior, isInverted: Bool = false
    ) {
        self.piece = piece
        self.isFirst = isFirst
        self.behavior = behavior
        self.isInverted = isInverted
    }

    /// Takes a match; they come from left to right, without overlap.
    @inline(__always)
    mutating func match(_ range: Range<Int>, emit: Emit) throws {
        if done < range.lowerBound { try add(done..<range.lowerBound, isMatch: false, emit: emit) }
        try add(range, isMatch: true, emit: emit)
        done = range.upperBound
    }

    /// To be called after the last match.
    mutating func finish(emit: Emit) throws {
        if done < piece.count { try add(done..<piece.count, isMatch: false, emit: emit) }
        if let held { try send(held.range, emit) }
        held = nil
    }

    @inline(__always)
    private func send(_ range: Range<Int>, _ emit: Emit) throws {
        try emit(UnsafeBufferPointer(rebasing: piece[range]), isFirst && range.lowerBound == 0)
    }

    /// - Parameter isMatch: whether the pattern matches there; parts come in their order and leave nothing out.
    @inline(__always)
    private mutating func add(_ range: Range<Int>, isMatch: Bool, emit: Emit) throws {
        let isMatch = isMatch != isInverted
        switch behavior {
        case .removed:
            if !isMatch { try send(range, emit) }
        case .isolated:
            try send(range, emit)
        case .contiguous:
            if let former = held, former.isMatch == isMatch {
                held = (former.range.lowerBound..<range.upperBound, isMatch)
            } else {
                if let former = held { try send(former.range, emit) }
                held = (range, isMatch)
            }
        case .mergedWithPrevious:
            if isMatch, let former = held, !former.isMatch {
                held = (former.range.lowerBound..<range.upperBound, true)
            } else {
                if let former = held { try send(former.range, emit) }
                held = (range, isMatch)
            }
        case .mergedWithNext:
            if !isMatch, let former = held, former.isMatch {
                try send(former.range.lowerBound..<range.upperBound, emit)
                held = nil
            } else {
                if let former = held { try send(former.range, emit) }
                held = isMatch ? (range, true) : nil
                if !isMatch { try send(range, emit) }
            }
        }
    }
}

extension PreTokenizer {
    /// Cuts at single characters.
    @inline(__always)
    func split(
        _ piece: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ behavior: SplitBehavior,
        where matches: (UInt32) -> Bool, emit: (UnsafeBufferPointer<UInt8>, _ isFirst: Bool) throws -> Void
    ) throws {
        var maker = PieceMaker(piece, isFirst: isFirst, behavior)
        var index = 0
        while index < piece.count {
            let (scalar, length) = UTF8Text.scalar(piece, at: index)
            if matches(scalar) { try maker.match(index..<index + length, emit: emit) }
            index += length
        }
        try maker.finish(emit: emit)
    }
}
