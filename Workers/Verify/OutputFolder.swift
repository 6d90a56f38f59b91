import QuernFormats
import QuernJobs

extension Manifest {
    /// The manifest of an output folder.
    /// - Throws: `.notFound` where there is none; as `parse`.
    public static func read(folder: String) throws -> Manifest {
        let path = "\(folder)/\(fileName)"
        do {
            return try parse(try OutputFolder.read(path))
        } catch let error as QuernError where error.code == .notFound {
            throw QuernError(
                .notFound, "there is no manifest", at: path,
                remedy: "Name the folder that quern wrote; while a job runs there is no manifest yet")
        }
    }
}

extension JobResults {
    /// What the job of an output folder has measured; nothing where it has measured nothing.
    /// - Throws: as `parse`, or `.io`.
    public static func read(folder: String) throws -> JobResults {
        do {
            return try parse(try OutputFolder.read("\(folder)/\(fileName)"))
        } catch let error as QuernError where error.code == .notFound {
            return JobResults()
        }
    }
}

enum OutputFolder {
    /// Most bytes of a manifest or of results that are read: room for a hundred thousand tensors.
    static let limit: UInt64 = 256 << 20

    static func read(_ path: String) throws -> [UInt8] {
        let file = try FileByteSource(path: path)
        guard file.size <= limit else {
            throw QuernError(.invalidInput, "\(file.size) bytes are more than a manifest takes", at: path)
        }
        return try file.bytes(at: 0, count: Int(file.size))
    }
}
