import QuernCUDA
import QuernKernels

/// A feedback in a card's memory.
final class CardFeedback {
    /// Columns that are rounded together.
    struct Panel {
        /// The first column of its block.
        let block: Int
        /// Where the order of its block begins, in bytes.
        let order: Int
        /// Where its rows of V begin, in bytes.
        let factors: Int
        /// Columns of the block before it, and its own.
        let first, width: Int
    }

    let panels: [Panel]
    let orders: DeviceMemory
    let factors: DeviceMemory
    /// Whose it is.
    let identity: WeightRounding.Search.Identity

    init(
        _ feedback: Feedback, of identity: WeightRounding.Search.Identity, _ context: CUDAContext, _ stream: CUDAStream
    ) throws {
        self.identity = identity
        let orders = try DeviceMemory(context, count: feedback.blocks.reduce(0) { $0 + 4 * $1.order.count })
        let factors = try DeviceMemory(context, count: feedback.blocks.reduce(0) { $0 + 4 * $1.panels.count })
        var panels: [Panel] = []
        var (order, place) = (0, 0)
        for block in feedback.blocks {
            try block.order.withUnsafeBytes { try stream.copy($0, to: orders, at: order) }
            try block.panels.withUnsafeBytes { try stream.copy($0, to: factors, at: place) }
            for first in stride(from: 0, to: block.order.count, by: Feedback.panelColumns) {
                let width = min(Feedback.panelColumns, block.order.count - first)
                panels.append(
                    Panel(block: block.first, order: order, factors: place, first: first, width: width))
                place += 4 * (first + width) * width
            }
            order += 4 * block.order.count
        }
        (self.panels, self.orders, self.factors) = (panels, orders, factors)
    }
}
