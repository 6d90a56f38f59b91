/// Cuts at characters of a class.
struct CharacterSplit: PreTokenizer {
    enum Class: Sendable {
        case whitespace
        case numeric
        case punctuation
        case character(UInt32)
    }

    let characters: Class
    let behavior: SplitBehavior

    func split(
        _ piece: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ scratch: EncodingScratch,
        emit: (UnsafeBufferPointer<UInt8>, _ isFirst: Bool) throws -> Void
    ) throws {
        switch characters {
        case .whitespace:
            try split(piece, isFirst: isFirst, behavior, where: CharacterClasses.isWhitespace, emit: emit)
        case .numeric:
            try split(piece, isFirst: isFirst, behavior, where: CharacterClasses.isNumeric, emit: emit)
        case .punctuation:
            try split(piece, isFirst: isFirst, behavior, where: CharacterClasses.isPunctuation, emit: emit)
        case .character(let wanted):
            try split(piece, isFirst: isFirst, behavior, where: { $0 == wanted }, emit: emit)
        }
    }
}

/// Runs of word characters, and runs of what is neither word nor white space.
struct WordSplit: PreTokenizer {
    func split(
        _ piece: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ scratch: EncodingScratch,
        emit: (UnsafeBufferPointer<UInt8>, _ isFirst: Bool) throws -> Void
    ) throws {
        enum Kind { case word, space, other }
        var start = 0
        var former = Kind.space
        var index = 0
        func send(_ end: Int) throws {
            if former != .space { try emit(UnsafeBufferPointer(rebasing: piece[start..<end]), isFirst && start == 0) }
        }
        while index < piece.count {
            let (scalar, length) = UTF8Text.scalar(piece, at: index)
            let kind: Kind =
                CharacterClasses.isWord(scalar) ? .word : CharacterClasses.isWhitespace(scalar) ? .space : .other
            if kind != former {
                try send(index)
                start = index
                former = kind
            }
            index += length
        }
        try send(index)
    }
}

/// Pieces of a fixed number of characters.
struct FixedLengthSplit: PreTokenizer {
    /// At least 1.
    let length: Int

    func split(
        _ piece: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ scratch: EncodingScratch,
        emit: (UnsafeBufferPointer<UInt8>, _ isFirst: Bool) throws -> Void
    ) throws {
        var start = 0
        var index = 0
        var characters = 0
        while index < piece.count {
            index = min(piece.count, index + UTF8Text.length(piece[index]))
            characters += 1
            if characters == length || index >= piece.count {
                try emit(UnsafeBufferPointer(rebasing: piece[start..<index]), isFirst && start == 0)
                start = index
                characters = 0
            }
        }
    }
}

/// Spells spaces as a visible character, puts one before the text, and cuts before each.
struct MetaspaceStep: PreTokenizer {
    enum Prefix: String, Sendable {
        case always
        case first
        case never
    }

    let replacement: UInt32
    let prefix: Prefix
    let splits: Bool

    func split(
        _ piece: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ scratch: EncodingScratch,
        emit: (UnsafeBufferPointer<UInt8>, _ isFirst: Bool) throws -> Void
    ) throws {
        var mark: [UInt8] = []
        UTF8Text.append(replacement, to: &mark)
        var text: [UInt8] = []
        text.reserveCapacity(piece.count + piece.count / 2 + 4)
        if piece.first != UInt8(ascii: " "), !piece.starts(with: mark), prefix == .always || prefix == .first && isFirst
        {
            text += mark
        }
        for byte in piece {
            if byte == UInt8(ascii: " ") { text.append(contentsOf: mark) } else { text.append(byte) }
        }
        try text.withUnsafeBufferPointer { text in
            guard splits else { return try emit(text, isFirst) }
            try split(text, isFirst: isFirst, .mergedWithNext, where: { $0 == replacement }, emit: emit)
        }
    }
}
