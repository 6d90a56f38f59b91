import Logging
import QuernCUDA
import QuernFormats
import TestSupport

/// A simulated driver of its own, opened, with what is done on its first card.
struct Rig {
    let cards: SimulatedCards
    let driver: CUDADriver
    let context: CUDAContext
    let stream: CUDAStream

    init(_ settings: [String: String] = [:]) throws {
        cards = try SimulatedCards(settings)
        driver = try CUDADriver(CUDALibraries(folders: [cards.path]))
        context = try CUDAContext(driver, try driver.devices()[0])
        stream = try CUDAStream(context)
    }

    /// The simulation does not look at images.
    func function(_ name: String = "vector_add") throws -> CUDAFunction {
        try CUDAModule(context, CUDAImage(kind: .cubin, bytes: [1])).function(name)
    }

    /// Products on the first card.
    func products(
        workspaceLimit: Int = CardProducts.usualWorkspaceLimit
    ) throws -> CardProducts {
        try CardProducts(
            try CUDAProducts(CUDALibraries(folders: [cards.path])), context, workspaceLimit: workspaceLimit)
    }

    /// A card's sums of numbers that it is given.
    func sums(_ a: [Float], _ b: [Float]) throws -> [Float] {
        let memory = try [a, b, a].map { try DeviceMemory(context, count: $0.count * 4) }
        for (values, memory) in zip([a, b], memory) {
            try values.withUnsafeBytes { try stream.copy($0, to: memory) }
        }
        try stream.launch(
            try function(), grid: LaunchSize((a.count + 127) / 128), block: LaunchSize(128),
            arguments: Self.arguments(memory, count: a.count))
        var sums = [Float](repeating: -1, count: a.count)
        try sums.withUnsafeMutableBytes { try stream.copy(memory[2], to: $0) }
        try stream.synchronize()
        return sums
    }

    static func arguments(_ memory: [DeviceMemory], count: Int) -> LaunchArguments {
        var arguments = LaunchArguments()
        for memory in memory { arguments.append(memory) }
        arguments.append(UInt32(count))
        return arguments
    }
}

/// What a call of the driver fails with.
func failure(_ body: () throws -> Void) -> CUDAFailure? {
    do { try body() } catch { return error as? CUDAFailure }
    return nil
}
