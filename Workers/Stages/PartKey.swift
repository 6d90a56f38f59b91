import QuernFormats
import QuernJobs
import QuernStore

extension Digest {
    /// The name under which a part is found again: a hash of everything that its bytes depend on.
    /// - Parameters:
    ///   - encoder: version of the encoders.
    ///   - source: sha256 of the span's bytes as `SpanReader` gives them: rows in the artifact's order.
    static func partKey(encoder: String, span: Span, output: EncodeOutput, source: Digest) -> Digest {
        let addend = span.addend.map { String($0.bitPattern, radix: 16) } ?? "none"
        // Where statistics do not matter they must not part what is the same.
        let importance =
            output.weights(span).map {
                "\($0.digest?.hex ?? "unknown") \(span.firstRow) \($0.rowsPerMatrix)"
            } ?? "none"
        let text = """
            quern-part
            encoder \(encoder)
            type \(output.encoding.key)
            source-type \(span.sourceType)
            columns \(span.columns)
            rows \(span.rows)
            addend \(addend)
            importance \(importance)
            span \(source.hex)

            """
        return Digest(of: Array(text.utf8))
    }
}

extension PartEncoding {
    /// All that tells it from others.
    fileprivate var key: String {
        switch self {
        case .blocks(let type): "\(type)"
        // The shape of the whole stands in one of the components.
        case .component(let component, let weight):
            "\(weight.format) \(component.rawValue) \(weight.source.rawValue) \(weight.rows)"
        }
    }
}

extension EncodeOutput {
    /// Whether the source's rows are taken over as they are.
    func isCopy(_ span: Span) -> Bool { encoding == .blocks(span.sourceType) && span.addend == nil }

    /// The importance matrix, where it changes the part's bytes.
    func weights(_ span: Span) -> Importance? {
        guard case .blocks(let type) = encoding, type.usesImportance, !isCopy(span) else { return nil }
        return importance
    }
}
