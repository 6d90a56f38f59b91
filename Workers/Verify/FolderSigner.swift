import QuernFormats
import QuernJobs
import QuernStore

/// Signs output folders.
public enum FolderSigner {
    /// Verifies a folder and signs all that lies in it, but for the signature itself and what git keeps there. Reads
    /// every file once. Blocks.
    /// - Parameters:
    ///   - path: of the signature; `model.sig` in the folder otherwise.
    ///   - progress: as of `Verifier.verify`.
    /// - Returns: what was found; nothing is signed where that is not empty.
    /// - Throws: as `Verifier.verify`; `.unsupported` for what no signature can cover, `.conflict` where a job still
    ///   writes.
    public static func sign(
        folder: String, with key: SigningKey, path: String? = nil, threads: Int = 2,
        progress: (@Sendable (UInt64, UInt64) -> Void)? = nil
    ) throws -> VerificationReport {
        let manifest = try Manifest.read(folder: folder)
        let artifacts = ArtifactFolder(root: folder)
        let file = path ?? "\(folder)/\(ExpectedSignature.fileName)"
        let names = try self.names(in: folder, except: file)
        let listed = Set(manifest.artifacts.flatMap { $0.files.map(\.name) })
        let others = names.filter { !listed.contains($0) }
        let bytes = try others.reduce(UInt64(0)) { try $0 &+ FileByteSource(path: "\(folder)/\($1)").size }
        let total = manifest.artifacts.reduce(bytes) { $0 &+ $1.files.reduce(0) { $0 &+ $1.size } }
        let counter = ReadCounter(total: total, progress: progress)
        let contents = try ManifestCheck(manifest, in: artifacts, threads: threads, counter: counter)
        func report(signedBy: String?) -> VerificationReport {
            VerificationReport(
                findings: contents.findings, files: names.count, tensors: contents.tensors, bytes: counter.read,
                signedBy: signedBy)
        }
        guard contents.findings.isEmpty else { return report(signedBy: nil) }
        let files = try names.map { name in
            SignedFiles.File(
                name: name,
                sha256: try contents.digests[name] ?? FileDigest.of("\(folder)/\(name)", counter: counter))
        }
        let root = RealPath.of(folder) ?? folder
        var ignored = ExpectedSignature.git
        if let place = FileSystem.resolved(folderOf: file), place.hasPrefix(root + "/") {
            ignored.append(String(place.dropFirst(root.utf8.count + 1)))
        }
        let bundle = try SignedFiles(
            folder: root.split(separator: "/").last.map(String.init) ?? "/", files: files, ignored: ignored
        ).signed(with: key)
        let slash = file.lastIndex(of: "/")
        try ArtifactFolder(root: slash.map { String(file[..<$0]) } ?? ".").write(
            bundle.json(), as: slash.map { String(file[file.index(after: $0)...]) } ?? file)
        return report(signedBy: key.verificationKey.fingerprint)
    }

    /// Files to be signed.
    private static func names(in folder: String, except signature: String) throws -> [String] {
        let contents = try FolderContents(of: folder, ignored: ExpectedSignature.git, followsLinks: false)
        return try contents.entries.compactMap { entry in
            let path = "\(folder)/\(entry.name)"
            if FileSystem.areSame(path, signature) { return nil }
            guard entry.kind == .file else {
                throw QuernError(
                    .unsupported, entry.kind == .symbolicLink ? "a symbolic link cannot be signed" : "is no file",
                    at: path, remedy: "Take it out of the folder, or put the file itself in its place")
            }
            guard !entry.name.contains(".partial-") else {
                throw QuernError(
                    .conflict, "a file is still being written", at: path,
                    remedy: "Wait for the job that writes there; remove the file where there is none")
            }
            return entry.name
        }
    }
}
