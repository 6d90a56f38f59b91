import QuernFormats
import QuernJobs
import QuernStore

/// The importance matrix as work items refer to it: one blob for each tensor that is encoded with it.
struct ImportanceVectors {
    /// Blobs of F32 [matrices, columns] by digest.
    private(set) var blobs: [Digest: [UInt8]] = [:]
    private var byTensor: [String: Importance?] = [:]
    private let matrix: ImportanceMatrix?

    /// - Parameter matrix: nil, or without an entry, where encoders are to do without.
    init(_ matrix: ImportanceMatrix?) {
        self.matrix = matrix.flatMap { $0.entries.isEmpty ? nil : $0 }
    }

    /// Whether there is a matrix; some mixture rules depend on it.
    var isPresent: Bool { matrix != nil }

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
        guard let entry = matrix?.entries[tensor.importanceName] else { return nil }
        let rowsPerMatrix = tensor.shape.count > 1 ? tensor.shape[1] : 1
        let matrices = tensor.shape.count > 2 ? tensor.shape[2] : 1
        guard entry.values.count == tensor.columns * matrices, tensor.rows == rowsPerMatrix * matrices else {
            if facts.category == .tokenEmbedding { return nil }
            throw QuernError(
                .invalidInput,
                "the importance matrix has \(entry.values.count) values for it, and its shape asks for "
                    + "\(tensor.columns * matrices)")
        }
        guard entry.values.count * 4 <= maximumBlobBytes else {
            throw QuernError(
                .unsupported, "its importance values exceed the \(maximumBlobBytes >> 20) MiB that a blob may have")
        }
        guard entry.values.allSatisfy(\.isFinite) else {
            throw QuernError(.invalidInput, "the importance matrix has a value for it that is not finite")
        }
        let bytes = entry.bytes
        let digest = Digest(of: bytes)
        blobs[digest] = bytes
        return Importance(digest: digest, rowsPerMatrix: rowsPerMatrix)
    }

    /// Names the statistics in manifests: the sha256 over the tensors that have a vector, sorted by name, of the
    /// name, a zero byte and the vector's digest. Nil without a matrix.
    var digest: Digest? {
        guard isPresent else { return nil }
        let used = byTensor.compactMap { name, importance in importance.map { (Array(name.utf8), $0.digest) } }
        var hasher = SHA256Hasher()
        for (name, digest) in used.sorted(by: { $0.0.lexicographicallyPrecedes($1.0) }) {
            hasher.update(name + [0])
            hasher.update(digest.bytes)
        }
        return hasher.finish()
    }
}
