import Foundation

/// For how long a server asks to be left alone.
package enum ServerWait {
    /// - Parameters:
    ///   - headers: by lower-case name: `retry-after`, in seconds or as a date (RFC 9110), and `ratelimit`, as in
    ///     `"resolvers";r=0;t=57`: no requests remain for 57 seconds (draft-ietf-httpapi-ratelimit-headers).
    ///   - now: for dates.
    /// - Returns: nil where it does not say.
    package static func asked(_ headers: [String: String], now: Date = Date()) -> Duration? {
        if let text = headers["retry-after"]?.trimmingCharacters(in: .whitespaces) {
            if let seconds = UInt32(text) { return .seconds(seconds) }
            if let date = date(text) { return .seconds(max(0, date.timeIntervalSince(now).rounded(.up))) }
        }
        for limit in headers["ratelimit"]?.split(separator: ",") ?? [] {
            let values = limit.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
            guard values.contains("r=0"), let reset = values.first(where: { $0.hasPrefix("t=") }),
                let seconds = UInt32(reset.dropFirst(2))
            else { continue }
            return .seconds(seconds)
        }
        return nil
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    private static func date(_ text: String) -> Date? {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard let match = text.wholeMatch(of: /\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT/),
            let month = months.firstIndex(of: String(match.2)), let day = Int32(match.1), let year = Int32(match.3),
            let hour = Int32(match.4), let minute = Int32(match.5), let second = Int32(match.6)
        else { return nil }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (year - 1900, Int32(month), day)
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (hour, minute, second)
        return Date(timeIntervalSince1970: TimeInterval(timegm(&parts)))
    }
}
