/// The ids of words met before. Bounded: when it is full it begins anew, which costs less than keeping an order.
struct WordCache {
    private struct Slot {
        var hash: UInt64 = 0
        var keyOffset: UInt32 = 0
        /// Zero where the slot is free: no word is empty.
        var keyLength: UInt32 = 0
        var idOffset: UInt32 = 0
        var idCount: UInt32 = 0
    }

    /// Bytes of the longest word that is kept.
    static let longestWord = 128
    private static let maximumWords = 1 << 18

    private var slots = [Slot](repeating: Slot(), count: 1 << 10)
    private var keys: [UInt8] = []
    private var ids: [Int32] = []
    private var count = 0

    /// Appends the ids of `word`.
    /// - Returns: false where the word is not known.
    @inline(__always)
    func append(_ word: UnsafeBufferPointer<UInt8>, hash: UInt64, to output: inout [Int32]) -> Bool {
        let mask = slots.count - 1
        var position = Int(truncatingIfNeeded: hash) & mask
        while true {
            let slot = slots[position]
            if slot.keyLength == 0 { return false }
            if slot.hash == hash, Int(slot.keyLength) == word.count, keys.holds(word, at: Int(slot.keyOffset)) {
                if slot.idCount == 1 {
                    output.append(ids[Int(slot.idOffset)])
                } else {
                    output.append(contentsOf: ids[Int(slot.idOffset)..<Int(slot.idOffset + slot.idCount)])
                }
                return true
            }
            position = (position + 1) & mask
        }
    }

    /// Keeps a word that is not there, of 1 to `longestWord` bytes.
    mutating func insert(_ word: UnsafeBufferPointer<UInt8>, hash: UInt64, ids made: ArraySlice<Int32>) {
        if count >= Self.maximumWords {
            self = WordCache()
        } else if 2 * (count + 1) > slots.count {
            grow()
        }
        var position = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[position].keyLength != 0 { position = (position + 1) & (slots.count - 1) }
        slots[position] = Slot(
            hash: hash, keyOffset: UInt32(keys.count), keyLength: UInt32(word.count), idOffset: UInt32(ids.count),
            idCount: UInt32(made.count))
        keys.append(contentsOf: word)
        ids.append(contentsOf: made)
        count += 1
    }

    private mutating func grow() {
        let old = slots
        slots = [Slot](repeating: Slot(), count: 2 * old.count)
        for slot in old where slot.keyLength != 0 {
            var position = Int(truncatingIfNeeded: slot.hash) & (slots.count - 1)
            while slots[position].keyLength != 0 { position = (position + 1) & (slots.count - 1) }
            slots[position] = slot
        }
    }
}
