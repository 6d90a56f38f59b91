import QuernFormats
import QuernJobs
import QuernStore

/// Which forward pass, tokenizers and sums made statistics and scores; it changes whenever their results do.
public enum ForwardVersion {
    public static let current = "forward-2"
}

extension SourceModel {
    /// What workers are told of the model: where to open it, and how to see that it is still the same.
    public func reference(path: String) -> ModelReference {
        ModelReference(path: path, files: files, identity: identity)
    }

    /// Changes with everything a computation hangs on but the values in the files.
    public var identity: Digest {
        let infos = tensors.map { GGUFTensorInfo(name: $0.name, shape: $0.shape, type: $0.type, offset: 0) }
        let header = GGUFHeaderWriter.bytes(metadata: metadata, tensors: infos)
        let layout = tensors.map { "\($0.extents) \($0.scales) \($0.addend ?? 0)" }.joined(separator: "\n")
        let computed = blobs.keys.map(\.hex).sorted().joined(separator: " ")
        let rest = "\(ForwardVersion.current)\n\(hints)\n\(computed)\n\(layout)"
        return Digest(of: header + Array(rest.utf8))
    }
}
