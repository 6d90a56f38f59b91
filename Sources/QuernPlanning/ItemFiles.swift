import QuernStore

/// The files of a source that an item reads, in the order in which it first asks for them: extents of its spans mean
/// these.
struct ItemFiles {
    private var locals: [Int: Int] = [:]

    /// An extent whose files mean the item's.
    mutating func localized(_ extent: Extent) -> Extent {
        extent.mapFiles { file in
            let local = locals[file] ?? locals.count
            locals[file] = local
            return local
        }
    }

    /// Those that were asked for.
    func chosen(from files: [SourceFile]) -> [SourceFile] {
        locals.sorted { $0.value < $1.value }.map { files[$0.key] }
    }
}
