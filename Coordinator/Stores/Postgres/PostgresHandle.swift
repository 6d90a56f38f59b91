import CLibPQ

/// Owner of a libpq connection.
struct PostgresHandle: ~Copyable {
    let pointer: OpaquePointer

    /// Takes over `pointer`; nil where libpq had no memory for one.
    init?(_ pointer: OpaquePointer?) {
        guard let pointer else { return nil }
        self.pointer = pointer
    }

    deinit { PQfinish(pointer) }

    var isUsable: Bool { PQstatus(pointer) == CONNECTION_OK }

    /// What libpq last complained about, on one line.
    var message: String { PQerrorMessage(pointer).map { oneLine(String(cString: $0)) } ?? "" }
}

/// Owner of a libpq result.
struct PostgresResult: ~Copyable {
    let pointer: OpaquePointer

    init?(_ pointer: OpaquePointer?) {
        guard let pointer else { return nil }
        self.pointer = pointer
    }

    deinit { PQclear(pointer) }

    /// The SQLSTATE and message of a statement that went wrong; nil where it went well.
    var failure: (state: String, message: String)? {
        switch PQresultStatus(pointer) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: return nil
        default:
            let state = PQresultErrorField(pointer, Int32(UInt8(ascii: "C"))).map { String(cString: $0) }
            let message = PQresultErrorField(pointer, Int32(UInt8(ascii: "M"))).map { String(cString: $0) }
            return (state ?? "", message ?? PQresultErrorMessage(pointer).map { oneLine(String(cString: $0)) } ?? "")
        }
    }

    var changedRows: Int { PQcmdTuples(pointer).flatMap { Int(String(cString: $0)) } ?? 0 }

    var rows: [SQLRow] {
        let columns = PQnfields(pointer)
        // int8, int2 and int4, by their object ids.
        let isInteger = (0..<columns).map { [20, 21, 23].contains(PQftype(pointer, $0)) }
        return (0..<PQntuples(pointer)).map { row in
            SQLRow(values: (0..<columns).map { column in value(row, column, isInteger: isInteger[Int(column)]) })
        }
    }

    private func value(_ row: Int32, _ column: Int32, isInteger: Bool) -> SQLValue {
        guard PQgetisnull(pointer, row, column) == 0, let start = PQgetvalue(pointer, row, column) else {
            return .null
        }
        let bytes = UnsafeRawBufferPointer(start: start, count: Int(PQgetlength(pointer, row, column)))
        let text = String(decoding: bytes, as: UTF8.self)
        return isInteger ? Int64(text).map(SQLValue.integer) ?? .text(text) : .text(text)
    }
}

private func oneLine(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).joined(separator: " ")
}
