import QuernFormats

extension S3Client {
    /// Pages of a thousand that are asked for at most.
    private static let mostPages = 1000

    /// The objects whose keys begin with `prefix`, whatever the location's own is, in order of key.
    /// - Parameters:
    ///   - isFolder: to leave out those with another slash behind the prefix.
    ///   - place: for messages.
    /// - Throws: as `response`; `.invalidInput` where the answer cannot be read.
    func objects(under prefix: String, isFolder: Bool, at place: String) async throws -> [S3Listing.Object] {
        var objects: [S3Listing.Object] = []
        var next: String?
        for _ in 0..<Self.mostPages {
            var query = [(name: "list-type", value: "2")]
            if isFolder { query.append((name: "delimiter", value: "/")) }
            if !prefix.isEmpty { query.append((name: "prefix", value: prefix)) }
            if let next { query.append((name: "continuation-token", value: next)) }
            let response = try await response("GET", nil, query: query)
            let page = try S3Listing(
                xml: String(decoding: response.body.readableBytesView, as: UTF8.self), at: place)
            objects += page.objects.filter { $0.key.hasPrefix(prefix) }
            next = page.next
            if next == nil { break }
        }
        return objects
    }
}
