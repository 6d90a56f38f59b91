import ArgumentParser
import Foundation
import QuernFormats
import QuernJobs
import QuernPlanning

/// What to make from what: the arguments that quantize, plan and submit share.
struct RecipeOptions: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "A Hugging Face checkpoint folder (safetensors) or a .gguf file, split or not; hf://ORGANIZATION/NAME[@REVISION] "
                + "or s3://BUCKET/PREFIX for one that lies elsewhere."),
        completion: .file())
    var source: String?

    @Option(
        name: .customLong("to"),
        help: ArgumentHelp(
            "Presets, schemes and sizes to make, separated by commas: Q4_K_M,W4A16,size:4.5GB,bpw:4.25,Q4_K_M:dynamic,"
                + "W4A16_GPTQ:bpw:6."),
        completion: .list(Preset.allCases.map(\.name) + Recipe.Target.schemeNames))
    var targets: String?

    @Option(help: "A recipe file (YAML) in place of SOURCE and --to.", completion: .file(extensions: ["yaml", "yml"]))
    var recipe: String?

    @Option(help: "Base name of the artifacts; the source's name otherwise.")
    var name: String?

    @Option(help: "An importance matrix file, GGUF or legacy.", completion: .file())
    var imatrix: String?

    @OptionGroup var calibrationOptions: CalibrationOptions

    @Option(
        help: ArgumentHelp(
            "How GGUF types are written: reference for llama.cpp's bytes, or refined for less error in the same types; "
                + "refined where a text is calibrated on, reference otherwise.",
            valueName: "reference|refined"),
        completion: .list(Recipe.BlockEncoder.allCases.map(\.rawValue)))
    var encoder: String?

    @Option(
        help: ArgumentHelp(
            "What tensors cost in each type and scheme, from an earlier job, for targets of a given size; measured otherwise.",
            valueName: "file"),
        completion: .file())
    var sensitivity: String?

    @OptionGroup var evaluationOptions: EvaluationOptions

    @Flag(help: "Give every tensor the preset's base type.")
    var pure = false

    @Option(
        name: .customLong("tensor-type"),
        help: ArgumentHelp(
            "Type for tensors whose name matches; may be repeated, the first match wins.", valueName: "regex=type"))
    var tensorTypes: [String] = []

    @Option(help: "A file of REGEX=TYPE, separated by white space.", completion: .file())
    var tensorTypeFile: String?

    @Option(
        name: .customLong("layer-scheme"),
        help: ArgumentHelp(
            "Scheme for layers by name, or by re: and an expression that names begin with, or none to leave them as they "
                + "are: 're:.*down_proj=W8A16'; may be repeated, the first match wins.",
            valueName: "pattern=scheme"))
    var layerSchemes: [String] = []

    @Option(help: "Type for output.weight.")
    var outputTensorType: String?

    @Option(help: "Type for token_embd.weight.")
    var tokenEmbeddingType: String?

    @Flag(help: "Keep output.weight as the source has it.")
    var leaveOutputTensor = false

    @Flag(help: "Encode a source that is quantized already, although that loses precision twice.")
    var allowRequantize = false

    @Option(help: "Start another file before one grows beyond this: 5GB, 500M.")
    var splitMaxSize: String?

    @Option(help: "Start another file after this many tensors.")
    var splitMaxTensors: Int?

    @Flag(help: "Divide the artifact into files as the source GGUF is divided.")
    var keepSplit = false

    @Option(
        help: ArgumentHelp("Blocks to leave out, separated by commas: 20,21,22.", valueName: "numbers"))
    var pruneLayers: String?

    @Option(
        name: .customLong("override-kv"),
        help: ArgumentHelp(
            "Metadata of the artifact, TYPE being int, float, bool or str; may be repeated.",
            valueName: "key=type:value"))
    var overrides: [String] = []

    @Option(
        help: ArgumentHelp(
            "Use the importance matrix only for tensors whose name contains this; may be repeated.", valueName: "name"))
    var includeWeights: [String] = []

    @Option(
        help: ArgumentHelp(
            "Do not use the importance matrix for tensors whose name contains this; may be repeated.",
            valueName: "name"))
    var excludeWeights: [String] = []

    /// The recipe the arguments stand for, with absolute paths.
    /// - Throws: `QuernError` `.usage`.
    func resolve() throws -> Recipe {
        if let recipe {
            guard source == nil, targets == nil else {
                throw QuernError(.usage, "--recipe takes the place of SOURCE and --to", remedy: "Give one or the other")
            }
            guard calibrationOptions.isEmpty, evaluationOptions.isEmpty, imatrix == nil, encoder == nil,
                sensitivity == nil
            else {
                throw QuernError(
                    .usage, "the encoder and what to calibrate and evaluate on stand in the recipe", at: "--recipe",
                    remedy: "Put calibration, encoder, evaluation or imatrix there")
            }
            guard let data = FileManager.default.contents(atPath: recipe) else {
                throw QuernError(.notFound, "cannot read the recipe", at: recipe, remedy: "Check the path")
            }
            var parsed = try Recipe(yaml: String(decoding: data, as: UTF8.self), name: recipe)
            // Paths in a recipe are meant from where the recipe lies.
            let folder = URL(fileURLWithPath: recipe).deletingLastPathComponent().path
            parsed.source = Self.absolute(parsed.source, from: folder)
            parsed.imatrix = parsed.imatrix.map { Self.absolute($0, from: folder) }
            parsed.sensitivity = parsed.sensitivity.map { Self.absolute($0, from: folder) }
            if let text = parsed.calibration?.text {
                parsed.calibration?.text = Self.absolute(text, from: folder)
            }
            if let text = parsed.evaluation?.text { parsed.evaluation?.text = Self.absolute(text, from: folder) }
            return parsed
        }
        guard let source else {
            throw QuernError(.usage, "no source given", remedy: "Name a checkpoint folder or a .gguf file")
        }
        guard let targets else {
            throw QuernError(.usage, "no target given", remedy: "Say --to PRESET, for example --to Q4_K_M")
        }
        let folder = FileManager.default.currentDirectoryPath
        let (rules, layers) = (try tensorRules(), try layerRules())
        let output = try outputTensorType.map { try Self.elementType($0, option: "--output-tensor-type") }
        let embedding = try tokenEmbeddingType.map { try Self.elementType($0, option: "--token-embedding-type") }
        return Recipe(
            source: Self.absolute(source, from: folder), name: name,
            targets: targets.split(separator: ",", omittingEmptySubsequences: true).map {
                Self.scheme(String($0), layers: layers, of: source)
                    ?? Recipe.Target(
                        gguf: String($0), pure: pure, tensors: rules, outputTensorType: output,
                        tokenEmbeddingType: embedding, leaveOutputTensor: leaveOutputTensor)
            },
            imatrix: imatrix.map { Self.absolute($0, from: folder) },
            calibration: try calibrationOptions.calibration(from: folder),
            encoder: try encoder.map { try Recipe.BlockEncoder(named: $0) },
            sensitivity: sensitivity.map { Self.absolute($0, from: folder) },
            evaluation: try evaluationOptions.evaluation(from: folder), split: try splitLimits(),
            allowRequantize: allowRequantize,
            includeWeights: includeWeights, excludeWeights: excludeWeights, pruneLayers: try prunedLayers(),
            overrides: try overrides.map { try MetadataOverride($0) })
    }

    /// A scheme by its name; nil for presets. NVFP4 is the name of both: of a GGUF, a GGUF is made.
    private static func scheme(_ name: String, layers: [Recipe.LayerRule], of source: String) -> Recipe.Target? {
        if SourcePlace.name(of: source).lowercased().hasSuffix(".gguf"), (try? Preset(named: name)) != nil {
            return nil
        }
        return Recipe.Target(schemeNamed: name, layers: layers)
    }

    private func prunedLayers() throws -> [Int] {
        try pruneLayers?.split(separator: ",", omittingEmptySubsequences: false).map { text in
            guard let layer = Int(text), layer >= 0 else {
                throw QuernError(
                    .usage, "'\(text)' is no block number", at: "--prune-layers", remedy: "Write them like 20,21,22")
            }
            return layer
        } ?? []
    }

    private func tensorRules() throws -> [Recipe.TensorRule] {
        var texts = tensorTypes
        if let tensorTypeFile {
            guard let data = FileManager.default.contents(atPath: tensorTypeFile) else {
                throw QuernError(
                    .notFound, "cannot read the tensor types", at: tensorTypeFile, remedy: "Check the path")
            }
            texts += String(decoding: data, as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init)
        }
        return try texts.map { text in
            guard let sign = text.lastIndex(of: "="), sign != text.startIndex else {
                throw QuernError(.usage, "'\(text)' is not of the form REGEX=TYPE", at: "--tensor-type")
            }
            let type = try Self.elementType(String(text[text.index(after: sign)...]), option: "--tensor-type")
            return Recipe.TensorRule(pattern: String(text[..<sign]), type: type)
        }
    }

    private func layerRules() throws -> [Recipe.LayerRule] {
        try layerSchemes.map { text in
            guard let sign = text.lastIndex(of: "="), sign != text.startIndex, text.last != "=" else {
                throw QuernError(.usage, "'\(text)' is not of the form PATTERN=SCHEME", at: "--layer-scheme")
            }
            return Recipe.LayerRule(
                pattern: String(text[..<sign]), scheme: String(text[text.index(after: sign)...]))
        }
    }

    private func splitLimits() throws -> Recipe.SplitLimits? {
        guard splitMaxSize != nil || splitMaxTensors != nil || keepSplit else { return nil }
        if let splitMaxTensors, splitMaxTensors < 1 {
            throw QuernError(.usage, "must be at least 1", at: "--split-max-tensors")
        }
        return Recipe.SplitLimits(
            maxBytes: try splitMaxSize.map { try ByteCount.parse($0) }, maxTensors: splitMaxTensors, keep: keepSplit)
    }

    private static func elementType(_ name: String, option: String) throws -> ElementType {
        guard let type = ElementType(name: name) else {
            throw QuernError(
                .usage, "unknown element type '\(name)'", at: option,
                remedy: "Known are \(ElementType.allCases.map(\.description).joined(separator: ", "))")
        }
        return type
    }

    static func absolute(_ path: String, from folder: String) -> String {
        if SourcePlace.isURL(path) { return path }
        // Joined first: a path of its own loses the `..` that it begins with.
        return URL(fileURLWithPath: path.hasPrefix("/") ? path : "\(folder)/\(path)").standardized.path
    }
}
