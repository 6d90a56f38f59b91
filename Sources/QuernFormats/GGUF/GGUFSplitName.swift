/// The name of one file of a split set: `PREFIX-00001-of-00003.gguf`.
public struct GGUFSplitName: Sendable, Equatable {
    /// Without folder.
    public let prefix: String
    /// From 1 to `count`.
    public let number: Int
    public let count: Int

    public init(prefix: String, number: Int, count: Int) {
        self.prefix = prefix
        self.number = number
        self.count = count
    }

    /// Takes a file name apart.
    /// - Returns: nil where it does not name a file of a split set.
    public init?(fileName: String) {
        let bytes = Array(fileName.utf8)
        let tail = Array("-00000-of-00000.gguf".utf8)
        guard bytes.count > tail.count else { return nil }
        let end = bytes[(bytes.count - tail.count)...]
        for (byte, pattern) in zip(end, tail) where pattern != UInt8(ascii: "0") && byte != pattern { return nil }
        guard let number = Self.number(end.dropFirst().prefix(5)), let count = Self.number(end.dropFirst(10).prefix(5)),
            number >= 1, number <= count
        else { return nil }
        self.init(prefix: String(decoding: bytes.dropLast(tail.count), as: UTF8.self), number: number, count: count)
    }

    public var fileName: String { "\(prefix)-\(Self.padded(number))-of-\(Self.padded(count)).gguf" }

    /// The names of all files of the set, in order.
    public var all: [GGUFSplitName] {
        (1...max(count, 1)).map { GGUFSplitName(prefix: prefix, number: $0, count: count) }
    }

    private static func padded(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        var number = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            number = 10 * number + Int(digit - UInt8(ascii: "0"))
        }
        return number
    }
}
