import QuernPlanning

/// From words to ids, by way of the cache.
struct WordEncoder: Sendable {
    let model: any SubwordModel
    /// Whether the vocabulary spells bytes as visible characters, and words come as plain bytes.
    let spellsBytes: Bool

    /// Bytes of words that are not worth looking for seams in.
    private static let uncut = 24

    /// - Parameter word: not empty.
    func encode(_ word: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, into ids: inout [Int32]) throws {
        guard word.count > Self.uncut, !spellsBytes, let seams = model.seams else {
            return try encodeWhole(word, scratch, into: &ids)
        }
        var start = 0
        while start < word.count {
            let end = seams.next(word, after: start)
            try encodeWhole(UnsafeBufferPointer(rebasing: word[start..<end]), scratch, into: &ids)
            start = end
        }
    }

    private func encodeWhole(
        _ word: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, into ids: inout [Int32]
    ) throws {
        try scratch.count(word.count)
        guard word.count <= WordCache.longestWord else { return try encodeAnew(word, scratch, into: &ids) }
        let hash = ByteHash.hash(word)
        if scratch.cache.append(word, hash: hash, to: &ids) { return }
        let before = ids.count
        try encodeAnew(word, scratch, into: &ids)
        scratch.cache.insert(word, hash: hash, ids: ids[before...])
    }

    private func encodeAnew(
        _ word: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, into ids: inout [Int32]
    ) throws {
        guard spellsBytes else { return try encodeSpelled(word, scratch, into: &ids) }
        // Taken out of the scratch while the model writes to it.
        var spelling = scratch.spelling
        scratch.spelling = []
        ByteSpelling.spell(word, into: &spelling)
        try spelling.withUnsafeBufferPointer { try encodeSpelled($0, scratch, into: &ids) }
        scratch.spelling = spelling
    }

    private func encodeSpelled(
        _ word: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, into ids: inout [Int32]
    ) throws {
        // A text may have grown on its way here.
        try TextBounds.check(size: UInt64(word.count))
        try model.encode(word, scratch, into: &ids)
    }
}
