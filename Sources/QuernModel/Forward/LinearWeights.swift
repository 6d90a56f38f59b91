import QuernFormats
import QuernPlanning
import QuernStore

/// The weights of a linear layer, or of one of its experts, ready to be multiplied; part by part.
struct LinearWeights: Sendable {
    struct Part: Sendable {
        let matrix: any WeightMatrix
        let bias: (any ValueBuffer)?
    }
    let parts: [Part]
}

/// Reads weights, decodes them and packs them.
final class WeightLoader: Sendable {
    private let readers: [String: TensorReader]
    private let engine: any ForwardEngine
    private let files: SourceFiles

    init(model: SourceModel, engine: any ForwardEngine) throws {
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

    /// The values [outputs, inputs] of all matrices, one after the other, as they are.
    func all(_ linear: Linear) throws -> [Float] {
        try linear.parts.flatMap { part in
            try reader(part.weight).values(0..<linear.matrices * part.outputs)
        }
    }

    func bias(_ part: Linear.Part, matrix: Int = 0) throws -> (any ValueBuffer)? {
        guard let name = part.bias else { return nil }
        return try engine.vector(Array(try vector(name)[matrix * part.outputs..<(matrix + 1) * part.outputs]))
    }

    func norm(_ norm: Norm) throws -> LoadedNorm {
        try LoadedNorm(
            norm.kind, epsilon: norm.epsilon, weight: try vector(norm.weight), bias: try norm.bias.map(vector),
            on: engine)
    }

    /// A piece of weights to be read, decoded and packed: once, by any thread.
    typealias Piece = @Sendable (any ForwardLane) throws -> Void

    /// Several layers, ready to be multiplied as soon as all pieces are done.
    func load(_ linears: [Linear]) throws -> (weights: [LinearWeights], pieces: [Piece]) {
        var pieces: [Piece] = []
        let weights = try linears.map { linear in
            LinearWeights(
                parts: try linear.parts.map { part in
                    let loaded = try matrix(part.weight, rows: 0..<part.outputs)
                    pieces += loaded.pieces
                    return LinearWeights.Part(matrix: loaded.matrix, bias: try bias(part))
                })
        }
        return (weights, pieces)
    }

    /// One expert, on the calling thread.
    func load(_ linear: Linear, matrix: Int, _ lane: any ForwardLane) throws -> LinearWeights {
        LinearWeights(
            parts: try linear.parts.map { part in
                let rows = matrix * part.outputs..<(matrix + 1) * part.outputs
                return LinearWeights.Part(
                    matrix: try load(part.weight, rows: rows, lane), bias: try bias(part, matrix: matrix))
            })
    }

    /// Some rows of a tensor as a matrix of their own, on the calling thread.
    func load(_ name: String, rows: Range<Int>, _ lane: any ForwardLane) throws -> any WeightMatrix {
        let (matrix, pieces) = try matrix(name, rows: rows)
        for piece in pieces { try piece(lane) }
        return matrix
    }

    private func matrix(_ name: String, rows: Range<Int>) throws -> (matrix: any WeightMatrix, pieces: [Piece]) {
        let reader = try reader(name)
        let tensor = reader.tensor
        let matrix = try engine.matrix(
            outputs: rows.count, inputs: tensor.columns, areBF16: tensor.type == .bf16 && tensor.addend == nil)
        let pieces = matrix.pieces.map { piece -> Piece in
            { lane in
                let count = piece.count * tensor.columns
                let values = try lane.staging(count)
                try reader.read(
                    rows.lowerBound + piece.lowerBound..<rows.lowerBound + piece.upperBound,
                    into: UnsafeMutableBufferPointer(start: values, count: count))
                try lane.pack(matrix, piece, values)
            }
        }
        return (matrix, pieces)
    }
}
