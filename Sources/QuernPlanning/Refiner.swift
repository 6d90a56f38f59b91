import QuernFormats
import QuernJobs

/// Says where blocks of tensors can make good each other's errors, and which items find out how.
struct Refiner {
    private let merged: Int
    private let gramBlock: Int
    /// What tensors read, by the names that statistics have.
    private let inputs: [String: LinearInput]
    private let names: Set<String>

    /// - Returns: nil where calibration keeps no Gram matrices.
    init?(_ calibration: CalibrationItems?, tensors: [SourceTensor]) {
        guard let calibration, let widest = calibration.gramBlock else { return nil }
        merged = calibration.merged
        gramBlock = widest
        inputs = Dictionary(
            calibration.inputs.flatMap { input in input.tensors.map { ($0, input) } },
            uniquingKeysWith: { first, _ in first })
        names = Set(tensors.map(\.importanceName))
    }

    /// - Parameter importance: of the tensor in that type.
    /// - Returns: nil where nobody knows what the tensor reads, or the type has no such encoder.
    func refinement(
        of tensor: SourceTensor, in type: ElementType, importance: Importance, rescalings: [Rescaling] = [],
        _ findings: inout FindingItems
    ) -> Refinement? {
        guard type.isRefined, !isCut(tensor, in: type), let input = input(of: tensor),
            tensor.rows % importance.rowsPerMatrix == 0
        else { return nil }
        let layout = GramLayout(channels: input.channels, widest: gramBlock)
        let factors = (0..<tensor.rows / importance.rowsPerMatrix).map { matrix in
            let row = matrix * importance.rowsPerMatrix
            let balance = rescalings.first { $0.kind == .inputs && ($0.first..<$0.first + $0.count).contains(row) }
            return findings.factor(
                reference(to: input, of: tensor, matrix: importance.firstMatrix + matrix), balance: balance?.item,
                unit: type.blockSize, run: type.refinedRun, channels: input.channels, columns: layout.blockColumns)
        }
        return Refinement(factors: factors, rowsPerMatrix: importance.rowsPerMatrix)
    }

    /// What some matrices of a tensor read, at equal distances; none where nobody knows.
    /// - Parameter isFactored: whether columns that are rounded one by one will make good each other's errors.
    func inputs(
        of tensor: SourceTensor, importance: Importance, most: Int, isFactored: Bool, _ findings: inout FindingItems
    ) -> [MeasureWork.Input] {
        guard let input = input(of: tensor), tensor.rows % importance.rowsPerMatrix == 0 else { return [] }
        let matrices = tensor.rows / importance.rowsPerMatrix
        let some = min(matrices, most)
        return (0..<some).map { index in
            let matrix = (matrices - 1) * index / max(some - 1, 1)
            let reference = reference(to: input, of: tensor, matrix: importance.firstMatrix + matrix)
            let layout = GramLayout(channels: input.channels, widest: gramBlock)
            let factor =
                isFactored
                ? findings.factor(reference, channels: input.channels, columns: layout.blockColumns) : nil
            return MeasureWork.Input(
                reference: reference, firstRow: matrix * importance.rowsPerMatrix, rows: importance.rowsPerMatrix,
                factor: factor)
        }
    }

    /// Whether all is there to refine a tensor, but its Gram matrix is cut where blocks of the type go on.
    func isCut(_ tensor: SourceTensor, in type: ElementType) -> Bool {
        guard type.isRefined, let input = input(of: tensor) else { return false }
        return GramLayout(channels: input.channels, widest: gramBlock).blockColumns % type.blockSize != 0
    }

    private func input(of tensor: SourceTensor) -> LinearInput? {
        inputs[tensor.importanceName].flatMap { $0.channels == tensor.columns ? $0 : nil }
    }

    /// Named alike for all that read the input.
    private func reference(to input: LinearInput, of tensor: SourceTensor, matrix: Int) -> StatisticsReference {
        StatisticsReference(
            merged: merged, tensor: input.tensors.first(where: names.contains) ?? tensor.importanceName,
            matrix: input.matrices > 1 ? matrix : 0)
    }
}
