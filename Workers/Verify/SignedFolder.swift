import QuernFormats
import QuernJobs
import QuernStore

/// A folder held against what a signature says of it: every file that was signed, and no other.
struct SignedFolder {
    private typealias Finding = VerificationReport.Finding

    private let folder: ArtifactFolder
    private let signed: SignedFiles
    /// Bytes of the signed files that the manifest does not name.
    let bytes: UInt64

    init(_ folder: ArtifactFolder, _ signed: SignedFiles, apartFrom manifest: Manifest?) {
        self.folder = folder
        self.signed = signed
        let named = Set(manifest?.artifacts.flatMap { $0.files.map(\.name) } ?? [])
        bytes = signed.files.reduce(0) { sum, file in
            guard !named.contains(file.name), let path = try? folder.path(of: file.name) else { return sum }
            return sum &+ ((try? FileByteSource(path: path).size) ?? 0)
        }
    }

    /// - Parameters:
    ///   - known: digests of files that have been read already, by name.
    ///   - signature: the path of the bundle, which is no part of what it signs.
    /// - Throws: `.io` where the folder cannot be listed.
    func findings(
        knowing known: [String: Digest], except signature: String, counter: ReadCounter
    ) throws -> [VerificationReport.Finding] {
        let contents = try FolderContents(
            of: folder.path, ignored: signed.ignored, followsLinks: signed.allowsSymbolicLinks)
        let expected = Set(signed.files.map { Array($0.name.utf8) })
        var findings: [Finding] = []
        for file in signed.files {
            guard let finding = check(file, known[file.name], counter) else { continue }
            findings.append(finding)
        }
        for entry in contents.entries.sorted(by: { $0.name < $1.name }) {
            if entry.kind != .file {
                let found = entry.kind == .symbolicLink ? "a symbolic link" : "something else"
                findings.append(Finding(file: entry.name, what: "kind", expected: "a file", found: found))
            } else if !expected.contains(Array(entry.name.utf8)),
                !FileSystem.areSame("\(folder.path)/\(entry.name)", signature)
            {
                findings.append(Finding(file: entry.name, what: "file", expected: "absent", found: "not signed"))
            }
        }
        return findings
    }

    private func check(_ file: SignedFiles.File, _ known: Digest?, _ counter: ReadCounter) -> Finding? {
        func finding(_ what: String, _ expected: String, _ found: String) -> Finding {
            Finding(file: file.name, what: what, expected: expected, found: found)
        }
        do {
            let found = try known ?? FileDigest.of(folder.path(of: file.name), counter: counter)
            guard found != file.sha256 else { return nil }
            return finding("signed sha256", file.sha256.hex, found.hex)
        } catch let error as QuernError where error.code == .notFound {
            return finding("signed file", "there", "missing")
        } catch {
            return finding("signed file", "readable", "\(error)")
        }
    }
}

/// The sha256 of a file, read piece by piece.
enum FileDigest {
    /// - Throws: `.notFound`, `.io`, `.invalidInput` where it is no regular file.
    static func of(_ path: String, counter: ReadCounter) throws -> Digest {
        var hasher = SHA256Hasher()
        try counter.forEachPiece(of: FileByteSource(path: path)) { _, piece in hasher.update(piece) }
        return hasher.finish()
    }
}
