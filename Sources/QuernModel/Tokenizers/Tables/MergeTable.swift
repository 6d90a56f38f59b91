/// The merges of a BPE: from two neighbouring ids to the rank of their merge and the id it makes.
struct MergeTable: Sendable {
    /// Left id, right id; all ones where the slot is free.
    private var keys: [UInt64]
    private var values: [UInt64]
    private(set) var count = 0

    private static let free = UInt64.max

    init(capacity: Int) {
        var size = 16
        while size < 2 * capacity, size < 1 << 30 { size *= 2 }
        keys = [UInt64](repeating: Self.free, count: size)
        values = [UInt64](repeating: 0, count: size)
    }

    /// - Returns: rank in the upper half, made id in the lower; all ones where the two do not merge.
    @inline(__always)
    func merge(_ left: Int32, _ right: Int32) -> UInt64 {
        let key = Self.key(left, right)
        let mask = keys.count - 1
        var position = Int(truncatingIfNeeded: ByteHash.hash(key)) & mask
        while true {
            let found = keys[position]
            if found == key { return values[position] }
            if found == Self.free { return .max }
            position = (position + 1) & mask
        }
    }

    /// Enters a merge in place of an earlier one of the same two.
    mutating func set(_ left: Int32, _ right: Int32, rank: UInt32, made: Int32) {
        if 2 * (count + 1) > keys.count { grow() }
        if insert(Self.key(left, right), UInt64(rank) << 32 | UInt64(UInt32(bitPattern: made))) { count += 1 }
    }

    private mutating func insert(_ key: UInt64, _ value: UInt64) -> Bool {
        let mask = keys.count - 1
        var position = Int(truncatingIfNeeded: ByteHash.hash(key)) & mask
        while keys[position] != Self.free, keys[position] != key { position = (position + 1) & mask }
        let isNew = keys[position] == Self.free
        keys[position] = key
        values[position] = value
        return isNew
    }

    private mutating func grow() {
        var larger = MergeTable(capacity: keys.count)
        for (key, value) in zip(keys, values) where key != Self.free { _ = larger.insert(key, value) }
        larger.count = count
        self = larger
    }

    /// Ids are not negative, so no key is all ones.
    @inline(__always)
    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }
}
