/// What a `Range` header asks of a representation of known size (RFC 9110, section 14).
package enum ByteRange: Equatable {
    /// No range, several, or none that is understood: the whole is sent.
    case whole
    case part(Range<UInt64>)
    case unsatisfiable

    package init(header: String?, size: UInt64) {
        self = .whole
        guard let header, header.lowercased().hasPrefix("bytes=") else { return }
        let spec = header.dropFirst(6).filter { $0 != " " && $0 != "\t" }
        let ends = spec.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard ends.count == 2, ends.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } }) else { return }
        if ends[0].isEmpty {
            // The last bytes. A number too large for 64 bits is more than there is.
            guard !ends[1].isEmpty else { return }
            let count = min(UInt64(ends[1]) ?? .max, size)
            self = count == 0 ? .unsatisfiable : .part(size - count..<size)
            return
        }
        let first = UInt64(ends[0]) ?? .max
        let last = ends[1].isEmpty ? UInt64.max : UInt64(ends[1]) ?? .max
        guard first <= last else { return }
        self = first < size ? .part(first..<(last >= size ? size : last + 1)) : .unsatisfiable
    }
}
