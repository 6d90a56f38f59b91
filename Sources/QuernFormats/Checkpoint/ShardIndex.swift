/// model.safetensors.index.json: which shard holds which tensor.
struct ShardIndex {
    static let fileName = "model.safetensors.index.json"
    static let singleFileName = "model.safetensors"
    static let maximumShards = 4096

    /// The shards in the order of their names' bytes.
    let fileNames: [String]
    /// Tensor name to position in `fileNames`.
    private let shards: [String: Int]

    /// - Returns: nil where the folder has no index, or only the one file.
    static func read(from folder: any CheckpointFolder) throws -> ShardIndex? {
        guard let json = try folder.json(fileName) else { return nil }
        do {
            let index = try ShardIndex(json: json)
            let names = try folder.names()
            if names.contains(singleFileName), !index.fileNames.contains(singleFileName) {
                throw QuernError(
                    .invalidInput, "the folder has both \(singleFileName) and an index that does not name it",
                    remedy: "Remove the one that is out of date")
            }
            return index
        } catch let error as QuernError {
            throw error.located(in: "\(folder.path)/\(fileName)")
        }
    }

    init(json: JSONObject) throws(QuernError) {
        guard let map = json["weight_map"]?.object, !map.isEmpty else {
            throw QuernError(.invalidInput, "weight_map is missing, empty or no object")
        }
        var names: Set<String> = []
        for (tensor, file) in map.entries {
            guard let file = file.string else {
                throw QuernError(.invalidInput, "\(file.kind), a file name should be here", at: tensor.quotedForMessage)
            }
            names.insert(file)
            guard names.count <= Self.maximumShards else {
                throw QuernError(.invalidInput, "more than \(Self.maximumShards) shards")
            }
        }
        let sorted = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let positions = Dictionary(zip(sorted, sorted.indices), uniquingKeysWith: { first, _ in first })
        var shards: [String: Int] = [:]
        shards.reserveCapacity(map.count)
        for (tensor, file) in map.entries {
            guard shards.updateValue(file.string.flatMap { positions[$0] } ?? 0, forKey: tensor) == nil else {
                throw QuernError(.invalidInput, "two tensors of one name", at: tensor.quotedForMessage)
            }
        }
        fileNames = sorted
        self.shards = shards
    }

    /// Checks that index and headers say the same.
    /// - Parameter headers: of `fileNames`, in their order.
    func check(against headers: [SafetensorsHeader], in path: String) throws(QuernError) {
        var found: Set<String> = []
        for (position, header) in headers.enumerated() {
            for tensor in header.tensors {
                guard let shard = shards[tensor.name] else {
                    throw QuernError(
                        .invalidInput, "\(fileNames[position]) holds it, but \(Self.fileName) does not name it",
                        at: "\(path): tensor \(tensor.name.quotedForMessage)")
                }
                guard shard == position else {
                    throw QuernError(
                        .invalidInput,
                        "\(fileNames[position]) holds it, but \(Self.fileName) says it is in \(fileNames[shard])",
                        at: "\(path): tensor \(tensor.name.quotedForMessage)")
                }
                found.insert(tensor.name)
            }
        }
        guard found.count < shards.count else { return }
        if let (tensor, shard) = shards.filter({ !found.contains($0.key) }).min(by: { $0.key < $1.key }) {
            throw QuernError(
                .invalidInput, "\(Self.fileName) says it is in \(fileNames[shard]), which lacks it",
                at: "\(path): tensor \(tensor.quotedForMessage)")
        }
    }
}
