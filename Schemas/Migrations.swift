/// SQL that brings a job database from one version of its schema to the next.
public struct Migration: Sendable {
    /// Counted from 1, without gaps.
    public let version: Int
    /// Statements for both databases, run first.
    public let common: String
    /// Statements that only PostgreSQL knows, run after the common ones; empty for none.
    public let postgres: String

    /// All migrations in order. One that has been released is never changed again.
    public static let all: [Migration] = [
        Migration(
            version: 1, common: text(PackageResources.jobs_0001_sql),
            postgres: text(PackageResources.jobs_0001_postgres_sql)),
        Migration(version: 2, common: text(PackageResources.jobs_0002_sql), postgres: ""),
        Migration(version: 3, common: text(PackageResources.jobs_0003_sql), postgres: ""),
        Migration(version: 4, common: text(PackageResources.jobs_0004_sql), postgres: ""),
    ]

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
