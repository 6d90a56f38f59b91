import QuernFormats
import QuernJobs

extension Draft {
    /// Has the blocks of the target that was added last make good each other's errors, wherever it is known what a tensor
    /// reads and its type can.
    mutating func refine(_ calibration: CalibrationItems, _ findings: inout FindingItems) {
        guard let choice = choices.indices.last, let refiner = Refiner(calibration, tensors: tensors) else { return }
        var cut: [String] = []
        for (index, tensor) in tensors.enumerated() {
            let output = choices[choice].outputs[index]
            guard let type = output.encoding.type, type != tensor.type, let importance = output.importance else {
                continue
            }
            choices[choice].outputs[index].refinement = refiner.refinement(
                of: tensor, in: type, importance: importance, rescalings: output.rescalings, &findings)
            if refiner.isCut(tensor, in: type) { cut.append(tensor.name) }
        }
        if let cut = cut.firstAndOthers {
            warnings.append(
                "\(choices[choice].name): Gram matrices are kept in blocks that are not whole blocks of the type of "
                    + "\(cut); encoded as by the reference")
        }
    }
}
