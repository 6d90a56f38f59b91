/// Reads places that are no files of this machine: what a program that can reach them gives to `SourcePlace.use`.
///
/// Every function gets a whole URL and may block. A reader of what URLs name keeps to the version that it found first:
/// bytes of another one are an error `.conflict`, never an answer.
public protocol RemoteReader: Sendable {
    /// The URL with the version in place of a name that moves, as far as the place has versions: it means the same
    /// files from now on.
    func pinned(_ url: String) throws -> String

    /// Whether `pinned` may once have been made of `url`.
    func isPinned(_ pinned: String, of url: String) -> Bool

    /// What stands there: for a file its name, for others that of the checkpoint.
    func name(of url: String) -> String

    /// How a manifest, which names no host and no folder, names it.
    func manifestName(of url: String) -> String

    /// What has to be reached to read it.
    func host(of url: String) throws -> RemoteHost

    func isFolder(_ url: String) throws -> Bool

    func folder(_ url: String) throws -> any CheckpointFolder

    /// - Throws: `.notFound` where there is no such file.
    func file(_ url: String) throws -> any CheckpointFile

    /// A file that was found before, of which nothing has to be asked: reading it finds out whether it has changed.
    func file(_ url: String, size: UInt64, version: String) throws -> any CheckpointFile
}

/// What a URL makes whoever reads it talk to.
public struct RemoteHost: Sendable, Equatable {
    /// `HOST`, or `HOST:PORT` where the port is not the usual one; any of these names stands for it in a list.
    public let names: [String]
    /// What the URL itself chooses, where others would be taken from the reader's own settings: `endpoint`, `profile`.
    public let choices: [String]

    public init(names: [String], choices: [String] = []) {
        self.names = names
        self.choices = choices
    }
}
