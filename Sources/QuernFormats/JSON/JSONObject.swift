/// The members of a JSON object in the order of the text, each key once. Keys are told apart by their bytes.
///
/// Look-up takes constant time on average whatever the keys are: the hash is seeded per process.
public struct JSONObject: Sendable {
    /// In the order of the text.
    public private(set) var entries: [(key: String, value: JSONValue)] = []
    /// Open addressing over positions in `entries`, plus one; 0 is free. Empty while a scan is as fast.
    private var slots: [Int32] = []
    private static let scanned = 8

    public init() {}

    public var count: Int { entries.count }
    public var isEmpty: Bool { entries.isEmpty }
    /// In the order of the text.
    public var keys: [String] { entries.map(\.key) }

    /// The member called `key`, nil where there is none. A member that is there and null is `.null`.
    public subscript(key: String) -> JSONValue? {
        if slots.isEmpty {
            return entries.first { $0.key.hasSameBytes(as: key) }?.value
        }
        let position = Int(slots[slot(of: key)])
        return position == 0 ? nil : entries[position - 1].value
    }

    /// Adds a member at the end.
    /// - Returns: false where there is one of that name already; then nothing changes.
    public mutating func append(_ key: String, _ value: JSONValue) -> Bool {
        if slots.isEmpty, entries.count < Self.scanned {
            guard !entries.contains(where: { $0.key.hasSameBytes(as: key) }) else { return false }
            entries.append((key, value))
            return true
        }
        if 2 * (entries.count + 1) > slots.count { grow() }
        let slot = slot(of: key)
        guard slots[slot] == 0 else { return false }
        entries.append((key, value))
        slots[slot] = Int32(truncatingIfNeeded: entries.count)
        return true
    }

    /// Where `key` is, or would be put. There is always a free slot, so the search ends.
    private func slot(of key: String) -> Int {
        var hasher = Hasher()
        let hashed: Void? = key.utf8.withContiguousStorageIfAvailable {
            hasher.combine(bytes: UnsafeRawBufferPointer($0))
        }
        if hashed == nil {
            for byte in key.utf8 { hasher.combine(byte) }
        }
        let mask = slots.count - 1
        var slot = hasher.finalize() & mask
        while slots[slot] != 0, !entries[Int(slots[slot]) - 1].key.hasSameBytes(as: key) {
            slot = (slot + 1) & mask
        }
        return slot
    }

    private mutating func grow() {
        slots = [Int32](repeating: 0, count: max(4 * Self.scanned, 2 * slots.count))
        for (position, entry) in entries.enumerated() {
            slots[slot(of: entry.key)] = Int32(truncatingIfNeeded: position + 1)
        }
    }
}

extension JSONObject: Equatable {
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.entries.elementsEqual(right.entries) { $0.key.hasSameBytes(as: $1.key) && $0.value == $1.value }
    }
}
