/// What `Verifier` found in an output folder.
public struct VerificationReport: Sendable, Codable, Equatable {
    /// One thing that is not as the manifest, or the file's own format, says.
    public struct Finding: Sendable, Codable, Equatable, CustomStringConvertible {
        /// As the manifest names it.
        public let file: String
        /// The tensor it is about; nil where it is the file as a whole.
        public let tensor: String?
        /// What differs: `size`, `sha256`, `shape` …
        public let what: String
        public let expected: String
        public let found: String

        public init(file: String, tensor: String? = nil, what: String, expected: String, found: String) {
            self.file = file
            self.tensor = tensor
            self.what = what
            self.expected = expected
            self.found = found
        }

        public var description: String {
            let place = tensor.map { "\(file): \($0)" } ?? file
            return "\(place): \(what) is \(found), and should be \(expected)"
        }
    }

    /// In the order of the manifest; empty where all is well.
    public let findings: [Finding]
    /// Files and tensors of the manifest, and bytes that were read.
    public let files: Int
    public let tensors: Int
    public let bytes: UInt64
    /// The fingerprint of the key that has signed the folder; nil where no valid signature was looked for or found.
    public let signedBy: String?
    public var passed: Bool { findings.isEmpty }

    public init(findings: [Finding], files: Int, tensors: Int, bytes: UInt64, signedBy: String? = nil) {
        self.findings = findings
        self.files = files
        self.tensors = tensors
        self.bytes = bytes
        self.signedBy = signedBy
    }
}
