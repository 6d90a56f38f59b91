import Foundation
import Logging
import QuernCUDA
import QuernFormats
import QuernWorker

/// A card that is ready to be measured.
struct Setup {
    let context: CUDAContext
    let stream: CUDAStream
    let engine: CardEngine
    let products: CardProducts
    let seconds: Double
    private let start: CUDAEvent
    private let end: CUDAEvent

    init(_ driver: CUDADriver, _ device: CUDADevice, seconds: Double) throws {
        let logger = Logger(label: "quern.benchmark") { StreamLogHandler.standardError(label: $0) }
        context = try CUDAContext(driver, device)
        stream = try CUDAStream(context)
        engine = try CardEngine(
            [device], of: driver, computesForward: true,
            cache: ProgramCache(folder: ProgramCache.usualFolder(), logger: logger), logger: logger)
        products = try CardProducts(CUDAProducts(driver: driver.version), context)
        self.seconds = seconds
        start = try CUDAEvent(context, takesTime: true)
        end = try CUDAEvent(context, takesTime: true)
    }

    /// Seconds that the card takes for what is given to the stream, each time.
    func time(_ work: () throws -> Void) throws -> Double {
        // The first time is for what is made ready then.
        try work()
        var times = 1
        while true {
            try stream.record(start)
            for _ in 0..<times { try work() }
            try stream.record(end)
            try stream.synchronize()
            let total = Double(try end.milliseconds(since: start)) / 1000
            if total >= seconds || times >= 1 << 16 { return total / Double(times) }
            times *= 2
        }
    }

    /// What nothing on the card can be faster than.
    func limits() throws -> Limits {
        let bytes = 64 << 20
        let pinned = try PinnedMemory(context, count: bytes)
        let (a, b) = (try DeviceMemory(context, count: bytes), try DeviceMemory(context, count: bytes))
        let workspace = try DeviceMemory(context, count: products.workspaceLimit)
        try stream.fill(a, with: 0)
        try stream.fill(b, with: 0)
        let size = 2048
        func rate(_ operand: ProductShape.Operand) throws -> Double {
            let product = try products.product(
                ProductShape(rows: size, columns: size, inner: size, operand: operand))
            let c = try DeviceMemory(context, count: 4 * size * size)
            let taken = try time {
                try stream.multiply(product, a: a.address, b: b.address, c: c.address, workspace: workspace)
            }
            return 2 * pow(Double(size), 3) / taken
        }
        let limits = Limits(
            toCard: Double(bytes) / (try time { try stream.copy(UnsafeRawBufferPointer(pinned.bytes), to: a) }),
            fromCard: Double(bytes) / (try time { try stream.copy(a, to: pinned.bytes) }),
            memory: 2 * Double(bytes) / (try time { try stream.copy(a, count: bytes, to: b) }),
            bfloat16: try rate(.bfloat16), float: try rate(.float))
        withExtendedLifetime((pinned, a, b, workspace)) {}
        return limits
    }
}

/// Rates that the card reaches by itself.
struct Limits: Encodable {
    /// Bytes per second over the bus, each way.
    let toCard: Double
    let fromCard: Double
    /// Bytes per second that are read and written in its memory.
    let memory: Double
    /// Operations per second of products of BF16 and of F32, of matrices of 2048 × 2048.
    let bfloat16: Double
    let float: Double

    /// Millions of weights per second that the bus lets through, as BF16 to the card and as so many bytes back.
    func floor(bytesBack: Double) -> Double { 1e-6 / max(2 / toCard, bytesBack / fromCard) }
}
