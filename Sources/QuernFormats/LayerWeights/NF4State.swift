/// What bitsandbytes says of a layer in NF4, in a tensor of its own: JSON.
public struct NF4State {
    public let rows: Int
    public let columns: Int
    /// What is added to magnitudes.
    public let offset: Float

    /// - Throws: `QuernError` `.invalidInput` where it is no such description, `.unsupported` for groups of another size
    ///   and for magnitudes that are not themselves quantized.
    public init(_ bytes: [UInt8]) throws(QuernError) {
        guard let state = try? JSONValue.parse(bytes).object else {
            throw QuernError(.invalidInput, "it is no object of JSON")
        }
        guard let shape = state["shape"]?.array?.map(\.integer),
            shape.count == 2, let rows = shape[0].flatMap({ Int(exactly: $0) }),
            let columns = shape[1].flatMap({ Int(exactly: $0) }), (1...1 << 30).contains(rows),
            (1...1 << 30).contains(columns)
        else { throw QuernError(.invalidInput, "it does not say the shape of the layer") }
        let group = WeightFormat.nf4.group.map(Int64.init)
        guard state["blocksize"]?.integer == group, state["quant_type"]?.string == "nf4" else {
            throw QuernError(.unsupported, "codes that are not NF4 in groups of 64 cannot be read")
        }
        guard state["nested_blocksize"]?.integer == Int64(WeightStorage.nestedGroup),
            let offset = state["nested_offset"]?.double, Float(offset).isFinite
        else { throw QuernError(.unsupported, "magnitudes that are not quantized by 256 cannot be read") }
        (self.rows, self.columns, self.offset) = (rows, columns, Float(offset))
    }
}
