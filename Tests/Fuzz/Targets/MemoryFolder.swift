import QuernFormats

/// A checkpoint folder in memory.
struct MemoryFolder: CheckpointFolder {
    let name = "model"
    let path = "/model"
    private var files: [String: [UInt8]]
    private let sizes: [String: UInt64]

    /// - Parameter sizes: of files that have zeros behind what is given.
    init(_ files: [String: [UInt8]], sizes: [String: UInt64] = [:]) {
        self.files = files
        self.sizes = sizes
    }

    mutating func remove(_ name: String) { files[name] = nil }

    func names() -> [String] { files.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }

    func open(_ fileName: String) throws -> (any CheckpointFile)? {
        try checkName(fileName)
        return files[fileName].map { MemoryFile($0, name: "\(path)/\(fileName)", size: sizes[fileName]) }
    }
}

/// A file of it.
struct MemoryFile: CheckpointFile {
    let modified: Int64 = 1
    let version: String? = nil
    let name: String
    let size: UInt64
    private let contents: MemoryByteSource

    /// - Parameter size: where it is longer than `bytes`, of which the rest is zeros.
    init(_ bytes: [UInt8], name: String, size: UInt64? = nil) {
        contents = MemoryByteSource(bytes, name: name)
        self.name = name
        self.size = size ?? contents.size
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws {
        guard size > contents.size, offset <= size, UInt64(buffer.count) <= size - offset else {
            return try contents.read(at: offset, into: buffer)
        }
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        guard offset < contents.size else { return }
        let count = Int(min(UInt64(buffer.count), contents.size - offset))
        try contents.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
    }
}
