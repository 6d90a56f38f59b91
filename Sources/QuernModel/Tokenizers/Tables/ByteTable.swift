/// From byte strings to ids. The strings lie in one block of memory, and looking one up allocates nothing.
struct ByteTable: Sendable {
    private struct Slot {
        var hash: UInt32
        var length: UInt32
        var offset: Int
        var value: Int32

        static let free = Slot(hash: 0, length: .max, offset: 0, value: 0)
    }

    private var arena: [UInt8] = []
    private var slots: [Slot]
    private(set) var count = 0
    /// Bytes of the longest key.
    private(set) var longest = 0

    init(capacity: Int = 0) {
        var size = 16
        while size < 2 * capacity, size < 1 << 30 { size *= 2 }
        slots = [Slot](repeating: .free, count: size)
    }

    @inline(__always)
    subscript(key: UnsafeBufferPointer<UInt8>) -> Int32? {
        guard key.count <= longest else { return nil }
        let slot = slots[slot(of: key, hash: ByteHash.hash(key))]
        return slot.length == .max ? nil : slot.value
    }

    subscript(key: [UInt8]) -> Int32? { key.withUnsafeBufferPointer { self[$0] } }

    subscript(key: String) -> Int32? {
        var key = key
        return key.withUTF8 { self[$0] }
    }

    /// Enters a key.
    /// - Returns: the value the key had before, which is replaced.
    @discardableResult
    mutating func set(_ key: [UInt8], _ value: Int32) -> Int32? {
        if 2 * (count + 1) > slots.count { grow() }
        return key.withUnsafeBufferPointer { bytes in
            let hash = ByteHash.hash(bytes)
            let position = slot(of: bytes, hash: hash)
            if slots[position].length != .max {
                defer { slots[position].value = value }
                return slots[position].value
            }
            slots[position] = Slot(
                hash: UInt32(truncatingIfNeeded: hash), length: UInt32(truncatingIfNeeded: bytes.count),
                offset: arena.count, value: value)
            arena.append(contentsOf: bytes)
            count += 1
            longest = max(longest, bytes.count)
            return nil
        }
    }

    /// Where `key` is, or would be put. There is always a free slot, so the search ends.
    @inline(__always)
    private func slot(of key: UnsafeBufferPointer<UInt8>, hash: UInt64) -> Int {
        let mask = slots.count - 1
        var position = Int(truncatingIfNeeded: hash >> 32) & mask
        let tag = UInt32(truncatingIfNeeded: hash)
        while true {
            let slot = slots[position]
            if slot.length == .max { return position }
            if slot.hash == tag, Int(slot.length) == key.count, arena.holds(key, at: slot.offset) { return position }
            position = (position + 1) & mask
        }
    }

    private mutating func grow() {
        let old = slots
        slots = [Slot](repeating: .free, count: 2 * old.count)
        arena.withUnsafeBufferPointer { stored in
            let mask = slots.count - 1
            for slot in old where slot.length != .max {
                let key = UnsafeBufferPointer(rebasing: stored[slot.offset..<slot.offset + Int(slot.length)])
                var position = Int(truncatingIfNeeded: ByteHash.hash(key) >> 32) & mask
                while slots[position].length != .max { position = (position + 1) & mask }
                slots[position] = slot
            }
        }
    }
}

extension [UInt8] {
    /// Whether these bytes stand at `offset`; there are as many from there on.
    @inline(__always)
    func holds(_ bytes: UnsafeBufferPointer<UInt8>, at offset: Int) -> Bool {
        withUnsafeBufferPointer { stored in
            for index in 0..<bytes.count where stored[offset + index] != bytes[index] { return false }
            return true
        }
    }
}
