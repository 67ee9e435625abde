/// Why a site cannot be made or filled, in one line for a person.
public struct LoadError: Error, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }
}
