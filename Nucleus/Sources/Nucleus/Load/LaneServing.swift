import Glibc
import KnLane

/// The lane whose upcall the calling host thread serves. If that leads to a call on another lane, three sides share the
/// processors: a user actor's client, the nucleus, and a user actor's server.
enum LaneServing {
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        // Only a process with a thousand keys has none left; then nobody is known to serve.
        return pthread_key_create(&key, nil) == 0 ? key : pthread_key_t.max
    }()

    /// Gives who was served before; hand that to `end`.
    static func begin(_ lane: Lane) -> UnsafeMutableRawPointer? {
        let outer = pthread_getspecific(key)
        pthread_setspecific(key, Unmanaged.passUnretained(lane).toOpaque())
        return outer
    }

    /// The next upcall will be like this one.
    static func end(_ lane: Lane, _ outer: UnsafeMutableRawPointer?) {
        pthread_setspecific(key, outer)
        lane.isCrowded = lane.isCalledThrough
        lane.isCalledThrough = false
    }

    /// The calling thread is about to call on `lane`.
    static func call(on lane: Lane) {
        guard let outer = pthread_getspecific(key) else {
            lane.isCrowded = false
            return
        }
        lane.isCrowded = true
        Unmanaged<Lane>.fromOpaque(outer)._withUnsafeGuaranteedRef { outer in
            outer.isCrowded = true
            outer.isCalledThrough = true
        }
    }
}
