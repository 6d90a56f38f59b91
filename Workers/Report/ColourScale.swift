import Foundation

/// Colours for a quantity from low to high. They differ in lightness all the way, so that they can be told apart in
/// grey and with any sight; text on them is black or white.
struct ColourScale {
    private let anchors: [(red: Double, green: Double, blue: Double)]

    /// For bits per weight: dark for few, light for many.
    static let bits = ColourScale([0x440154, 0x414487, 0x2A788E, 0x22A884, 0x7AD151, 0xFDE725])
    /// For errors: light for small, dark for large.
    static let errors = ColourScale([0xFFF3E0, 0xFDC98A, 0xF8945A, 0xE2564B, 0xA92B5A, 0x541352])
    static let neutral = "#b8bcc4"

    private init(_ hex: [Int]) {
        anchors = hex.map { (Double($0 >> 16 & 255), Double($0 >> 8 & 255), Double($0 & 255)) }
    }

    /// - Parameter place: in [0, 1]; held within.
    /// - Returns: the colour, and that of text on it.
    func colour(at place: Double) -> (fill: String, text: String) {
        let scaled = min(max(place.isFinite ? place : 1, 0), 1) * Double(anchors.count - 1)
        let index = min(Int(scaled), anchors.count - 2)
        let weight = scaled - Double(index)
        let (low, high) = (anchors[index], anchors[index + 1])
        let red = low.red + weight * (high.red - low.red)
        let green = low.green + weight * (high.green - low.green)
        let blue = low.blue + weight * (high.blue - low.blue)
        let isLight = 0.299 * red + 0.587 * green + 0.114 * blue > 140
        let fill = String(
            format: "#%02x%02x%02x", Int(red.rounded()), Int(green.rounded()), Int(blue.rounded()))
        return (fill, isLight ? "#111" : "#fff")
    }

    /// Of a type of so many bits per weight; neutral for what is hardly quantized.
    static func colour(ofBits bits: Double) -> (fill: String, text: String) {
        bits > 16 ? (neutral, "#111") : Self.bits.colour(at: place(ofBits: bits))
    }

    /// Where a type of so many bits per weight stands: one and a half at the bottom, sixteen at the top, each doubling
    /// as far from the last as the next.
    private static func place(ofBits bits: Double) -> Double { log2(max(bits, 1) / 1.5) / log2(16 / 1.5) }
}
