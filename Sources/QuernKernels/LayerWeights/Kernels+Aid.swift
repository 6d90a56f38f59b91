import CQuernKernels

/// What is known of a layer's inputs, as C has it.
extension Kernels {
    static func withAid<Result>(
        _ importance: [Float]?, _ blocks: [Feedback.Block], _ body: (quern_weight_aid) -> Result
    ) -> Result {
        withFeedback(blocks[...], []) { feedback in
            withImportance(importance) {
                body(quern_weight_aid(importance: $0, feedback: feedback.baseAddress, blocks: feedback.count))
            }
        }
    }

    private static func withImportance<Result>(
        _ importance: [Float]?, _ body: (UnsafePointer<Float>?) -> Result
    ) -> Result {
        guard let importance else { return body(nil) }
        return importance.withUnsafeBufferPointer { body($0.baseAddress) }
    }

    /// Runs `body` with the blocks as C has them.
    private static func withFeedback<Result>(
        _ blocks: ArraySlice<Feedback.Block>, _ made: [quern_feedback],
        _ body: (UnsafeBufferPointer<quern_feedback>) -> Result
    ) -> Result {
        guard let block = blocks.first else { return made.withUnsafeBufferPointer(body) }
        return block.order.withUnsafeBufferPointer { order in
            block.panels.withUnsafeBufferPointer { panels in
                block.variances.withUnsafeBufferPointer { variances in
                    withFeedback(
                        blocks.dropFirst(),
                        made + [
                            quern_feedback(
                                first: block.first, count: order.count, order: order.baseAddress,
                                panels: panels.baseAddress, variances: variances.baseAddress)
                        ], body)
                }
            }
        }
    }
}
