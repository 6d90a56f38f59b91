import Foundation
import QuernFormats
import QuernPlanning
import QuernStore

/// The weights of a linear layer, or of one of its experts, ready to be multiplied; part by part.
struct LinearWeights: Sendable {
    struct Part: Sendable {
        let matrix: PackedMatrix
        let bias: [Float]?
    }
    let parts: [Part]
}

/// Reads weights, decodes them and packs them.
final class WeightLoader: Sendable {
    private let readers: [String: TensorReader]
    private let engine: MatrixEngine
    private let files: SourceFiles

    init(model: SourceModel, engine: MatrixEngine) throws {
        self.engine = engine
        files = SourceFiles(model.files)
        var readers: [String: TensorReader] = [:]
        for tensor in model.tensors {
            readers[tensor.name] = try TensorReader(tensor: tensor, files: files, blobs: model.blobs)
        }
        self.readers = readers
    }

    /// To be called when a pass has ended.
    func checkUnchanged() throws { try files.checkUnchanged() }

    func reader(_ name: String) throws -> TensorReader {
        guard let reader = readers[name] else {
            throw QuernError(.internalFault, "the graph names a tensor that the model lacks", at: name)
        }
        return reader
    }

    /// All values of a small tensor.
    func vector(_ name: String) throws -> [Float] { try reader(name).values() }

    /// The values [outputs, inputs] of one matrix, as they are.
    func plain(_ linear: Linear, matrix: Int = 0) throws -> [Float] {
        try linear.parts.flatMap { part in
            try reader(part.weight).values(matrix * part.outputs..<(matrix + 1) * part.outputs)
        }
    }

    func bias(_ part: Linear.Part, matrix: Int = 0) throws -> [Float]? {
        guard let name = part.bias else { return nil }
        let values = try vector(name)
        return Array(values[matrix * part.outputs..<(matrix + 1) * part.outputs])
    }

    /// Several layers at once, their blocks shared among the threads of `crew`.
    func load(_ linears: [Linear], _ crew: Crew, tick: (Double) throws -> Void) throws -> [LinearWeights] {
        let weights = try linears.map { linear in
            LinearWeights(
                parts: try linear.parts.map { part in
                    LinearWeights.Part(
                        matrix: PackedMatrix(outputs: part.outputs, inputs: linear.inputs, engine: engine),
                        bias: try bias(part))
                })
        }
        let jobs = zip(linears, weights).flatMap { linear, weights in
            zip(linear.parts, weights.parts).flatMap { part, loaded in
                (0..<loaded.matrix.blockCount).map { (part.weight, loaded.matrix, $0) }
            }
        }
        let lock = NSLock()
        try crew.forEach(jobs.count, tick: tick) { index, workspace in
            let (name, matrix, block) = jobs[index]
            try self.pack(name, matrix, block, firstRow: 0, lock, workspace)
        }
        return weights
    }

    /// One expert, on the calling thread.
    func load(_ linear: Linear, matrix: Int, _ workspace: Workspace) throws -> LinearWeights {
        let lock = NSLock()
        return LinearWeights(
            parts: try linear.parts.map { part in
                let packed = PackedMatrix(outputs: part.outputs, inputs: linear.inputs, engine: engine)
                for block in 0..<packed.blockCount {
                    try pack(part.weight, packed, block, firstRow: matrix * part.outputs, lock, workspace)
                }
                return LinearWeights.Part(matrix: packed, bias: try bias(part, matrix: matrix))
            })
    }

    /// Some rows of a matrix as a block of their own, on the calling thread.
    func load(_ name: String, rows: Range<Int>, _ workspace: Workspace) throws -> PackedMatrix {
        let reader = try reader(name)
        let packed = PackedMatrix(outputs: rows.count, inputs: reader.tensor.columns, engine: engine)
        let lock = NSLock()
        for block in 0..<packed.blockCount {
            try pack(name, packed, block, firstRow: rows.lowerBound, lock, workspace)
        }
        return packed
    }

    private func pack(
        _ name: String, _ matrix: PackedMatrix, _ block: Int, firstRow: Int, _ lock: NSLock, _ workspace: Workspace
    ) throws {
        let reader = try reader(name)
        let rows = matrix.rows(of: block)
        let count = rows.count * matrix.inputs
        let values = workspace.take(.decoded, count)
        try reader.read(
            firstRow + rows.lowerBound..<firstRow + rows.upperBound,
            into: UnsafeMutableBufferPointer(start: values, count: count))
        let packed = try matrix.packed(
            block, values, isBF16: reader.tensor.type == .bf16 && reader.tensor.addend == nil, workspace)
        lock.withLock { matrix.set(block, packed) }
    }
}
