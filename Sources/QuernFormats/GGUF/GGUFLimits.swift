/// What a GGUF header may hold. Every count and length is held against these, and against what is left of the file,
/// before anything is allocated for it.
enum GGUFLimits {
    static let keyValues: UInt64 = 1 << 16
    static let tensors: UInt64 = 1 << 20
    /// The specification's bound for keys.
    static let keyBytes: UInt64 = 65_535
    /// llama.cpp takes 63; sums of an importance matrix append to such names.
    static let tensorNameBytes: UInt64 = 1024
    static let stringBytes: UInt64 = 16 << 20
    /// Elements of one array: strings and inner arrays.
    static let arrayEntries: UInt64 = 4 << 20
    /// Bytes of one array of numbers.
    static let arrayBytes: UInt64 = 64 << 20
    static let arrayDepth = 4
    static let rank: UInt32 = 4
    /// Key-values and tensor descriptions together.
    static let headerBytes: UInt64 = 256 << 20
}
