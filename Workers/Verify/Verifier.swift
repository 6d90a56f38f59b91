import QuernFormats
import QuernJobs
import QuernStore
import Synchronization

/// Holds an output folder against its manifest, its files against their format, and folders of safetensors against what
/// their config.json says.
public enum Verifier {
    /// Reads every byte of every file that the manifest names. Blocks; holds a few megabytes, whatever the size.
    /// - Parameters:
    ///   - folder: holds `manifest.json` and the artifacts.
    ///   - threads: files that are read at the same time.
    ///   - progress: is told, from any thread, bytes read and bytes in all.
    /// - Throws: where there is no manifest that can be read: `.notFound`, `.invalidInput`, `.unsupported`. Whatever
    ///   is wrong with the artifacts is in the report.
    public static func verify(
        folder: String, threads: Int = 2, progress: (@Sendable (UInt64, UInt64) -> Void)? = nil
    ) throws -> VerificationReport {
        let manifest = try Manifest.read(folder: folder)
        let artifacts = ArtifactFolder(root: folder)
        let files = manifest.artifacts.flatMap { artifact in
            artifact.files.map { (artifact: artifact, file: $0) }
        }
        let counter = ReadCounter(total: files.reduce(0) { $0 &+ $1.file.size }, progress: progress)
        let findings = Mutexed<[Int: [VerificationReport.Finding]]>([:])
        try Parallel.forEach(files.count, threads: threads) { index in
            let (artifact, file) = files[index]
            let found = FileVerifier(folder: artifacts, artifact: artifact, expected: file, counter: counter).run()
            findings.mutate { $0[index] = found }
        }
        let folders = manifest.artifacts.compactMap { CompressedVerifier($0, in: artifacts) }
        let inFolders = Mutexed<[Int: [VerificationReport.Finding]]>([:])
        try Parallel.forEach(folders.count, threads: threads) { index in
            let found = folders[index].findings()
            inFolders.mutate { $0[index] = found }
        }
        let (byFile, byFolder) = (findings.get(), inFolders.get())
        return VerificationReport(
            findings: files.indices.flatMap { byFile[$0] ?? [] } + folders.indices.flatMap { byFolder[$0] ?? [] }
                + repeatedNames(files.map(\.file.name)),
            files: files.count, tensors: files.reduce(0) { $0 + $1.file.tensors.count }, bytes: counter.read)
    }

    private static func repeatedNames(_ names: [String]) -> [VerificationReport.Finding] {
        var seen: Set<String> = []
        return names.filter { !seen.insert($0).inserted }.map {
            VerificationReport.Finding(file: $0, what: "entries of the manifest", expected: "one", found: "several")
        }
    }
}

/// Bytes read so far, over all files.
final class ReadCounter: Sendable {
    private let total: UInt64
    private let progress: (@Sendable (UInt64, UInt64) -> Void)?
    private let done = Atomic<UInt64>(0)

    init(total: UInt64, progress: (@Sendable (UInt64, UInt64) -> Void)?) {
        self.total = total
        self.progress = progress
    }

    var read: UInt64 { done.load(ordering: .relaxed) }

    func advance(_ count: UInt64) {
        let now = done.wrappingAdd(count, ordering: .relaxed).newValue
        progress?(now, total)
    }
}
