import CChorus

extension FileServer {
    public func exportState(
        _ sequence: UInt32, _ message: UnsafeMutableRawPointer?, _ size: UnsafeMutablePointer<UInt32>
    ) -> Int32 { size.pointee = 0; return K_OK }
    public func importState(_ sequence: UInt32, _ message: UnsafeRawPointer?, _ size: UInt32) -> Int32 { K_OK }
}
