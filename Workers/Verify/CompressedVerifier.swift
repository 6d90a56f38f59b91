import QuernFormats
import QuernJobs
import QuernStore

/// Holds an artifact of compressed-tensors against what its config.json and its index say, as loaders will read it.
struct CompressedVerifier {
    let artifact: Manifest.Artifact
    /// The artifact's folder, within that of the manifest.
    let name: String
    /// Where it lies.
    let path: String
    private let place: any ArtifactPlace

    private static let config = "/config.json"

    /// - Returns: nil for artifacts of other formats.
    init?(_ artifact: Manifest.Artifact, in place: any ArtifactPlace) {
        guard let config = artifact.files.first(where: { $0.name.hasSuffix(Self.config) }),
            artifact.files.contains(where: { $0.name.hasSuffix(".safetensors") })
        else { return nil }
        let name = String(config.name.dropLast(Self.config.count))
        guard let path = try? place.path(of: name) else { return nil }
        (self.artifact, self.name, self.path, self.place) = (artifact, name, path, place)
    }

    /// What is wrong with it, whatever the manifest says. Blocks; reads headers and scales.
    func findings() -> [VerificationReport.Finding] {
        do {
            return try faults(of: try Checkpoint.open(path: path)).map {
                VerificationReport.Finding(
                    file: name, tensor: $0.place, what: $0.kind.rawValue, expected: $0.expected, found: $0.found)
            }
        } catch {
            return [
                VerificationReport.Finding(
                    file: name, what: "folder", expected: "one that loads", found: "\(error)")
            ]
        }
    }

    /// Ends with an error where it would not load, or holds other tensors than `artifact` lists. Blocks.
    /// - Parameter progress: see `CompressedCheck.faults`.
    /// - Throws: `QuernError` for the first thing that is wrong.
    func check(progress: (UInt64) throws -> Void) throws {
        let checkpoint = try Checkpoint.open(path: path)
        try checkFiles(of: checkpoint)
        if let fault = try faults(of: checkpoint, progress: progress).first { throw fault.error.located(in: name) }
    }

    private func faults(
        of checkpoint: Checkpoint, progress: (UInt64) throws -> Void = { _ in }
    ) throws -> [CompressedFault] {
        try CompressedCheck(checkpoint).faults(progress: progress)
    }

    /// The files that loaders find are those of the artifact, to the tensor and to the byte.
    private func checkFiles(of checkpoint: Checkpoint) throws {
        var planned: [String: Manifest.File] = [:]
        for file in artifact.files where file.name.hasSuffix(".safetensors") {
            planned[try place.path(of: file.name)] = file
        }
        for (source, header) in checkpoint.shards {
            guard let file = planned.removeValue(forKey: source.name) else {
                throw QuernError(
                    .conflict, "loaders would read it, and it is none of this artifact", at: source.name,
                    remedy: "Remove what an earlier run left there, or take another folder")
            }
            guard source.size == file.size else {
                throw QuernError(
                    .invalidInput, "\(source.size) bytes in place of the planned \(file.size)", at: source.name)
            }
            let present = header.tensors.map(PresentTensor.init)
            if let finding = FileVerifier.checkDirectory(of: file, present).first {
                throw QuernError(.invalidInput, "\(finding)")
            }
        }
        if let missing = planned.keys.min() {
            throw QuernError(
                .invalidInput, "loaders would not read it, because the index does not name it", at: missing)
        }
    }
}
