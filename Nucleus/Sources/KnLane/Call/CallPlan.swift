import CChorus
import CFFI

/// What one signature of `knSignature.h` comes to: its `ffi_cif`, prepared once, and what marshalling wants to know.
///
/// Plans are plain memory that is made at start-up and never freed before its owner, so that the call path touches no
/// reference count.
public struct CallPlan {
    public let signature: UnsafePointer<KnSignature>
    public let count: Int
    /// Whether the first C argument is the table's `self`, which never travels.
    public let hasSelf: Bool
    /// Position of the handler argument (its cookie is the one behind it), or -1.
    public let handler: Int
    /// Position of the host file descriptor, or -1.
    public let descriptor: Int
    /// Nothing but scalars: no data behind the slots.
    public let isFlat: Bool
    public let cif: UnsafeMutablePointer<ffi_cif>
    private let types: UnsafeMutablePointer<UnsafeMutablePointer<ffi_type>?>

    /// nil when the signature contradicts itself; the marshalling relies on what is checked here.
    public init?(_ signature: UnsafePointer<KnSignature>?, hasSelf: Bool) {
        guard let signature, signature.pointee.count <= K_SIG_ARGMAX, CallPlan.isConsistent(signature) else {
            return nil
        }
        self.signature = signature
        self.hasSelf = hasSelf
        count = Int(signature.pointee.count)
        var (handler, descriptor, flat) = (-1, -1, true)
        let first = hasSelf ? 1 : 0
        types = .allocate(capacity: count + 1)
        types.initialize(repeating: nil, count: count + 1)
        cif = .allocate(capacity: 1)
        cif.initialize(to: ffi_cif())
        if hasSelf { types[0] = kn_ffi_pointer() }
        for index in 0..<count {
            let kind = CallPlan.argument(signature, index).type
            switch UInt32(kind) {
            case K_ARG_HANDLER: handler = index
            case K_ARG_FD: descriptor = index
            case K_ARG_BUF, K_ARG_STR: flat = false
            default: break
            }
            types[first + index] = CallPlan.ffiType(kind)
        }
        self.handler = handler
        self.descriptor = descriptor
        isFlat = flat
        // A server thread's entry returns nothing; reading its result register is harmless and the value is not used.
        let result = signature.pointee.ret == 0 ? kn_ffi_void() : CallPlan.ffiType(signature.pointee.ret)
        if kn_ffi_prepare(cif, UInt32(first + count), result, types) != 0 {
            destroy()
            return nil
        }
    }

    public func destroy() {
        cif.deallocate()
        types.deallocate()
    }

    @inline(__always)
    static func argument(_ signature: UnsafePointer<KnSignature>, _ index: Int) -> KnArg {
        kn_arg(signature, UInt32(truncatingIfNeeded: index))?.pointee ?? KnArg()
    }

    @inline(__always)
    public func argument(_ index: Int) -> KnArg { CallPlan.argument(signature, index) }

    private static func ffiType(_ kind: UInt8) -> UnsafeMutablePointer<ffi_type>? {
        switch UInt32(kind) {
        case K_ARG_I32, K_ARG_FD: kn_ffi_sint32()
        case K_ARG_U32: kn_ffi_uint32()
        case K_ARG_I64: kn_ffi_sint64()
        case K_ARG_U64: kn_ffi_uint64()
        default: kn_ffi_pointer()
        }
    }

    private static func isConsistent(_ signature: UnsafePointer<KnSignature>) -> Bool {
        for index in 0..<Int(signature.pointee.count) {
            let arg = argument(signature, index)
            guard arg.type >= K_ARG_I32, arg.type <= K_ARG_FD else { return false }
            guard arg.type == K_ARG_BUF else { continue }
            guard arg.dir >= K_IN, arg.dir <= K_INOUT, arg.size > 0, arg.lenArg < signature.pointee.count else {
                return false
            }
            let length = argument(signature, Int(arg.lenArg))
            switch UInt32(arg.len) {
            case K_LEN_FIXED:
                guard arg.size <= 64 * 1024 else { return false }
            case K_LEN_ARG:
                guard length.type == K_ARG_U32, arg.dir != K_INOUT else { return false }
            case K_LEN_REF:
                guard length.type == K_ARG_BUF, length.len == K_LEN_FIXED, length.dir == K_INOUT, length.size >= 4,
                    arg.dir == K_OUT
                else { return false }
            default: return false
            }
        }
        return true
    }

    /// A register or stack slot as the argument's type sees it: the upper half of a 32-bit argument is garbage.
    @inline(__always)
    static func normalized(_ kind: UInt8, _ slot: UInt64) -> UInt64 {
        switch UInt32(kind) {
        case K_ARG_I32, K_ARG_FD: UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: slot)))
        case K_ARG_U32: UInt64(UInt32(truncatingIfNeeded: slot))
        default: slot
        }
    }

    /// Calls `function` with `slots` (behind `self` where the plan has one), through libffi.
    public func call(
        _ function: UnsafeRawPointer,
        self own: UnsafeMutableRawPointer? = nil,
        _ slots: UnsafeMutablePointer<UInt64>
    ) -> Int64 {
        withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: Int(K_SIG_ARGMAX) + 1) { values in
            var own = UInt64(UInt(bitPattern: own))
            var result: UInt64 = 0
            withUnsafeMutablePointer(to: &own) { ownPointer in
                var next = 0
                if hasSelf {
                    values[0] = UnsafeMutableRawPointer(ownPointer)
                    next = 1
                }
                for index in 0..<count { values[next + index] = UnsafeMutableRawPointer(slots + index) }
                kn_ffi_call(cif, function, &result, values.baseAddress)
            }
            return signature.pointee.ret == K_ARG_I32
                ? Int64(Int32(truncatingIfNeeded: result)) : Int64(bitPattern: result)
        }
    }
}
