extension Decoder {
    /// The one key of an object that is named by what it holds.
    package func onlyKey<Key: CodingKey>(_ type: Key.Type) throws -> (Key, KeyedDecodingContainer<Key>) {
        let container = try container(keyedBy: type)
        guard container.allKeys.count == 1, let key = container.allKeys.first else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: codingPath, debugDescription: "exactly one kind of value belongs here"))
        }
        return (key, container)
    }
}
