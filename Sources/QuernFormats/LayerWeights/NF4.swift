/// The numbers of bitsandbytes' NF4 (Dettmers et al., "QLoRA", 2023).
public enum NF4 {
    /// What codes of weights stand for, in ascending order.
    public static let codes: [Float] = [
        -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
        -0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634,
        0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
    ]

    /// What codes of magnitudes stand for, in ascending order: seven powers of ten, the larger the finer divided
    /// (Dettmers, "8-Bit Approximations for Parallelism in Deep Learning", 2015).
    public static let magnitudeCodes: [Float] = {
        var codes: [Float] = [0, 1]
        let units: [Float] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1]
        for (power, unit) in units.enumerated() {
            let count = 1 << power
            let step = (1 - Float(0.1)) / Float(count)
            let bounds = (0...count).map { index in
                index < (count + 1) / 2
                    ? Float(0.1).addingProduct(step, Float(index)) : Float(1).addingProduct(-step, Float(count - index))
            }
            for (low, high) in zip(bounds, bounds.dropFirst()) {
                let middle = unit * ((low + high) / 2)
                codes += [middle, -middle]
            }
        }
        return codes.sorted()
    }()
}
