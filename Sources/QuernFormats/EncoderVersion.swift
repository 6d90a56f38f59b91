/// Which encoders made a part. The version goes into every cache key and into manifests, so that parts of different
/// encoders never mix; it changes whenever any encoder's bytes change.
public enum EncoderVersion {
    /// Encoders that give the very bytes of llama.cpp's reference quantizers.
    public static let reference = "reference-1"
    /// Encoders that write the same types with less error, given what layers read.
    public static let refined = "refined-2"

    /// Whether a version, of this release or another, is one of refined encoders.
    public static func isRefined(_ version: String) -> Bool { version.hasPrefix("refined-") }
}
