import ArgumentParser
import Foundation
import QuernFormats
import QuernJobs

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Make, list and revoke the tokens that a coordinator asks for.",
        discussion: """
            Example: quern token create laptop --scopes read,submit --database postgres://quern@localhost/quern

            As long as no token was ever made, a coordinator asks for none, and listens on this machine only. Who calls it \
            shows a token by QUERN_TOKEN, or in a file that QUERN_TOKEN_FILE names. These commands work on the database \
            itself; an SQLite file can be open only once, so that its coordinator has to be stopped for the moment.
            """,
        subcommands: [CreateToken.self, ListTokens.self, RevokeToken.self])
}

/// The database that tokens are kept in.
struct TokenDatabase: ParsableArguments {
    @Option(help: "The coordinator's database: postgres://… or the path of an SQLite file.")
    var database: String?

    @Flag(help: "Print one JSON object per line on standard output.")
    var json = false

    func open() async throws -> any JobStore {
        guard let database = try Settings.load().value(.database, flag: database) else {
            throw QuernError(.usage, "no database given", remedy: "Say --database or set QUERN_DATABASE")
        }
        let store = try CoordinatorCommand.jobStore(database)
        try await store.migrate()
        return store
    }
}

struct CreateToken: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a token and print it: it is shown this once.",
        discussion: "Example: quern token create worker-1 --scopes work --days 90 --database /srv/quern/quern.sqlite")

    @Argument(help: "A name for it.") var name: String
    @Option(
        help: "What it is for, separated by commas: read (jobs and artifacts), submit, work (as a worker), admin (all)."
    )
    var scopes: String
    @Option(help: "Days until it is refused; it is taken for ever otherwise.") var days: Double?
    @OptionGroup var tokens: TokenDatabase

    private struct Made: Encodable {
        let name: String
        let scopes: [String]
        let token: String
    }

    func run() async throws {
        let scopes = try AccessScope.parse(scopes)
        guard days.map({ $0 > 0 && $0 < 1e6 }) ?? true else {
            throw QuernError(.usage, "must be above 0 and below a million", at: "--days")
        }
        let token = try NewAccessToken(name: name, scopes: scopes, lifetime: days.map { .seconds($0 * 86_400) })
        try await tokens.open().insertToken(token)
        guard !tokens.json else {
            return try Console.json(
                Made(name: name, scopes: scopes.map(\.rawValue).sorted(), token: token.secret))
        }
        Console.line(token.secret)
    }
}

struct ListTokens: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show the tokens that there are or were.",
        discussion: "Example: quern token list --database /srv/quern/quern.sqlite")

    @OptionGroup var tokens: TokenDatabase

    private struct Listed: Encodable {
        let name: String
        let scopes: [String]
        let created: Int64
        let expires: Int64?
        let valid: Bool
    }

    func run() async throws {
        let all = try await tokens.open().tokens()
        guard !tokens.json else {
            for token in all {
                try Console.json(
                    Listed(
                        name: token.name, scopes: token.scopes.map(\.rawValue).sorted(), created: token.created,
                        expires: token.expires, valid: token.isValid))
            }
            return
        }
        func day(_ time: Int64) -> String {
            Date(timeIntervalSince1970: Double(time) / 1000).formatted(.iso8601.year().month().day())
        }
        let rows = all.map { token in
            [
                token.name, token.scopes.map(\.rawValue).sorted().joined(separator: ","), day(token.created),
                token.expires.map(day) ?? "never", token.isValid ? "valid" : "refused",
            ]
        }
        Console.line(Console.table([["name", "scopes", "made", "expires", ""]] + rows))
    }
}

struct RevokeToken: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Have a token refused from now on: within five seconds.",
        discussion: "Example: quern token revoke laptop --database /srv/quern/quern.sqlite")

    @Argument(help: "Its name.") var name: String
    @OptionGroup var tokens: TokenDatabase

    func run() async throws { try await tokens.open().revokeToken(named: name) }
}
