import QuernFormats
import QuernJobs
import QuernStore

/// A tensor that a file says it holds.
struct PresentTensor {
    let name: String
    /// In the order of the file's format.
    let shape: [Int]
    let type: TensorType
    let offset: UInt64
    let bytes: UInt64

    init(_ tensor: GGUFTensor) {
        name = tensor.name
        shape = tensor.shape
        type = .element(tensor.type)
        (offset, bytes) = (tensor.offset, tensor.bytes)
    }

    init(_ tensor: SafetensorsTensor) {
        name = tensor.name
        shape = tensor.shape
        type = TensorType(tensor.type)
        (offset, bytes) = (tensor.offset, tensor.length)
    }
}

/// Holds one file of an artifact against its entry in the manifest.
struct FileVerifier {
    let folder: ArtifactFolder
    let artifact: Manifest.Artifact
    let expected: Manifest.File
    let counter: ReadCounter

    private typealias Finding = VerificationReport.Finding

    /// - Returns: what is wrong, and the sha256 of the file where all of it was read.
    func run() -> (findings: [VerificationReport.Finding], sha256: Digest?) {
        let file: FileByteSource
        do {
            file = try FileByteSource(path: try folder.path(of: expected.name))
        } catch {
            let missing = (error as? QuernError)?.code == .notFound
            return ([finding("file", "there", missing ? "missing" : "\(error)")], nil)
        }
        var findings: [Finding] = []
        if file.size != expected.size { findings.append(finding("size", "\(expected.size)", "\(file.size)")) }
        var present: [PresentTensor] = []
        if expected.name.hasSuffix(".gguf") {
            do {
                let header = try GGUFHeader.read(from: file)
                findings += checkSplit(header)
                present = header.tensors.map(PresentTensor.init)
                findings += Self.checkDirectory(of: expected, present)
            } catch {
                findings.append(finding("GGUF header", "valid", "\(error)"))
            }
        } else if expected.name.hasSuffix(".safetensors") {
            do {
                present = try SafetensorsHeader.read(from: file).tensors.map(PresentTensor.init)
                findings += Self.checkDirectory(of: expected, present)
            } catch {
                findings.append(finding("safetensors header", "valid", "\(error)"))
            }
        } else if !expected.tensors.isEmpty {
            findings.append(finding("format", "one that holds tensors", "unknown"))
        }
        do {
            let (found, sha256) = try checkBytes(file, present)
            return (findings + found, sha256)
        } catch {
            return (findings + [finding("content", "readable", "\(error)")], nil)
        }
    }

    private func finding(_ what: String, _ expected: String, _ found: String, tensor: String? = nil) -> Finding {
        Finding(file: self.expected.name, tensor: tensor, what: what, expected: expected, found: found)
    }

    /// A file of a split set says which one it is, and all of the set are there.
    private func checkSplit(_ header: GGUFHeader) -> [Finding] {
        let files = artifact.files
        guard let position = files.firstIndex(where: { $0.name == expected.name }) else { return [] }
        guard files.count > 1 || header["split.count"] != nil else { return [] }
        let tensors = files.reduce(0) { $0 + $1.tensors.count }
        var findings: [Finding] = []
        for (key, wanted) in [
            ("split.count", files.count), ("split.no", position), ("split.tensors.count", tensors),
        ] {
            let found = header[key]
            if found?.unsigned != UInt64(wanted) {
                findings.append(finding(key, "\(wanted)", found.map { "\($0)" } ?? "missing"))
            }
        }
        if let name = GGUFSplitName(fileName: expected.name) {
            if name.number != position + 1 || name.count != files.count {
                let found = "\(name.number) of \(name.count)"
                findings.append(finding("number in the name", "\(position + 1) of \(files.count)", found))
            }
        } else if files.count > 1 {
            findings.append(finding("name", "one of a split set", expected.name))
        }
        return findings
    }

    /// Names, order, shapes, types and sizes of the tensors.
    static func checkDirectory(
        of expected: Manifest.File, _ present: [PresentTensor]
    ) -> [VerificationReport.Finding] {
        func finding(_ what: String, _ wanted: String, _ found: String, tensor: String? = nil) -> Finding {
            Finding(file: expected.name, tensor: tensor, what: what, expected: wanted, found: found)
        }
        var findings: [Finding] = []
        let byName = Dictionary(present.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for tensor in expected.tensors {
            guard let found = byName[tensor.name] else {
                findings.append(finding("tensor", "there", "missing", tensor: tensor.name))
                continue
            }
            for (what, wanted, actual) in [
                ("shape", "\(tensor.shape)", "\(found.shape)"), ("type", "\(tensor.type)", "\(found.type)"),
                ("bytes", "\(tensor.bytes)", "\(found.bytes)"),
            ] where wanted != actual {
                findings.append(finding(what, wanted, actual, tensor: tensor.name))
            }
        }
        let listed = Set(expected.tensors.map(\.name))
        for tensor in present where !listed.contains(tensor.name) {
            findings.append(finding("tensor", "absent", "there", tensor: tensor.name))
        }
        if findings.isEmpty, present.map(\.name) != expected.tensors.map(\.name) {
            findings.append(finding("order of tensors", "that of the manifest", "another"))
        }
        return findings
    }

    /// Reads the file once, for its digest and those of its tensors.
    private func checkBytes(
        _ file: FileByteSource, _ present: [PresentTensor]
    ) throws -> (findings: [Finding], sha256: Digest) {
        let tensors = present.sorted { $0.offset < $1.offset }
        var whole = SHA256Hasher()
        var digests: [String: Digest] = [:]
        var next = 0
        var hasher = SHA256Hasher()
        try counter.forEachPiece(of: file) { position, piece in
            whole.update(piece)
            let end = position + UInt64(piece.count)
            // A piece may hold several tensors, and a tensor may take several pieces. Tensors do not overlap.
            while next < tensors.count, tensors[next].offset < end {
                let tensor = tensors[next]
                let first = max(tensor.offset, position) - position
                let last = min(tensor.offset + tensor.bytes, end) - position
                hasher.update(UnsafeRawBufferPointer(rebasing: piece[Int(first)..<Int(last)]))
                guard tensor.offset + tensor.bytes <= end else { break }
                digests[tensor.name] = hasher.finish()
                hasher = SHA256Hasher()
                next += 1
            }
        }
        var findings: [Finding] = []
        let found = whole.finish()
        if found != expected.sha256 { findings.append(finding("sha256", expected.sha256.hex, found.hex)) }
        for tensor in expected.tensors {
            guard let digest = digests[tensor.name], digest != tensor.sha256 else { continue }
            findings.append(finding("sha256", tensor.sha256.hex, digest.hex, tensor: tensor.name))
        }
        return (findings, found)
    }
}
