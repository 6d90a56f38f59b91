import QuernFormats
import QuernJobs

extension Draft {
    /// Rescales channels of the target that was added last, wherever all weights that read them are quantized or F32.
    mutating func balance(
        _ calibration: CalibrationItems, _ findings: inout FindingItems, allowRequantize: Bool
    ) throws {
        guard let choice = choices.indices.last, !refusals.contains(where: { $0.target == choices[choice].name }) else {
            return
        }
        let places = Dictionary(
            tensors.enumerated().map { ($1.importanceName, $0) }, uniquingKeysWith: { first, _ in first })
        let inputs = Set(calibration.inputs)
        var isRescaled = false
        for fold in calibration.folds where inputs.contains(fold.input) {
            let outputs = choices[choice].outputs
            /// Whether a tensor can be something else than it is.
            func index(_ name: String, isWeight: Bool) -> Int? {
                guard let index = places[name], let type = outputs[index].encoding.type,
                    EncodableTypes.contains(tensors[index].type), EncodableTypes.contains(type),
                    type == .f32 || (isWeight && type.isQuantized),
                    allowRequantize || !(tensors[index].type.isQuantized || tensors[index].isDequantized)
                else { return nil }
                return index
            }
            let readers = fold.readers.compactMap { index($0, isWeight: true) }
            guard readers.count == fold.readers.count,
                readers.contains(where: { outputs[$0].encoding.type?.isQuantized == true }),
                let first = fold.readers.first
            else { continue }
            var changes: [(index: Int, kind: Rescaling.Kind, first: Int)] = []
            var norm: FindingItems.NormWeight?
            let biases: (name: String?, first: Int)
            switch fold.producer {
            case .norm(let producer):
                guard let index = index(producer.weight, isWeight: false) else { continue }
                changes.append((index, .elements, 0))
                norm = FindingItems.NormWeight(tensor: tensors[index], type: .f32, addend: 0)
                biases = (producer.bias, 0)
            case .rows(let weight, let row, let bias):
                guard let index = index(weight, isWeight: true) else { continue }
                changes.append((index, .outputs, row))
                biases = (bias, row)
            }
            if let bias = biases.name {
                guard let index = index(bias, isWeight: false) else { continue }
                changes.append((index, .elements, biases.first))
            }
            let matrix = fold.input.hasExperts ? fold.matrix : nil
            let item = try findings.balance(
                StatisticsReference(merged: calibration.merged, tensor: first, matrix: fold.matrix), .search,
                readers: readers.map {
                    FindingItems.Reader(tensor: tensors[$0], matrix: matrix, encoding: outputs[$0].encoding)
                }, norm: norm,
                columns: GramLayout(channels: fold.channels, widest: calibration.gramBlock ?? fold.channels)
                    .blockColumns)
            for index in readers {
                let rows = matrix == nil ? tensors[index].rows : tensors[index].rowsPerMatrix
                choices[choice].outputs[index].rescalings.append(
                    Rescaling(item: item, kind: .inputs, first: (matrix ?? 0) * rows, count: rows))
            }
            for change in changes {
                choices[choice].outputs[change.index].rescalings.append(
                    Rescaling(item: item, kind: change.kind, first: change.first, count: fold.channels))
            }
            isRescaled = true
        }
        if !isRescaled { warnings.append("\(choices[choice].name): no channels of this model can be rescaled") }
    }
}
