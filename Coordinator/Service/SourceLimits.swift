import Foundation
import QuernFormats
import QuernJobs

/// Which files and hosts a recipe may have this coordinator and its workers read from. Whoever names some means no
/// others, of either kind.
struct SourceLimits {
    /// Nil for any.
    private let roots: [String]?
    private let hosts: SourceHosts

    init(_ settings: CoordinatorSettings) {
        roots =
            switch settings.sourceHosts {
            case .listed: settings.sourceRoots ?? []
            case .any, .usual: settings.sourceRoots
            }
        hosts =
            switch settings.sourceHosts {
            case .usual where settings.sourceRoots != nil: .listed([])
            default: settings.sourceHosts
            }
    }

    /// Blocking: follows symbolic links.
    /// - Throws: `.usage` for a path that is not absolute and a URL that is wrong, `.unauthorized` for one outside the
    ///   allowed folders and hosts.
    func check(_ recipe: Recipe) throws {
        let paths = [
            ("source", recipe.source), ("imatrix", recipe.imatrix), ("calibration.text", recipe.calibration?.text),
            ("evaluation.text", recipe.evaluation?.text), ("sensitivity", recipe.sensitivity),
        ]
        for (field, path) in paths {
            guard let path else { continue }
            if field == "source", let host = try SourcePlace.host(of: path) {
                try check(host, of: path, field)
            } else {
                try check(path, field)
            }
        }
    }

    private func check(_ host: RemoteHost, of url: String, _ field: String) throws {
        let name = host.names.first ?? url
        func refusal(_ message: String, _ remedy: String) -> QuernError {
            QuernError(.unauthorized, message, at: field, remedy: remedy)
        }
        switch hosts {
        case .any: return
        case .usual:
            guard !host.choices.contains("endpoint") else {
                throw refusal(
                    "'\(url)' names a host of its own, \(name), which this coordinator was not told to open",
                    "Start the coordinator with --source-host \(name)")
            }
        case .listed(let allowed):
            guard host.names.contains(where: { name in allowed.contains { $0.lowercased() == name.lowercased() } })
            else {
                throw refusal(
                    "'\(url)' lies at \(name), which this coordinator was not told to open",
                    "Start the coordinator with --source-host \(name)")
            }
        }
        guard !host.choices.contains("profile") else {
            throw refusal(
                "'\(url)' chooses credentials, and those of a coordinator are its own affair",
                "Leave the profile out, and set AWS_PROFILE for the coordinator and its workers")
        }
    }

    private func check(_ path: String, _ field: String) throws {
        guard path.hasPrefix("/"), !path.utf8.contains(0) else {
            throw QuernError(
                .usage, "'\(path)' is no absolute path", at: field,
                remedy: "Give the path as the coordinator and its workers see it, from / on")
        }
        guard let roots else { return }
        let real = Self.resolved(path)
        let inside = roots.contains { root in
            let folder = Self.resolved(root)
            return real == folder || real.hasPrefix(folder.hasSuffix("/") ? folder : folder + "/")
        }
        guard inside else {
            let remedy = "start the coordinator with --source-root and its folder"
            throw QuernError(
                .unauthorized, "'\(path)' lies outside the folders that this coordinator reads from", at: field,
                remedy: roots.isEmpty
                    ? "S\(remedy.dropFirst())" : "Put it under \(roots.joined(separator: " or ")), or \(remedy)")
        }
    }

    /// Without links and dots, as far as the path exists.
    private static func resolved(_ path: String) -> String {
        RealPath.of(path) ?? URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().path
    }
}
