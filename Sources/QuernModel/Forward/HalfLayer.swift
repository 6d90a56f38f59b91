import QuernPlanning

/// Attention or feed-forward of a layer: its weights on their way into memory, and what they are for.
struct HalfLayer {
    enum Work {
        /// Each chunk by itself.
        case chunkwise(@Sendable (ChunkState, any ForwardLane) throws -> Void)
        case experts(ExpertPass)
    }
    /// To be done before the work.
    let loading: [WeightLoader.Piece]
    let work: Work

    static func attention(
        _ layer: DecoderLayer, _ states: [ChunkState], _ ropes: RopeTables, _ context: PassContext
    ) throws -> HalfLayer {
        let tables = try states.map { try ropes.table(layer.attention.rope, length: $0.positions) }
        switch layer.attention.projections {
        case .grouped(let projections):
            let pass = try GroupedAttentionPass(layer, projections, context)
            return HalfLayer(
                loading: pass.loading,
                work: .chunkwise { try pass.apply(to: $0, rope: tables[$0.index], $1) })
        case .latent(let projections):
            let pass = try LatentAttentionPass(layer, projections, context)
            return HalfLayer(
                loading: pass.loading,
                work: .chunkwise { try pass.apply(to: $0, rope: tables[$0.index], $1) })
        }
    }

    static func feedForward(_ layer: DecoderLayer, _ context: PassContext) throws -> HalfLayer {
        switch layer.feedForward {
        case .dense(let dense):
            let pass = try DensePass(layer, dense, context)
            return HalfLayer(loading: pass.loading, work: .chunkwise { try pass.apply(to: $0, $1) })
        case .experts(let experts):
            let pass = try ExpertPass(layer, experts, context)
            return HalfLayer(loading: pass.loading, work: .experts(pass))
        }
    }
}
