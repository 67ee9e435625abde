extension Manifest {
    /// The actors in an order in which each comes behind all that it needs; among equals, the order of the manifest.
    public func loadOrder() throws(ManifestError) -> [ActorEntry] {
        var ordered: [ActorEntry] = []
        var state: [String: Bool] = [:]  // false: being visited, true: placed
        var trail: [String] = []
        for actor in actors { try visit(actor, &ordered, &state, &trail) }
        return ordered
    }

    private func visit(
        _ actor: ActorEntry, _ ordered: inout [ActorEntry], _ state: inout [String: Bool], _ trail: inout [String]
    ) throws(ManifestError) {
        let key = Place(file: actor.place.file, line: actor.place.line, key: "\(actor.place.key).needs")
        if state[actor.name] == true { return }
        if state[actor.name] == false {
            let start = trail.firstIndex(of: actor.name) ?? 0
            let circle = (trail[start...] + [actor.name]).joined(separator: " needs ")
            throw key.error("goes round in a circle: \(circle)", "leaving out one of these would do")
        }
        state[actor.name] = false
        trail.append(actor.name)
        for need in actor.needs {
            guard let other = actors.first(where: { $0.group?.name == need || $0.name == need }) else {
                let known = actors.flatMap { [$0.group?.name, $0.name].compactMap(\.self) }
                throw key.error("\"\(need)\" is in no [[actor]]", "known are \(known.joined(separator: ", "))")
            }
            try visit(other, &ordered, &state, &trail)
        }
        trail.removeLast()
        state[actor.name] = true
        ordered.append(actor)
    }
}
