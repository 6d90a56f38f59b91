import QuernFormats
import Yams

extension QuernError {
    /// What the YAML parser says, in one line: it would quote the text it stumbles over.
    /// - Parameter name: the path of the file, usually.
    public init(_ error: YamlError, in name: String) {
        let (problem, line): (String, Int?) =
            switch error {
            case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
                .composer(_, let problem, let mark, _):
                (problem, mark.line)
            case .duplicatedKeysInMapping(let keys, let context):
                ("the key '\(keys.first ?? "")' is there twice", context.mark.line)
            case .reader(let problem, _, _, _): (problem, nil)
            default: ("\(error)".split(separator: "\n").joined(separator: " "), nil)
            }
        self.init(
            .usage, "not valid YAML: \(problem)", at: line.map { "\(name):\($0)" } ?? name,
            remedy: "Check quotes, brackets and indentation there")
    }
}
