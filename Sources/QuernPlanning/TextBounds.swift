import QuernFormats
import QuernStore

/// How much of a text can go through a model.
public enum TextBounds {
    /// Bytes: tokenizers number them with 31 bits.
    public static let bytes = Int(Int32.max)
    /// Tokens of all chunks together: they travel as one blob, four bytes each.
    public static let tokens = maximumBlobBytes / 4

    /// - Parameters:
    ///   - size: of a text, in bytes.
    ///   - place: of the text, for the error.
    /// - Throws: `.invalidInput` where it is more than can be tokenized.
    public static func check(size: UInt64, at place: String = "") throws {
        guard size > UInt64(bytes) else { return }
        throw QuernError(
            .invalidInput, "\(size) bytes of text are more than can be tokenized, which is \(bytes)", at: place,
            remedy: "Give a part of it: so much text is never needed")
    }
}
