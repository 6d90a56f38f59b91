import QuernClient
import QuernFormats
import Testing

@Suite struct HubURLTests {
    private static let commit = String(repeating: "0a", count: 20)

    @Test(arguments: [
        ("hf://acme/Model-7B", "acme/Model-7B", "main", "", "Model-7B"),
        ("HF://acme/m.1_x/", "acme/m.1_x", "main", "", "m.1_x"),
        ("hf://acme/m@v1", "acme/m", "v1", "", "m"),
        ("hf://acme/m@refs%2Fpr%2F1/sub", "acme/m", "refs/pr/1", "sub", "sub"),
        ("hf://acme/m@refs/pr/12/sub/m.gguf", "acme/m", "refs/pr/12", "sub/m.gguf", "m.gguf"),
        ("hf://acme/m@\(commit)/a b", "acme/m", commit, "a b", "a b"),
    ])
    func parts(_ text: String, _ repository: String, _ revision: String, _ path: String, _ name: String) throws {
        let url = try HubURL(text)
        #expect(url.repository == repository)
        #expect(url.revision == revision)
        #expect(url.path == path)
        #expect(url.name == name)
        #expect(url.isPinned == (revision == Self.commit))
        #expect(try HubURL(url.text) == url)
    }

    @Test(arguments: [
        "hf://", "hf://acme", "hf:///m", "hf://acme/", "hf://acme/@main", "hf://acme/m@", "hf://acme/m@a/../b",
        "hf://acme/m@..", "hf://acme/m@a%2F..%2Fb", "hf://acme/m@a b", "hf://acme/m@%zz", "hf://acme/m//x",
        "hf://acme/m/./x", "hf://../m", "hf://a?b/m", "hf://user:x@acme/m", "hf://acme/m..n", "hf://-a/m",
        "hf://datasets/acme/m", "s3://acme/m",
    ])
    func wrong(_ text: String) {
        let error = #expect(throws: QuernError.self) { try HubURL(text) }
        #expect(error?.code == .usage)
        #expect(error?.location == text)
    }

    @Test(arguments: [
        ("hf://acme/m", true), ("hf://acme/m@main", true), ("hf://acme/m@v1", true), ("hf://acme/m@\(commit)", true),
        ("hf://acme/n", false), ("hf://acme/m/sub", false),
        ("hf://acme/m@\(String(repeating: "1b", count: 20))", false),
        ("s3://acme/m", false), ("/acme/m", false),
    ])
    func pinnedOnce(_ url: String, _ expected: Bool) {
        let sources = RemoteSources(environment: [:]) { 0 }
        #expect(sources.isPinned("hf://acme/m@\(Self.commit)", of: url) == expected)
    }
}

@Suite struct HubSettingsTests {
    private static let files = [
        "/home/.cache/huggingface/token": "usual\n", "/cache/huggingface/token": "cached", "/hf/token": "home",
        "/elsewhere": " path ", "/broken": "two words",
    ]

    /// Of the variables, beside `HOME=/home`, and the token that is found.
    private static let cases: [(environment: [String: String], token: String?, place: String)] = [
        ([:], "usual", "/home/.cache/huggingface/token"),
        (["XDG_CACHE_HOME": "/cache"], "cached", "/cache/huggingface/token"),
        (["XDG_CACHE_HOME": "/cache", "HF_HOME": "/hf"], "home", "/hf/token"),
        (["HF_HOME": "/hf", "HF_TOKEN_PATH": "/elsewhere"], "path", "/elsewhere"),
        (["HF_TOKEN_PATH": "/none"], nil, "/none"),
        (["HF_TOKEN_PATH": "/broken"], nil, "/broken"),
        (["HF_TOKEN": "given\n", "HF_TOKEN_PATH": "/elsewhere"], "given", "HF_TOKEN"),
        (["HF_TOKEN": "", "HUGGING_FACE_HUB_TOKEN": "old"], "old", "HUGGING_FACE_HUB_TOKEN"),
        (["HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"], nil, "/home/.cache/huggingface/token"),
        (["HF_HUB_DISABLE_IMPLICIT_TOKEN": "1", "HF_TOKEN": "given"], "given", "HF_TOKEN"),
    ]

    @Test(arguments: cases)
    func token(environment: [String: String], token: String?, place: String) throws {
        let settings = try HubSettings(environment: environment.merging(["HOME": "/home"]) { $1 }) { Self.files[$0] }
        #expect(settings.token == token)
        #expect(settings.tokenPlace == place)
        #expect(settings.endpoint == "https://huggingface.co")
    }

    @Test(arguments: [
        ("https://hub.example/", "https://hub.example"), ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://mirror.example/hf", "https://mirror.example/hf"),
    ])
    func endpoint(_ text: String, _ expected: String) throws {
        #expect(try HubSettings(environment: ["HF_ENDPOINT": text]) { _ in nil }.endpoint == expected)
    }

    @Test(arguments: ["hub.example", "ftp://hub.example", "https://", "https://u:p@hub.example", "https://h/?a=b"])
    func noEndpoint(_ text: String) {
        let error = #expect(throws: QuernError.self) {
            try HubSettings(environment: ["HF_ENDPOINT": text]) { _ in nil }
        }
        #expect(error?.code == .usage && error?.location == "HF_ENDPOINT")
    }
}
