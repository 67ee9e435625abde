/// A struct in an annex: the nucleus always moves K_CMSGANNEXSIZE bytes.
public struct Annex<T: BitwiseCopyable> {
    private var words = InlineArray<32, UInt64>(repeating: 0)

    public init(_ value: T) { self.value = value }

    public var value: T {
        get { withUnsafeBytes(of: words) { $0.load(as: T.self) } }
        set { withUnsafeMutableBytes(of: &words) { $0.storeBytes(of: newValue, as: T.self) } }
    }

    public func withBytes<R>(_ body: (UnsafeRawPointer?) -> R) -> R {
        withUnsafeBytes(of: words) { body($0.baseAddress) }
    }
    public mutating func withMutableBytes<R>(_ body: (UnsafeMutableRawPointer?) -> R) -> R {
        withUnsafeMutableBytes(of: &words) { body($0.baseAddress) }
    }
}
