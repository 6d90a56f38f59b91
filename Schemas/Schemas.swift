/// Documents that describe what Quern says to others.
public enum Schemas {
    /// The HTTP interface: OpenAPI 3.1, YAML.
    public static var openAPI: [UInt8] { PackageResources.openapi_yaml }
}
