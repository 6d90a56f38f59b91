import QuernFormats

/// A checkpoint folder in memory.
struct MemoryFolder: CheckpointFolder {
    let name = "model"
    let path = "/model"
    private let files: [String: [UInt8]]

    init(_ files: [String: [UInt8]]) { self.files = files }

    func names() -> [String] { files.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }

    func open(_ fileName: String) throws -> (any CheckpointFile)? {
        try checkName(fileName)
        return files[fileName].map { MemoryFile($0, name: "\(path)/\(fileName)") }
    }
}

/// A file of it.
struct MemoryFile: CheckpointFile {
    let modified: Int64 = 1
    let version: String? = nil
    private let source: MemoryByteSource

    init(_ bytes: [UInt8], name: String) { source = MemoryByteSource(bytes, name: name) }

    var size: UInt64 { source.size }
    var name: String { source.name }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws {
        try source.read(at: offset, into: buffer)
    }
}
