/// One thing about a folder of compressed-tensors that loaders would stumble over.
public struct CompressedFault: Error, Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        case missingTensor = "tensor"
        case unknownTensor = "extra tensor"
        case plainLayer = "quantization"
        case quantizedLayer = "quantization of an ignored layer"
        case missingLayer = "target"
        case type
        case shape
        /// What is in `weight_shape`.
        case storedShape = "stored shape"
        /// What is the same in all layers, or follows from their shape.
        case constant = "content"
        case scale
        case globalScale = "global scale"
        case experts
        case totalSize = "total_size"
        case metadata
    }

    public let kind: Kind
    /// A file, a tensor or a layer.
    public let place: String
    public let expected: String
    public let found: String

    public init(_ kind: Kind, at place: String, expected: String, found: String) {
        self.kind = kind
        self.place = place
        self.expected = expected
        self.found = found
    }

    /// For a job that must end with it.
    public var error: QuernError {
        let remedy =
            switch kind {
            case .scale, .globalScale:
                "Leave the layer out with ignore, and report this together with the checkpoint's name"
            case .plainLayer, .quantizedLayer, .missingLayer: "Loaders read config.json: see its ignore and its targets"
            case .experts: "Loaders want all experts of a block alike: see that the checkpoint has them all"
            default: "The folder is not what was planned: make it again, and report this if it comes back"
            }
        return QuernError(
            .invalidInput, "\(kind.rawValue) is \(found), and should be \(expected)", at: place, remedy: remedy)
    }
}
