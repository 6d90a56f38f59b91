extension Digest {
    /// The digests that a text names: all that stands there in exactly 64 lower-case hexadecimal digits.
    public static func named(in text: some Collection<UInt8>) -> Set<Digest> {
        var found: Set<Digest> = []
        var run: [UInt8] = []
        func close() {
            if run.count == 64, let digest = Digest(hex: String(decoding: run, as: UTF8.self)) { found.insert(digest) }
        }
        for byte in text {
            switch byte {
            case 48...57, 97...102:
                // A run that is longer names nothing, and need not be kept.
                if run.count <= 64 { run.append(byte) }
            default:
                close()
                run.removeAll(keepingCapacity: true)
            }
        }
        close()
        return found
    }
}
