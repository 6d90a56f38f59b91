import QuernFormats
import QuernJobs
import QuernStore

/// The importance matrix as work items refer to it: one blob for each tensor that is encoded with it, or what a merge
/// item of the same job will make.
struct ImportanceVectors {
    /// Where importance comes from.
    enum Origin {
        case none
        case matrix(ImportanceMatrix)
        /// Values for each tensor, by its name before blocks were left out, and the merge item that makes them.
        case calibration([String: Int], merged: Int)
    }

    /// Blobs of F32 [matrices, columns] by digest.
    private(set) var blobs: [Digest: [UInt8]] = [:]
    private var byTensor: [String: Importance?] = [:]
    private let origin: Origin

    /// - Parameter origin: where it is without an entry, encoders are to do without.
    init(_ origin: Origin) {
        switch origin {
        case .matrix(let matrix) where matrix.entries.isEmpty: self.origin = .none
        case .calibration(let values, _) where values.isEmpty: self.origin = .none
        default: self.origin = origin
        }
    }

    /// Whether there is a matrix; some mixture rules depend on it.
    var isPresent: Bool { if case .none = origin { false } else { true } }

    /// What `tensor` is to be encoded with; nil where the matrix has no entry for it.
    /// - Throws: `QuernError` `.invalidInput` for an entry that does not fit the tensor. As in llama.cpp, one that does
    ///   not fit token embeddings is passed over.
    mutating func importance(for tensor: SourceTensor, _ facts: TensorFacts) throws(QuernError) -> Importance? {
        if let known = byTensor[tensor.name] { return known }
        let found = try make(for: tensor, facts)
        byTensor[tensor.name] = .some(found)
        return found
    }

    private mutating func make(for tensor: SourceTensor, _ facts: TensorFacts) throws(QuernError) -> Importance? {
        let values: Int?
        switch origin {
        case .none: values = nil
        case .matrix(let matrix): values = matrix.entries[tensor.importanceName]?.values.count
        case .calibration(let counts, _): values = counts[tensor.importanceName]
        }
        guard let values else { return nil }
        let rowsPerMatrix = tensor.shape.count > 1 ? tensor.shape[1] : 1
        let matrices = tensor.shape.count > 2 ? tensor.shape[2] : 1
        guard values == tensor.columns * matrices, tensor.rows == rowsPerMatrix * matrices else {
            if facts.category == .tokenEmbedding { return nil }
            throw QuernError(
                .invalidInput,
                "the importance matrix has \(values) values for it, and its shape asks for "
                    + "\(tensor.columns * matrices)")
        }
        guard values * 4 <= maximumBlobBytes else {
            throw QuernError(
                .unsupported, "its importance values exceed the \(maximumBlobBytes >> 20) MiB that a blob may have")
        }
        switch origin {
        case .none: return nil
        case .calibration(_, let merged):
            return Importance(
                vectors: .merged(item: merged, tensor: tensor.importanceName), rowsPerMatrix: rowsPerMatrix)
        case .matrix(let matrix):
            guard let entry = matrix.entries[tensor.importanceName] else { return nil }
            guard entry.values.allSatisfy(\.isFinite) else {
                throw QuernError(.invalidInput, "the importance matrix has a value for it that is not finite")
            }
            let bytes = entry.bytes
            let digest = Digest(of: bytes)
            blobs[digest] = bytes
            return Importance(digest: digest, rowsPerMatrix: rowsPerMatrix)
        }
    }

    /// Takes over what others were asked for.
    mutating func formUnion(_ other: ImportanceVectors) {
        blobs.merge(other.blobs) { first, _ in first }
        byTensor.merge(other.byTensor) { first, _ in first }
    }

    /// Names the statistics in manifests: the sha256 over the tensors that have a vector, sorted by name, of the
    /// name, a zero byte and the vector's digest. Nil without a matrix, and where a merge item will name them.
    var digest: Digest? {
        guard case .matrix = origin else { return nil }
        let used = byTensor.compactMap { name, importance -> ([UInt8], Digest)? in
            guard case .blob(let digest)? = importance?.vectors else { return nil }
            return (Array(name.utf8), digest)
        }
        var hasher = SHA256Hasher()
        for (name, digest) in used.sorted(by: { $0.0.lexicographicallyPrecedes($1.0) }) {
            hasher.update(name + [0])
            hasher.update(digest.bytes)
        }
        return hasher.finish()
    }
}
