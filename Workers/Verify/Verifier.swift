import QuernFormats
import QuernJobs
import QuernStore
import Synchronization

/// Holds an output folder against its manifest, its files against their format, folders of safetensors against what
/// their config.json says, and all of it against a signature where one is wanted.
public enum Verifier {
    /// Reads every byte of every file that the manifest names, once. Blocks; holds a few megabytes, whatever the size.
    /// - Parameters:
    ///   - folder: holds `manifest.json` and the artifacts.
    ///   - signature: who must have signed the folder. It then may lack a manifest, and is held against the signature
    ///     alone.
    ///   - threads: files that are read at the same time.
    ///   - progress: is told, from any thread, bytes read and bytes in all.
    /// - Throws: where there is no manifest that can be read: `.notFound`, `.invalidInput`, `.unsupported`. Whatever
    ///   is wrong with the artifacts and the signature is in the report.
    public static func verify(
        folder: String, signature: ExpectedSignature? = nil, threads: Int = 2,
        progress: (@Sendable (UInt64, UInt64) -> Void)? = nil
    ) throws -> VerificationReport {
        let signed = signature?.read(in: folder)
        let manifest: Manifest?
        do {
            manifest = try Manifest.read(folder: folder)
        } catch let error as QuernError where error.code == .notFound && signed?.files != nil {
            manifest = nil
        }
        let artifacts = ArtifactFolder(root: folder)
        let others = signed?.files.map { SignedFolder(artifacts, $0, apartFrom: manifest) }
        let listed = manifest?.artifacts.reduce(0) { $0 &+ $1.files.reduce(0) { $0 &+ $1.size } } ?? 0
        let counter = ReadCounter(total: listed &+ (others?.bytes ?? 0), progress: progress)
        let contents = try manifest.map {
            try ManifestCheck($0, in: artifacts, threads: threads, counter: counter)
        }
        var findings = contents?.findings ?? []
        if let others, let signature {
            findings += try others.findings(
                knowing: contents?.digests ?? [:], except: signature.file(in: folder), counter: counter)
        }
        if let finding = signed?.finding { findings.append(finding) }
        return VerificationReport(
            findings: findings, files: max(contents?.files ?? 0, signed?.files?.files.count ?? 0),
            tensors: contents?.tensors ?? 0, bytes: counter.read,
            signedBy: signed?.files == nil ? nil : signature?.key.fingerprint)
    }
}

/// What a manifest says, held against a folder.
struct ManifestCheck {
    /// In the order of the manifest.
    let findings: [VerificationReport.Finding]
    /// Of the files that could be read, by name.
    let digests: [String: Digest]
    let files: Int
    let tensors: Int

    init(_ manifest: Manifest, in folder: ArtifactFolder, threads: Int, counter: ReadCounter) throws {
        let files = manifest.artifacts.flatMap { artifact in
            artifact.files.map { (artifact: artifact, file: $0) }
        }
        let results = Mutexed<[Int: (findings: [VerificationReport.Finding], sha256: Digest?)]>([:])
        try Parallel.forEach(files.count, threads: threads) { index in
            let (artifact, file) = files[index]
            let found = FileVerifier(folder: folder, artifact: artifact, expected: file, counter: counter).run()
            results.mutate { $0[index] = found }
        }
        let folders = manifest.artifacts.compactMap { CompressedVerifier($0, in: folder) }
        let inFolders = Mutexed<[Int: [VerificationReport.Finding]]>([:])
        try Parallel.forEach(folders.count, threads: threads) { index in
            let found = folders[index].findings()
            inFolders.mutate { $0[index] = found }
        }
        let (byFile, byFolder) = (results.get(), inFolders.get())
        findings =
            files.indices.flatMap { byFile[$0]?.findings ?? [] } + folders.indices.flatMap { byFolder[$0] ?? [] }
            + Self.repeatedNames(files.map(\.file.name))
        digests = files.indices.reduce(into: [:]) { $0[files[$1].file.name] = byFile[$1]?.sha256 }
        self.files = files.count
        tensors = files.reduce(0) { $0 + $1.file.tensors.count }
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

    private static let pieceBytes = 1 << 20

    /// Reads a file from its beginning to its end, and counts it.
    /// - Parameter body: gets every piece and where it begins.
    func forEachPiece(
        of file: FileByteSource, _ body: (_ position: UInt64, _ piece: UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceBytes, alignment: 64)
        defer { buffer.deallocate() }
        var position: UInt64 = 0
        while position < file.size {
            let count = min(UInt64(buffer.count), file.size - position)
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(count)])
            try file.read(at: position, into: piece)
            try body(position, UnsafeRawBufferPointer(piece))
            position += count
            advance(count)
        }
    }
}
