import QuernFormats
import QuernJobs

extension Draft {
    /// Has the blocks of the target that was added last make good each other's errors, wherever it is known what a tensor
    /// reads and its type can.
    mutating func refine(_ calibration: CalibrationItems, _ findings: inout FindingItems) {
        guard let choice = choices.indices.last, let widest = calibration.gramBlock else { return }
        let names = Set(tensors.map(\.importanceName))
        let inputs = Dictionary(
            calibration.inputs.flatMap { input in input.tensors.map { ($0, input) } },
            uniquingKeysWith: { first, _ in first })
        var uneven: [String] = []
        for (index, tensor) in tensors.enumerated() {
            let output = choices[choice].outputs[index]
            guard let type = output.encoding.type, type.isRefined, type != tensor.type,
                let importance = output.importance, let input = inputs[tensor.importanceName],
                input.channels == tensor.columns, tensor.rows % importance.rowsPerMatrix == 0
            else { continue }
            let layout = GramLayout(channels: input.channels, widest: widest)
            guard layout.blockColumns % type.blockSize == 0 else {
                uneven.append(tensor.name)
                continue
            }
            // The same for all that read it.
            let name = input.tensors.first(where: names.contains) ?? tensor.importanceName
            let factors = (0..<tensor.rows / importance.rowsPerMatrix).map { matrix in
                let rows = matrix * importance.rowsPerMatrix
                let balance = output.rescalings.first {
                    $0.kind == .inputs && $0.first <= rows && rows < $0.first + $0.count
                }
                return findings.factor(
                    StatisticsReference(
                        merged: calibration.merged, tensor: name,
                        matrix: input.matrices > 1 ? importance.firstMatrix + matrix : 0),
                    balance: balance?.item, unit: type.blockSize, channels: input.channels,
                    columns: layout.blockColumns)
            }
            choices[choice].outputs[index].refinement = Refinement(
                factors: factors, rowsPerMatrix: importance.rowsPerMatrix)
        }
        if let uneven = uneven.firstAndOthers {
            warnings.append(
                "\(choices[choice].name): Gram matrices are kept in blocks that are not whole blocks of the type of "
                    + "\(uneven); encoded as by the reference")
        }
    }
}
