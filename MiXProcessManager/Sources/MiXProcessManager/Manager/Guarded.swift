/// A value that several threads read while one may replace it: the reference count of what is inside is never raced for.
/// What was there before is released outside the lock, for its end may call other servers.
@propertyWrapper
final class Guarded<Value>: @unchecked Sendable {
    // Sendable: `value` is only touched under `lock`.
    private let lock = Lock()
    private var value: Value

    init(wrappedValue: Value) { value = wrappedValue }

    var wrappedValue: Value {
        get { lock.withLock { value } }
        set {
            let old = lock.withLock { () -> Value in
                let old = value
                value = newValue
                return old
            }
            withExtendedLifetime(old) {}
        }
    }
}
