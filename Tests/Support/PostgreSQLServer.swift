import Foundation
import QuernFormats
import Synchronization

/// Debian's PostgreSQL, started for the tests of one process and stopped when it ends. It listens on a Unix socket in
/// a temporary folder only. The server refuses to run as root, so it runs as `postgres` where the tests run as root.
public actor PostgreSQLServer {
    private static let binaries = "/usr/lib/postgresql/15/bin"
    private static let sharedServer = Mutex<Task<PostgreSQLServer, any Error>?>(nil)

    private let folder: URL
    /// The Unix socket that it listens on.
    public nonisolated var socket: String { "\(folder.path)/.s.PGSQL.5432" }
    private var databases = 0

    /// The server that all tests of this process use; started by the first of them.
    public static var shared: PostgreSQLServer {
        get async throws {
            try await sharedServer.withLock { task in
                if let task { return task }
                let started = Task { try await PostgreSQLServer() }
                task = started
                return started
            }.value
        }
    }

    /// Starts a server of one's own, for tests that stop it or break it.
    /// - Parameters:
    ///   - isDurable: whether commits are written through to the disk.
    ///   - connections: the most there may be at a time; the last three are for the user `quern`, who owns the server.
    public init(isDurable: Bool = false, sharedBuffers: String = "64MB", connections: Int = 200) async throws {
        guard FileManager.default.isExecutableFile(atPath: "\(Self.binaries)/postgres") else {
            throw QuernError(
                .notFound, "PostgreSQL is needed for these tests and is not installed",
                at: "\(Self.binaries)/postgres", remedy: "apt-get install postgresql")
        }
        // Short: the path of a socket has room for about a hundred bytes.
        folder = URL(filePath: "/tmp/quern-postgres-\(getpid())-\(UInt16.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let asked = ServerFolders.add(folder)
        guard asked else { throw QuernError(.internalFault, "the process is ending") }
        if geteuid() == 0 { try Self.run(["/usr/bin/chown", "postgres", folder.path], asServer: false) }
        try Self.run(
            [
                "\(Self.binaries)/initdb", "-D", "\(folder.path)/data", "-U", "quern", "-A", "trust", "-E", "UTF8",
                "--locale=C", "--no-sync",
            ])
        let durability = isDurable ? "" : "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"
        let settings = """
            listen_addresses = ''
            unix_socket_directories = '\(folder.path)'
            max_connections = \(connections)
            shared_buffers = \(sharedBuffers)
            \(durability)
            """
        try Self.run(["/bin/sh", "-c", "cat >> '\(folder.path)/data/postgresql.conf' <<'END'\n\(settings)\nEND"])
        try start()
    }

    /// A new, empty database.
    /// - Returns: its connection string for libpq.
    public func freshDatabase() throws -> String {
        databases += 1
        let name = "test_\(databases)"
        try sql("CREATE DATABASE \(name)")
        return url(of: name)
    }

    /// A new, empty database.
    /// - Parameter owner: a user that there is.
    /// - Returns: its URL, as people write it.
    public func freshDatabaseURL(owner: String = "quern") throws -> String {
        _ = try freshDatabase()
        try sql("ALTER DATABASE test_\(databases) OWNER TO \(owner)")
        return "postgres:///test_\(databases)?host=\(folder.path)&user=\(owner)"
    }

    /// How a server is stopped.
    public enum StopMode: String, Sendable {
        /// Transactions are rolled back, then all is written.
        case fast
        /// As a machine does that is shut down in a hurry.
        case immediate
    }

    /// Stops the server and starts it again.
    public func restart(_ mode: StopMode = .immediate) throws {
        try stop(mode)
        try start()
    }

    /// Ends all sessions there are.
    public func killBackends() throws {
        try sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname <> 'postgres'")
    }

    public func stop(_ mode: StopMode = .immediate) throws {
        try Self.run(["\(Self.binaries)/pg_ctl", "-D", "\(folder.path)/data", "-m", mode.rawValue, "-w", "stop"])
    }

    public func start() throws {
        try Self.run([
            "\(Self.binaries)/pg_ctl", "-D", "\(folder.path)/data", "-l", "\(folder.path)/log", "-w", "-t", "60",
            "start",
        ])
    }

    /// Runs a statement with psql, outside any database of a test.
    public func sql(_ statement: String) throws {
        try Self.run(["\(Self.binaries)/psql", "-X", "-q", "-d", url(of: "postgres"), "-c", statement])
    }

    /// Runs a statement with psql as another user, off the cooperative pool.
    /// - Returns: whether the user got in and the statement was done.
    public nonisolated func attempt(_ statement: String, as user: String) async -> Bool {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { [folder] in
                let command = [
                    "\(Self.binaries)/psql", "-X", "-q", "-d", "host=\(folder.path) user=\(user) dbname=postgres", "-c",
                    statement,
                ]
                continuation.resume(returning: (try? Self.run(command)) != nil)
            }
        }
    }

    private nonisolated func url(of database: String) -> String {
        "host=\(folder.path) user=quern dbname=\(database)"
    }

    /// Runs a command to its end. Not with Foundation's `Process`, which waits until everything that a command
    /// started has ended too, and a server goes on.
    private static func run(_ command: [String], asServer: Bool = true) throws {
        let prefix = asServer && geteuid() == 0 ? ["/usr/sbin/runuser", "-u", "postgres", "--"] : []
        let whole = prefix + command
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor: Int32 in 0...2 {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
        }
        // A server that lives on must not keep the ports open that other tests listen on meanwhile.
        for descriptor in 3..<Int32(min(1024, max(3, sysconf(Int32(_SC_OPEN_MAX))))) {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        let arguments: [UnsafeMutablePointer<CChar>?] = whole.map { strdup($0) }
        let settings = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"]
        let environment: [UnsafeMutablePointer<CChar>?] = settings.map { strdup($0) }
        defer { for text in arguments + environment { free(text) } }
        var child: pid_t = 0
        var status: Int32 = 0
        let started = whole[0].withCString { path in
            posix_spawn(&child, path, &actions, nil, arguments + [nil], environment + [nil])
        }
        if started == 0 { while waitpid(child, &status, 0) < 0 && errno == EINTR {} }
        guard started == 0 && status == 0 else {
            throw QuernError(
                .internalFault, "fails with status \(started == 0 ? status >> 8 : started)",
                at: command.joined(separator: " "), remedy: "Run it by hand to see why")
        }
    }
}

/// Folders of servers that are to be stopped when the process ends.
private enum ServerFolders {
    private static let folders = Mutex<[String]>([])

    /// The first folder also registers the clean-up.
    static func add(_ folder: URL) -> Bool {
        let isFirst = folders.withLock { folders in
            folders.append(folder.path)
            return folders.count == 1
        }
        return !isFirst || atexit { ServerFolders.stopAll() } == 0
    }

    private static func stopAll() {
        for folder in folders.withLock({ $0 }) {
            // The first line of the file is the server's process id; SIGQUIT ends it at once, with all its children.
            let pidFile = try? String(contentsOfFile: "\(folder)/data/postmaster.pid", encoding: .utf8)
            if let pid = pidFile?.split(separator: "\n").first.flatMap({ pid_t($0) }) {
                kill(pid, SIGQUIT)
                for _ in 0..<500 where kill(pid, 0) == 0 { usleep(10_000) }
            }
            try? FileManager.default.removeItem(atPath: folder)
        }
    }
}
