/// A GGUF of one file, or of all the files of a split set as if they were one.
public struct GGUFModel: Sendable {
    /// The file name without `.gguf` and without the part that numbers the files of a split set.
    public let name: String
    /// In the order of the set.
    public let files: [any CheckpointFile]
    /// Of the first file, without the `split.` keys.
    public let metadata: [(key: String, value: GGUFValue)]
    /// File after file; `GGUFTensor.file` means `files`.
    public let tensors: [GGUFTensor]

    /// The value of `key`; nil where there is none.
    public subscript(key: String) -> GGUFValue? { metadata.first { $0.key == key }?.value }

    /// Files of one set; each stays open.
    static let maximumFiles = 4096

    /// - Parameter path: the file or its URL, or any file of a split set; the others are found beside it.
    /// - Throws: `QuernError` naming the file, and the key or the tensor where it is about one.
    public static func open(path: String) throws -> GGUFModel {
        let fileName = SourcePlace.name(of: path)
        let file = try SourcePlace.file(path)
        let header = try GGUFHeader.read(from: file)
        let count = try splitCount(of: header, in: path)
        guard count > 1 else {
            let stem = fileName.hasSuffix(".gguf") ? String(fileName.dropLast(5)) : fileName
            return try GGUFModel(
                name: GGUFSplitName(fileName: fileName)?.prefix ?? stem, files: [file], headers: [header])
        }
        guard let split = GGUFSplitName(fileName: fileName), split.count == count else {
            throw QuernError(
                .invalidInput,
                "one of \(count) files of a split set, but its name does not end in -NNNNN-of-\(count).gguf",
                at: path, remedy: "Give the files the names under which they were made")
        }
        var files: [any CheckpointFile] = []
        var headers: [GGUFHeader] = []
        for part in split.all {
            let isGiven = part.number == split.number
            files.append(isGiven ? file : try SourcePlace.file(SourcePlace.sibling(of: path, named: part.fileName)))
            headers.append(isGiven ? header : try GGUFHeader.read(from: files[files.count - 1]))
        }
        try check(headers, files: files)
        return try GGUFModel(name: split.prefix, files: files, headers: headers)
    }

    /// - Parameter headers: of `files`, in their order; at least one.
    package init(name: String, files: [any CheckpointFile], headers: [GGUFHeader]) throws {
        var tensors: [GGUFTensor] = []
        var names: Set<String> = []
        for (position, header) in headers.enumerated() {
            for tensor in header.tensors {
                guard names.insert(tensor.name).inserted else {
                    throw QuernError(
                        .invalidInput, "another file of the set has it too",
                        at: "\(files[position].name): tensor \(tensor.name.quotedForMessage)")
                }
                tensors.append(tensor.inFile(position))
            }
        }
        self.name = name
        self.files = files
        self.tensors = tensors
        metadata = headers[0].metadata.filter { !$0.key.hasPrefix("split.") }
    }

    private static func splitCount(of header: GGUFHeader, in path: String) throws -> Int {
        guard let value = header["split.count"] else { return 1 }
        guard let count = value.unsigned, (1...UInt64(maximumFiles)).contains(count) else {
            throw QuernError(
                .invalidInput, "\(value), it must be from 1 to \(maximumFiles)", at: "\(path): split.count")
        }
        return Int(count)
    }

    private static func check(_ headers: [GGUFHeader], files: [any CheckpointFile]) throws {
        let tensors = headers.reduce(0) { $0 + $1.tensors.count }
        for (position, header) in headers.enumerated() {
            for (key, expected) in [
                ("split.no", position), ("split.count", headers.count), ("split.tensors.count", tensors),
            ] {
                guard let value = header[key] else {
                    throw QuernError(.invalidInput, "is missing", at: "\(files[position].name): \(key)")
                }
                guard value.unsigned == UInt64(expected) else {
                    throw QuernError(
                        .invalidInput, "\(value), but the files of the set say \(expected)",
                        at: "\(files[position].name): \(key)",
                        remedy: "The files do not belong together: fetch the whole set again")
                }
            }
        }
    }
}
