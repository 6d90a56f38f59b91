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

    /// One of its blocks, and where its order, panels and variances begin, in bytes.
    private struct Place {
        let first, count, order, factors: Int
    }

    let panels: [Panel]
    let orders: DeviceMemory
    let factors: DeviceMemory
    private let variances: DeviceMemory
    private let places: [Place]
    /// Whose it is.
    let source: SharedFeedback

    init(_ source: SharedFeedback, _ context: CUDAContext, _ stream: CUDAStream) throws {
        self.source = source
        let blocks = source.value.blocks
        let orders = try DeviceMemory(context, count: blocks.reduce(0) { $0 + 4 * $1.order.count })
        let factors = try DeviceMemory(context, count: blocks.reduce(0) { $0 + 4 * $1.panels.count })
        let variances = try DeviceMemory(context, count: orders.count)
        var panels: [Panel] = []
        var places: [Place] = []
        var (order, place) = (0, 0)
        for block in blocks {
            places.append(Place(first: block.first, count: block.order.count, order: order, factors: place))
            try block.order.withUnsafeBytes { try stream.copy($0, to: orders, at: order) }
            try block.variances.withUnsafeBytes { try stream.copy($0, to: variances, at: order) }
            try block.panels.withUnsafeBytes { try stream.copy($0, to: factors, at: place) }
            for first in stride(from: 0, to: block.order.count, by: Feedback.panelColumns) {
                let width = min(Feedback.panelColumns, block.order.count - first)
                panels.append(
                    Panel(block: block.first, order: order, factors: place, first: first, width: width))
                place += 4 * (first + width) * width
            }
            order += 4 * block.order.count
        }
        (self.panels, self.places) = (panels, places)
        (self.orders, self.factors, self.variances) = (orders, factors, variances)
    }

    /// Its blocks as kernels are told of them. They refer to this feedback's memory.
    var blocks: [DeviceFeedback] {
        places.map {
            DeviceFeedback(
                first: $0.first, count: $0.count, order: orders.address + UInt64($0.order),
                panels: factors.address + UInt64($0.factors), variances: variances.address + UInt64($0.order))
        }
    }

    /// The one that a lane has used last: factors are large, and items that share one follow each other.
    final class Last {
        private var feedback: CardFeedback?

        func make(of source: SharedFeedback, _ context: CUDAContext, _ stream: CUDAStream) throws -> CardFeedback {
            if let feedback, feedback.source === source { return feedback }
            // Never two at a time.
            feedback = nil
            let made = try CardFeedback(source, context, stream)
            feedback = made
            return made
        }
    }
}
