import QuernFormats

/// A value as both databases know it. Times, counts and flags are integers, everything else is text.
public enum SQLValue: Sendable, Equatable {
    case null
    case integer(Int64)
    case text(String)

    static func integer(_ value: Int) -> SQLValue { .integer(Int64(value)) }
    static func optional(_ value: String?) -> SQLValue { value.map(SQLValue.text) ?? .null }
}

/// One row of an answer, by position.
public struct SQLRow: Sendable {
    package let values: [SQLValue]

    func integer(_ column: Int) throws -> Int64 {
        guard case .integer(let value) = values[column] else { throw unexpected(column, "a whole number") }
        return value
    }

    func int(_ column: Int) throws -> Int { Int(try integer(column)) }

    func text(_ column: Int) throws -> String {
        guard case .text(let value) = values[column] else { throw unexpected(column, "text") }
        return value
    }

    func optionalInteger(_ column: Int) throws -> Int64? {
        values[column] == .null ? nil : try integer(column)
    }

    func optionalText(_ column: Int) throws -> String? {
        values[column] == .null ? nil : try text(column)
    }

    private func unexpected(_ column: Int, _ wanted: String) -> QuernError {
        QuernError(
            .corrupted, "the job database holds \(values[column]) where \(wanted) belongs", at: "column \(column)")
    }
}
