import QuernFormats
import QuernJobs
import QuernStore

extension Digest {
    /// The name under which a part is found again: a hash of everything that its bytes depend on.
    /// - Parameters:
    ///   - encoder: version of the encoders.
    ///   - findings: of the item.
    ///   - source: sha256 of the span's bytes as `SpanReader` gives them: rows in the artifact's order.
    static func partKey(
        encoder: String, span: Span, output: EncodeOutput, source: Digest, findings: Findings
    ) throws -> Digest {
        let addend = span.addend.map { String($0.bitPattern, radix: 16) } ?? "none"
        // Where statistics do not matter they must not part what is the same.
        let importance =
            output.weights(span).map {
                "\($0.digest?.hex ?? "unknown") \(span.firstRow) \($0.rowsPerMatrix) \($0.firstMatrix)"
            } ?? "none"
        func key(_ rescaling: Rescaling) throws -> String {
            "\(rescaling.kind) \(span.firstRow) \(rescaling.first) \(rescaling.count) "
                + "\(rescaling.addend.bitPattern) \(try findings.vector(of: rescaling.item).hex)"
        }
        let text = """
            quern-part
            encoder \(encoder)
            type \(try output.encoding.key(findings))\(try output.refinement(span).map { try $0.key(span, findings) } ?? "")
            source-type \(span.sourceType)
            columns \(span.columns)
            rows \(span.rows)
            addend \(addend)
            rescaled \(try output.rescalings.isEmpty ? "no" : output.rescalings.map(key).joined(separator: ", "))
            importance \(importance)
            span \(source.hex)

            """
        return Digest(of: Array(text.utf8))
    }
}

extension PartEncoding {
    /// All that tells it from others.
    fileprivate func key(_ findings: Findings) throws -> String {
        switch self {
        case .blocks(let type): return "\(type)"
        // The shape of the whole stands in one of the components.
        case .component(let component, let weight):
            let found = try findings.found(for: weight.rounding)
            let magnitudes =
                found.magnitudes.map {
                    "\($0.weights.bitPattern) \($0.groupMean?.bitPattern ?? 0) \($0.input?.bitPattern ?? 0)"
                } ?? "none"
            let factor = found.factor.map { $0.map(\.hex).joined(separator: " ") } ?? "none"
            return
                "\(weight.storage.numbers) \(weight.storage.layout) \(component.rawValue) \(weight.source.rawValue) \(weight.rows)"
                + (weight.rounding.searches ? " searched" : "") + " magnitudes \(magnitudes) factor \(factor)"
        }
    }
}

extension Refinement {
    fileprivate func key(_ span: Span, _ findings: Findings) throws -> String {
        let factors = try items(of: span.firstRow..<span.firstRow + span.rows).sorted().map {
            try findings.factor(of: $0).map(\.hex).joined(separator: " ")
        }
        return " \(EncoderVersion.refined) \(span.firstRow) \(rowsPerMatrix) \(factors.joined(separator: ", "))"
    }
}

extension EncodeOutput {
    /// How its blocks make good each other's errors, where they do.
    func refinement(_ span: Span) -> Refinement? { isCopy(span) ? nil : refinement }

    /// Whether the source's rows are taken over as they are.
    func isCopy(_ span: Span) -> Bool {
        encoding == .blocks(span.sourceType) && span.addend == nil && rescalings.isEmpty
    }

    /// The importance matrix, where it changes the part's bytes.
    func weights(_ span: Span) -> Importance? {
        switch encoding {
        case .blocks(let type): (type.usesImportance || refinement != nil) && !isCopy(span) ? importance : nil
        case .component(_, let weight): weight.rounding.searches ? importance : nil
        }
    }
}
