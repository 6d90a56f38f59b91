import CCUDA
import QuernFormats

/// NVIDIA's run-time compiler, NVRTC. Programs may be compiled by several threads at a time, and no card is needed.
package final class CUDACompiler: @unchecked Sendable {
    private let functions: UnsafePointer<quern_nvrtc>
    package let version: CUDAVersion
    /// The file of its library.
    package let place: String
    /// What it compiles for, in ascending order.
    package let architectures: [ComputeCapability]

    /// Opens the compiler.
    /// - Parameter driver: what the driver can do; nil without one. A compiler of the same major version is preferred,
    ///   then one that is older: drivers load what is older than they are.
    /// - Throws: `QuernError` `.unsupported` where there is none, or one that is too old.
    package init(_ libraries: CUDALibraries, driver: CUDAVersion?) throws(QuernError) {
        do throws(CUDALibraries.Obstacle) {
            let library = try libraries.open(Self.names(for: driver?.major), with: quern_cuda_open_nvrtc)
            (functions, place) = (library.functions, library.place)
        } catch {
            throw Self.error(for: error)
        }
        var (major, minor): (Int32, Int32) = (0, 0)
        try Self.check(functions, "nvrtcVersion", functions.pointee.nvrtcVersion(&major, &minor))
        version = CUDAVersion(Int(major), Int(minor))
        guard version >= Self.oldestVersion else {
            throw QuernError(
                .unsupported, "NVRTC is too old: it is that of CUDA \(version), and Quern needs \(Self.oldestVersion)",
                at: place, remedy: Self.installation)
        }
        // Where the loader does not look, NVRTC 13 finds its built-in functions only once they are open.
        let folder = place.prefix(through: place.lastIndex(of: "/") ?? place.startIndex)
        quern_cuda_open_part("\(folder)libnvrtc-builtins.so.\(version)")
        var count: Int32 = 0
        try Self.check(functions, "nvrtcGetNumSupportedArchs", functions.pointee.nvrtcGetNumSupportedArchs(&count))
        var numbers = [Int32](repeating: 0, count: Int(max(0, count)))
        try Self.check(functions, "nvrtcGetSupportedArchs", functions.pointee.nvrtcGetSupportedArchs(&numbers))
        architectures = numbers.map { ComputeCapability(number: Int($0)) }.sorted()
    }

    /// The first that knows C++20.
    private static let oldestVersion = CUDAVersion(12, 0)

    private static let installation =
        "Install it with the CUDA toolkit, or from PyPI (pip install nvidia-cuda-nvrtc-cu12, or nvidia-cuda-nvrtc for "
        + "CUDA 13), and name its folder in QUERN_CUDA_LIBRARIES"

    /// Names of the library, the best first.
    package static func names(for driver: Int?) -> [String] {
        let known = [15, 14, 13, 12]
        let (fitting, newer) = (known.filter { $0 <= driver ?? 13 }, known.filter { $0 > driver ?? 13 }.reversed())
        return (fitting + newer).map { "libnvrtc.so.\($0)" } + ["libnvrtc.so"]
    }

    private static func error(for obstacle: CUDALibraries.Obstacle) -> QuernError {
        switch obstacle {
        case .missing: QuernError(.unsupported, "there is no NVRTC (libnvrtc.so)", remedy: installation)
        case .refused(let reason):
            QuernError(.unsupported, "NVRTC cannot be used: \(reason)", at: "libnvrtc.so", remedy: installation)
        }
    }

    /// Compiles for a card: to its own instructions, or, where the compiler is older than the card, to PTX for the
    /// newest architecture that both know.
    /// - Throws: `QuernError` `.unsupported` where the card is older than all that the compiler knows; `.invalidInput`
    ///   where the program is wrong, with what the compiler says.
    package func compile(_ program: CUDAProgram, for card: ComputeCapability) throws(QuernError) -> CUDAImage {
        guard let target = architectures.last(where: { $0 <= card }) else {
            throw QuernError(
                .unsupported, "NVRTC \(version) knows no cards of compute capability \(card)", at: place,
                remedy: "Install the NVRTC of an older CUDA, or use --device cpu: the bytes are the same")
        }
        let kind: CUDAImage.Kind = target == card ? .cubin : .ptx
        let architecture = kind == .cubin ? "sm_\(target.number)" : "compute_\(target.number)"
        var handle = try create(program)
        defer { _ = functions.pointee.nvrtcDestroyProgram(&handle) }
        let options = ["--gpu-architecture=\(architecture)"] + program.options
        let status = withCStrings(options) { functions.pointee.nvrtcCompileProgram(handle, Int32(options.count), $0) }
        guard status == 0 else { throw refusal(of: program, handle, status) }
        let bytes =
            switch kind {
            case .cubin: try text(handle, functions.pointee.nvrtcGetCUBINSize, functions.pointee.nvrtcGetCUBIN)
            case .ptx: try text(handle, functions.pointee.nvrtcGetPTXSize, functions.pointee.nvrtcGetPTX)
            }
        return CUDAImage(kind: kind, bytes: bytes)
    }

    /// `NVRTC_ERROR_INVALID_OPTION`, `NVRTC_ERROR_COMPILATION`
    private static let wrongProgram: Set<Int32> = [5, 6]

    /// Why it did not compile, with what the compiler says.
    private func refusal(
        of program: CUDAProgram, _ handle: quern_nvrtc_program?, _ status: Int32
    ) -> QuernError {
        let name = Self.name(of: status, functions)
        let log = log(of: handle)
        let said = log.isEmpty ? name : "\(name): \(log)"
        if Self.wrongProgram.contains(status) {
            return QuernError(.invalidInput, "NVRTC \(version) refuses the program with \(said)", at: program.name)
        }
        return QuernError(
            .unsupported, "NVRTC \(version) does not compile: \(said)", at: place,
            remedy: "Install NVRTC anew: libnvrtc and libnvrtc-builtins of one version")
    }

    private func create(_ program: CUDAProgram) throws(QuernError) -> quern_nvrtc_program? {
        var handle: quern_nvrtc_program?
        let status = withCStrings(program.headers.map(\.text)) { texts in
            withCStrings(program.headers.map(\.name)) { names in
                functions.pointee.nvrtcCreateProgram(
                    &handle, program.source, program.name, Int32(program.headers.count), texts, names)
            }
        }
        try Self.check(functions, "nvrtcCreateProgram", status)
        return handle
    }

    private typealias Size = (quern_nvrtc_program?, UnsafeMutablePointer<Int>?) -> Int32
    private typealias Text = (quern_nvrtc_program?, UnsafeMutablePointer<CChar>?) -> Int32

    private func text(_ program: quern_nvrtc_program?, _ size: Size, _ text: Text) throws(QuernError) -> [UInt8] {
        var count = 0
        try Self.check(functions, "the size of a program", size(program, &count))
        var characters = [CChar](repeating: 0, count: count)
        try Self.check(functions, "the text of a program", text(program, &characters))
        return characters.map(UInt8.init(bitPattern:))
    }

    /// What the compiler says of a program, in a line: errors first, as many as fit.
    private func log(of program: quern_nvrtc_program?) -> String {
        guard
            let bytes = try? text(
                program, functions.pointee.nvrtcGetProgramLogSize, functions.pointee.nvrtcGetProgramLog)
        else { return "" }
        return Self.summary(of: String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
    }

    private static let longestLog = 1500

    static func summary(of log: String) -> String {
        let lines = log.split(separator: "\n").map { $0.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
            .filter { !$0.isEmpty }
        // The errors, and the lines of source below them; warnings only where there is nothing else.
        let first = lines.firstIndex { $0.contains("error") } ?? 0
        let text = lines[first...].joined(separator: "; ")
        return text.count > longestLog ? text.prefix(longestLog) + " …" : text
    }

    private static func check(
        _ functions: UnsafePointer<quern_nvrtc>, _ call: String, _ status: Int32
    ) throws(QuernError) {
        guard status != 0 else { return }
        throw QuernError(.internalFault, "\(call) failed with \(name(of: status, functions)) (\(status))", at: "NVRTC")
    }

    private static func name(of status: Int32, _ functions: UnsafePointer<quern_nvrtc>) -> String {
        functions.pointee.nvrtcGetErrorString(status).map { String(cString: $0) } ?? "error \(status)"
    }
}

/// Texts as C has them, for as long as `body` runs.
private func withCStrings<Result>(
    _ texts: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Result
) -> Result {
    var offsets: [Int] = []
    var characters: [CChar] = []
    for text in texts {
        offsets.append(characters.count)
        characters += text.utf8CString
    }
    return characters.withUnsafeBufferPointer { buffer in
        let pointers = offsets.map { offset in buffer.baseAddress.map { $0 + offset } }
        return pointers.withUnsafeBufferPointer { body($0.baseAddress) }
    }
}
