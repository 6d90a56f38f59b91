import Logging
import QuernCUDA
import QuernFormats
import QuernKernels
import QuernModel
import Synchronization

/// A card with the programs that it was given so far.
final class Card: Sendable {
    /// The kernels of a program that is loaded, by name.
    struct Loaded: Sendable {
        let functions: [String: CUDAFunction]

        init(_ module: CUDAModule, _ program: DeviceProgram) throws {
            functions = Dictionary(
                uniqueKeysWithValues: try program.kernels.map { ($0, try module.function($0)) })
        }

        /// - Parameter name: one of the program's `kernels`.
        func function(_ name: String) -> CUDAFunction {
            guard let function = functions[name] else { preconditionFailure("the program has no \(name)") }
            return function
        }
    }

    private enum Skill: Hashable {
        case encoding(ElementType), refining(ElementType), rounding(WeightFormat), factoring
    }

    private struct State {
        var programs: [DeviceProgram: Loaded] = [:]
        var tables: [DeviceTable: DeviceMemory] = [:]
        /// What the card has shown that it does right.
        var proven: Set<Skill> = []
        /// Made when the first forward pass comes.
        var products: CardProducts?
        /// Lanes that nobody uses.
        var lanes: [CardLane] = []
        var isUsable = true
        var load = 0
    }

    private let context: CUDAContext
    private let cache: ProgramCache
    private let compiler: Result<CUDACompiler, QuernError>
    private let state = Mutex(State())
    /// Held while a program is compiled and loaded.
    private let loading = Mutex(())

    init(
        _ driver: CUDADriver, _ device: CUDADevice, compiler: Result<CUDACompiler, QuernError>, cache: ProgramCache
    ) throws {
        context = try CUDAContext(driver, device)
        self.compiler = compiler
        self.cache = cache
    }

    var label: String { context.device.label }
    var isUsable: Bool { state.withLock(\.isUsable) }
    /// Calls that it works on.
    var load: Int { state.withLock(\.load) }

    /// Gives it no more work, and says so, once.
    func retire(for error: any Error, _ logger: Logger) {
        let wasUsable = state.withLock { state in
            defer { state.isUsable = false }
            return state.isUsable
        }
        if wasUsable { logger.error("\(label) takes no more work: \(error)") }
    }

    /// See `EncodingEngine.encode`.
    /// - Throws: `CUDAFailure`, and `QuernError` where the program cannot be had or the card encodes wrongly. `error` is as
    ///   it was then.
    func encode(
        _ type: ElementType, rows: UnsafeBufferPointer<Float>, columns: Int,
        importance: UnsafeBufferPointer<Float>?, into encoded: UnsafeMutableRawBufferPointer,
        error: inout EncodingError?
    ) throws {
        try prove(type)
        try withLane { lane in
            try lane.encode(
                type, rows: rows, columns: columns, importance: importance, into: encoded, error: &error)
        }
    }

    /// Compares what the card makes of some rows with what the processor does, once for each type.
    func prove(_ type: ElementType) throws {
        try prove(.encoding(type)) { try withLane { try Canary.check(type, label: label, on: $0) } }
    }

    /// Has something checked before it is done for the first time.
    private func prove(_ skill: Skill, _ check: () throws -> Void) throws {
        guard !state.withLock({ $0.proven.contains(skill) }) else { return }
        try check()
        state.withLock { _ = $0.proven.insert(skill) }
    }

    /// See `EncodingEngine.refine`.
    /// - Throws: as `encode`.
    func refine(
        _ type: ElementType, rows: UnsafeBufferPointer<Float>, columns: Int, by refining: Refining,
        into encoded: UnsafeMutableRawBufferPointer, error: inout EncodingError?
    ) throws {
        try prove(.refining(type)) { try withLane { try Canary.checkRefined(type, label: label, on: $0) } }
        try withLane { lane in
            try lane.refine(type, rows: rows, columns: columns, by: refining, into: encoded, error: &error)
        }
    }

    /// See `WeightEngine.round`.
    /// - Throws: as `encode`.
    func round(
        _ rows: UnsafeBufferPointer<Float>, by rounding: WeightRounding, original: UnsafeBufferPointer<Float>,
        into outputs: [WeightComponent: UnsafeMutableRawBufferPointer], error: inout EncodingError
    ) throws {
        try prove(.rounding(rounding.format)) { try withLane { try Canary.check(rounding, label: label, on: $0) } }
        try withLane { try $0.round(rows, by: rounding, original: original, into: outputs, error: &error) }
    }

    /// See `WeightEngine.factor`.
    /// - Throws: as `encode`.
    func factor(_ strips: UnsafeMutableBufferPointer<Float>, count: Int) throws -> Bool {
        state.withLock { $0.load += 1 }
        defer { state.withLock { $0.load -= 1 } }
        let factor = try CardFactor(context: context, program: program(.weights))
        try prove(.factoring) { try Canary.checkFactor(label: label, factor.factor) }
        return try factor.factor(strips, count: count)
    }

    /// Lanes with buffers are handed on. One that failed is not.
    private func withLane<Value>(_ body: (CardLane) throws -> Value) throws -> Value {
        var free = state.withLock { state in
            state.load += 1
            return state.lanes.popLast()
        }
        defer { state.withLock { $0.load -= 1 } }
        let hadBuffers = free != nil
        do {
            return try run(body, in: free ?? CardLane(self, context))
        } catch let failure as CUDAFailure where failure.kind == .outOfMemory {
            // Perhaps for what this and other lanes have kept for their next call.
            free = nil
            let idle = state.withLock { state in
                defer { state.lanes = [] }
                return state.lanes
            }
            guard hadBuffers || !idle.isEmpty else { throw failure }
        }
        return try run(body, in: CardLane(self, context))
    }

    private func run<Value>(_ body: (CardLane) throws -> Value, in lane: CardLane) throws -> Value {
        let value = try body(lane)
        state.withLock { $0.lanes.append(lane) }
        return value
    }

    /// A program, which is compiled where no cache has it, and loaded once.
    func program(_ program: DeviceProgram) throws -> Loaded {
        if let loaded = state.withLock({ $0.programs[program] }) { return loaded }
        return try loading.withLock { _ in
            if let loaded = state.withLock({ $0.programs[program] }) { return loaded }
            let image = try cache.image(of: CUDAProgram(program), for: context.device.capability, compiler: compiler)
            let module = try CUDAModule(context, image)
            if !program.tables.isEmpty {
                for table in program.tables { try put(table) }
                var addresses = [UInt64](repeating: 0, count: DeviceTable.allCases.count)
                for (table, memory) in state.withLock(\.tables) { addresses[Int(table.rawValue)] = memory.address }
                try addresses.withUnsafeBytes { try module.set(DeviceProgram.tableAddresses, to: $0) }
            }
            let loaded = try Loaded(module, program)
            state.withLock { $0.programs[program] = loaded }
            return loaded
        }
    }

    /// Calls `body` with what computes a forward pass here. Its memory is free again when this returns.
    /// - Throws: `CUDAFailure`, `QuernError` where the program cannot be had, and what `body` throws.
    func withForwardEngine<Value>(
        _ library: CUDAProducts, _ body: (any ForwardEngine) throws -> Value
    ) throws -> Value {
        state.withLock { $0.load += 1 }
        defer { state.withLock { $0.load -= 1 } }
        let loaded = try program(.forward)
        let products = try state.withLock(\.products) ?? CardProducts(library, context)
        state.withLock { $0.products = products }
        return try body(CardForwardEngine(context, products, version: library.version, program: loaded))
    }

    /// Puts a table on the card, where it stays.
    private func put(_ table: DeviceTable) throws {
        guard state.withLock({ $0.tables[table] }) == nil else { return }
        let memory = try DeviceMemory(context, count: table.byteCount)
        let image = UnsafeMutableRawBufferPointer.allocate(byteCount: table.byteCount, alignment: 64)
        defer { image.deallocate() }
        table.write(at: memory.address, into: image)
        let stream = try CUDAStream(context)
        try stream.copy(UnsafeRawBufferPointer(image), to: memory)
        try stream.synchronize()
        state.withLock { $0.tables[table] = memory }
    }
}

extension CUDAProgram {
    package init(_ program: DeviceProgram) {
        let files = DeviceProgram.files
        self.init(
            name: program.main, source: files.first { $0.name == program.main }?.text ?? "",
            headers: files.filter { $0.name != program.main }.map { Header(name: $0.name, text: $0.text) },
            options: CUDAProgram.exactArithmetic
                + program.definitions.sorted { $0.key < $1.key }.map { "-D\($0.key)=\($0.value)" })
    }
}
