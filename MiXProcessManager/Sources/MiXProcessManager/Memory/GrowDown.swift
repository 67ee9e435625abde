import CChorus

extension ProcessManager {
    /// MAP_GROWSDOWN: a fault below such an area, and above the guard gap of the one before, makes it longer (mmap(2)).
    func growDown(_ process: Process, _ address: UInt64) -> Bool {
        let gap = 256 * AddressSpace.page
        let space = process.memory
        return space.lock.withLock {
            let index = space.map.index(above: address)
            guard index < space.map.areas.count else { return false }
            let area = space.map.areas[index]
            let start = AddressSpace.pageDown(address)
            let more = area.start - start
            guard area.traits.growsDown, area.start > address, area.end - start <= process.limits[.stack].soft,
                space.map.total &+ more <= process.limits[.addressSpace].soft, start >= AddressSpace.lowest + gap,
                !area.traits.isLocked, space.map.isFree(start - gap, area.start)
            else { return false }
            var actor = process.actor
            var region = KnRgnDesc()
            region.startAddr = start
            region.size = more
            region.options = MemoryCalls.options(area.protection) | K_FILLZERO
            guard nucleus.rgnAllocate(&actor, &region) >= 0 else { return false }
            var longer = area
            longer.start = start
            space.map.insert(longer)
            return true
        }
    }
}
