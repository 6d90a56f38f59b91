/// What a JSON text may cost at most, checked before the cost arises.
public struct JSONLimits: Sendable, Equatable {
    /// Bytes of the text.
    public var bytes: Int
    /// Arrays and objects inside one another.
    public var depth: Int
    /// Values in all; a value takes up to 40 bytes of memory for one byte of text.
    public var values: Int

    /// Limits that the largest tokenizers and shard indices stay well below.
    public static let `default` = JSONLimits(bytes: 256 << 20, depth: 64, values: 16 << 20)

    public init(bytes: Int, depth: Int, values: Int) {
        self.bytes = bytes
        self.depth = depth
        self.values = values
    }
}
