import QuernJobs

extension Recipe.SplitLimits {
    /// Runs of tensors for one file each; a tensor that is larger than `maxBytes` has one to itself.
    /// - Parameter sizes: bytes of the tensors, in their order.
    func runs(of sizes: [UInt64]) -> [Range<Int>] {
        let (maxBytes, maxTensors) = (maxBytes ?? .max, maxTensors ?? .max)
        var runs: [Range<Int>] = []
        var start = 0
        var bytes: UInt64 = 0
        for (index, size) in sizes.enumerated() {
            if index > start, bytes + size > maxBytes || index - start >= maxTensors {
                runs.append(start..<index)
                start = index
                bytes = 0
            }
            bytes += size
        }
        runs.append(start..<sizes.count)
        return runs
    }
}
