import QuernFormats
import QuernStore

/// Whose signature a folder should have, and where it lies.
public struct ExpectedSignature: Sendable {
    /// The usual name of a signature in the folder that it is of.
    public static let fileName = "model.sig"
    /// What never is part of a signature: how the folder is kept in git, which is no part of the model.
    static let git = [".git", ".gitattributes", ".github", ".gitignore"]

    let key: VerificationKey
    private let path: String?

    /// - Parameter path: of the bundle; `model.sig` in the folder otherwise.
    public init(by key: VerificationKey, path: String? = nil) {
        self.key = key
        self.path = path
    }

    /// The bundle's path.
    func file(in folder: String) -> String { path ?? "\(folder)/\(Self.fileName)" }

    /// - Returns: what was signed, or why nothing was: a signature that cannot be trusted says nothing of files.
    func read(in folder: String) -> (files: SignedFiles?, finding: VerificationReport.Finding?) {
        let path = file(in: folder)
        do {
            let bundle = try SigstoreBundle(json: OutputFolder.read(path))
            guard bundle.names(key) else {
                return (nil, finding("a signature by \(key.fingerprint)", "by another key"))
            }
            guard bundle.isSigned(by: key) else { return (nil, finding("a valid signature", "not valid")) }
            return (try SignedFiles(statement: bundle.payload), nil)
        } catch let error as QuernError where error.code == .notFound {
            return (nil, finding("there", "missing: the folder is not signed"))
        } catch {
            return (nil, finding("a signature", "no signature: \(error)"))
        }
    }

    private func finding(_ expected: String, _ found: String) -> VerificationReport.Finding {
        VerificationReport.Finding(
            file: path ?? Self.fileName, what: "signature", expected: expected, found: found)
    }
}
