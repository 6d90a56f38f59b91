/// A tokenizer of one kind or another.
protocol TextEncoder: Sendable {
    /// One more than the largest id.
    var vocabularySize: Int { get }
    /// The special tokens that belong around a text.
    var template: TextTemplate { get }

    /// Appends the ids of a text of valid UTF-8, without the template.
    func encode(_ text: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, into ids: inout [Int32]) throws
}
