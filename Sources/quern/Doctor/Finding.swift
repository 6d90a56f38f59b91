import QuernFormats

/// One thing that `quern doctor` has to tell.
struct Finding: Encodable {
    enum State: String, Encodable {
        case ok
        /// Not there or of no use; nothing that was asked for needs it.
        case notice
        /// Something that was asked for does not work.
        case failed
    }

    /// A value for programs to read.
    enum Detail: Encodable {
        case number(Int)
        case text(String)
        case list([String])
        case flag(Bool)

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .number(let value): try container.encode(value)
            case .text(let value): try container.encode(value)
            case .list(let value): try container.encode(value)
            case .flag(let value): try container.encode(value)
            }
        }
    }

    /// What it is about: `oneDNN`, `card 0`.
    let what: String
    let state: State
    let found: String
    /// What to do; nil where nothing is to be done.
    let remedy: String?
    let details: [String: Detail]

    init(
        _ what: String, _ found: String, state: State = .ok, remedy: String? = nil, _ details: [String: Detail] = [:]
    ) {
        self.what = what
        self.state = state
        self.found = found
        self.remedy = remedy
        self.details = details
    }

    /// Something that cannot be used.
    /// - Parameter isWanted: whether it was asked for.
    init(_ what: String, _ error: QuernError, isWanted: Bool) {
        let place = error.location.isEmpty ? "" : "\(error.location): "
        self.init(
            what, place + error.message, state: isWanted ? .failed : .notice,
            remedy: error.remedy.isEmpty ? nil : error.remedy)
    }
}

/// One thing that `quern doctor` looks at.
protocol DoctorCheck {
    func findings() async -> [Finding]
}
