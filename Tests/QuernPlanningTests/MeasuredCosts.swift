import QuernFormats
import QuernJobs
import QuernPlanning

/// Costs as a measuring job would find them: they grow towards the last layer and fall by four with each bit.
enum MeasuredCosts {
    /// - Parameter path: of a checkpoint, whose headers are enough.
    static func file(of path: String) throws -> SensitivityFile {
        SensitivityFile(
            source: "m", encoder: EncoderVersion.refined, text: "t", chunkTokens: 512, chunks: 3,
            tensors: try work(on: path).flatMap { work in work.tensors.map { costs($0, layer: work.layer ?? 0) } })
    }

    /// The items of such a job.
    static func work(on path: String) throws -> [MeasureWork] { try measuring(path).work }

    static func measuring(_ path: String) throws -> (plan: Plan, work: [MeasureWork]) {
        let text = CalibrationPlanTests.text
        let plan = try Planner.plan(
            recipe: Recipe(
                source: path, targets: [], calibration: .init(text: text.path, chunks: 4), measurement: .init(chunks: 3)
            ),
            source: SourceModel.open(path: path), importance: nil, calibrationText: text)
        let work = plan.items.compactMap { item in
            if case .measure(let work) = item.payload { work } else { nil }
        }
        return (plan, work)
    }

    private static func costs(_ tensor: MeasureWork.Tensor, layer: Int) -> TensorCosts {
        let (rows, columns) = (tensor.span.rows, tensor.span.columns)
        let elements = Double(rows * columns)
        func divergence(_ bytes: Int) -> Double { Double(layer + 1) * 4 * .exp2(-16 * Double(bytes) / elements) }
        let types = tensor.span.outputs.compactMap { output -> TensorCosts.TypeCost? in
            guard let type = output.encoding.type, let bytes = output.encoding.bytes(rows: rows, columns: columns)
            else {
                return nil
            }
            return .init(type: type, bytes: UInt64(bytes), divergence: divergence(bytes))
        }
        let schemes = tensor.schemes.map { scheme in
            let bytes = scheme.storage.components.reduce(0) { sum, component in
                sum + (scheme.storage.bytes(of: component, rows: rows, columns: columns, source: scheme.source) ?? 0)
            }
            // Feeding errors back is worth a bit.
            let gain = scheme.method == .gptq ? 0.25 : 1
            return TensorCosts.SchemeCost(scheme: scheme.name, divergence: gain * divergence(bytes))
        }
        return TensorCosts(
            tensor: tensor.span.tensor, probe: .q3_K, divergence: Double(layer + 1), types: types, schemes: schemes)
    }
}

extension Double {
    fileprivate static func exp2(_ bits: Double) -> Double {
        var (value, whole) = (1.0, bits.rounded(.down))
        while whole < 0 { (value, whole) = (value / 2, whole + 1) }
        return value * (1 + bits - bits.rounded(.down))
    }
}
