/// One server-sent event, as the HTML standard defines them ("Server-sent events", 9.2.6).
package struct ServerSentEvent: Equatable {
    /// `message` where the stream names none.
    package var name = "message"
    /// Of this event or of the last one before it that had one.
    package var id: String?
    package var data = ""

    package init(name: String = "message", id: String? = nil, data: String = "") {
        self.name = name
        self.id = id
        self.data = data
    }
}

/// Cuts a stream of bytes into server-sent events, however the bytes were cut on their way.
package struct EventStreamParser {
    /// Longest line that is taken in; a stream with a longer one is no event stream of ours.
    package static let longestLine = 1 << 20

    private var line: [UInt8] = []
    private var afterCarriageReturn = false
    private var name = "message"
    private var id: String?
    private var data: [String] = []

    package init() {}

    /// - Returns: the events that are complete with these bytes; nil where a line is too long.
    package mutating func feed(_ bytes: some Sequence<UInt8>) -> [ServerSentEvent]? {
        var events: [ServerSentEvent] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n"), afterCarriageReturn {
                afterCarriageReturn = false
                continue
            }
            afterCarriageReturn = byte == UInt8(ascii: "\r")
            guard byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") else {
                guard line.count < Self.longestLine else { return nil }
                line.append(byte)
                continue
            }
            if let event = endLine() { events.append(event) }
        }
        return events
    }

    private mutating func endLine() -> ServerSentEvent? {
        let text = String(decoding: line, as: UTF8.self)
        line.removeAll(keepingCapacity: true)
        guard !text.isEmpty else { return dispatch() }
        guard !text.hasPrefix(":") else { return nil }
        let colon = text.firstIndex(of: ":") ?? text.endIndex
        var value = colon == text.endIndex ? "" : text[text.index(after: colon)...]
        if value.first == " " { value.removeFirst() }
        switch text[..<colon] {
        case "event": name = String(value)
        case "data": data.append(String(value))
        case "id": if !value.contains("\0") { id = String(value) }
        default: break
        }
        return nil
    }

    private mutating func dispatch() -> ServerSentEvent? {
        defer {
            name = "message"
            data = []
        }
        return data.isEmpty ? nil : ServerSentEvent(name: name, id: id, data: data.joined(separator: "\n"))
    }
}
