import Foundation
import QuernStore

/// Every file of an output folder with its sha256.
public enum FolderDigests {
    public static func of(_ folder: String) throws -> [String: String] {
        var digests: [String: String] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder) where !name.hasPrefix(".") {
            let path = "\(folder)/\(name)"
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else {
                continue
            }
            digests[name] = Digest(of: [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))).hex
        }
        return digests
    }
}
