import ActorKit
import CChorus
import Synchronization

@testable import NucleusCore

/// A port that goes round among actors, of one site or of several, while others keep sending to it. Each sender numbers its
/// messages, some of them calls, and has no more than a few under way, so that no queue is ever full.
final class MigrationStorm: Sendable {
    struct Seen {
        /// Numbers, by sender, in the order in which they were received.
        var numbers: [[Int]]
        var wrong: [String] = []
    }
    let owners: [Actor]
    let ui: KnUniqueId
    private let benches: [Bench]
    private let seen: Mutex<Seen>
    /// How many of each sender's messages have been received, or may be lost.
    private let acknowledged: [Counter]
    /// Of each owner: what it received in the stays that are over, and what of all it has written down.
    private let received, written: [Counter]
    private let ended = Atomic<Int>(0)
    private let senders: [Actor]
    private let sending: [Bench]
    private static let window = 6
    private let lastLi: Mutex<KnPortLid>

    final class Counter: Sendable { let value = Atomic<Int>(0) }

    /// `owners` and `senders`: the benches they are on.
    init(owners: [Bench], senders: [Bench]) {
        benches = owners
        self.owners = owners.map { $0.actor("owner") }
        self.senders = senders.map { $0.actor("sender") }
        let port = self.owners[0].nucleus.newPort()
        ui = port.ui
        lastLi = Mutex(port.li)
        seen = Mutex(Seen(numbers: senders.map { _ in [] }))
        acknowledged = senders.map { _ in Counter() }
        received = owners.map { _ in Counter() }
        written = owners.map { _ in Counter() }
        sending = senders
    }

    /// What went wrong; empty if nothing did.
    func run(messages: Int, rounds: Int) -> [String] {
        let receivers = owners.indices.map { i in benches[i].start { self.receive(i) } }
        let jobs = senders.indices.map { i in sending[i].start { self.send(i, messages) } }
        _ = owners[0].nucleus.portEnable(nil, lastLi.withLock { $0 }, 0)
        var at = 0, moves = 0
        while ended.load(ordering: .relaxed) < senders.count || moves < rounds {
            let next = (at + 1) % owners.count
            if let complaint = move(from: at, to: next) { return [complaint] }
            (at, moves) = (next, moves + 1)
        }
        var wrong = jobs.enumerated().compactMap { $1.result() == K_OK ? nil : "sender \($0): \($1.result())" }
        if !eventually({ acknowledged.allSatisfy { $0.value.load(ordering: .relaxed) == messages } }) {
            wrong.append("lost: \(acknowledged.map { messages - $0.value.load(ordering: .relaxed) })")
        }
        for owner in owners { owner.site.deleteActor(owner) }
        for receiver in receivers where receiver.result() != K_EDEADACTOR { wrong.append("a receiver ended") }
        return seen.withLock { seen in
            for (sender, numbers) in seen.numbers.enumerated() where numbers != Array(0..<messages) {
                let first = zip(numbers, 0...).first { $0 != $1 }
                wrong.append(
                    "sender \(sender): \(numbers.count) of \(messages), first out of order \(String(describing: first))"
                )
            }
            return wrong + seen.wrong
        }
    }

    private func move(from: Int, to: Int) -> String? {
        let li = lastLi.withLock { $0 }
        var cap = owners[to].cap
        var sequence: UInt32 = 0
        let code = owners[from].nucleus.portMigrate(K_MIGRATE_QUEUE, nil, li, &cap, &sequence)
        guard code > 0 else { return "migration: \(code)" }
        lastLi.withLock { $0 = code }
        // What was received before is written down before more is received.
        received[from].value.wrappingAdd(Int(sequence) - 1, ordering: .relaxed)
        let (expected, count) = (received[from].value.load(ordering: .relaxed), written[from])
        guard eventually({ count.value.load(ordering: .relaxed) == expected }) else {
            return "received \(expected), written down \(count.value.load(ordering: .relaxed))"
        }
        let enabled = owners[to].nucleus.portEnable(nil, code, 0)
        return enabled == K_OK ? nil : "enable: \(enabled)"
    }

    private func receive(_ owner: Int) -> Int32 {
        let nucleus = owners[owner].nucleus
        while true {
            let got = nucleus.receive(K_ANYENABLED, delay: 120_000)
            if got.code < 0 { return got.code }
            let parts = got.text.split(separator: " ")
            guard parts.count == 2, let sender = Int(parts[0]), let number = Int(parts[1]) else {
                seen.withLock { $0.wrong.append("got \(got.text)") }
                continue
            }
            seen.withLock { $0.numbers[sender].append(number) }
            if got.head.transId != 0, nucleus.reply(got.text) != K_OK {
                seen.withLock { $0.wrong.append("no client for \(got.text)") }
            }
            written[owner].value.wrappingAdd(1, ordering: .relaxed)
            acknowledged[sender].value.wrappingAdd(1, ordering: .relaxed)
        }
    }

    private func send(_ i: Int, _ messages: Int) -> Int32 {
        let nucleus = senders[i].nucleus
        defer { ended.wrappingAdd(1, ordering: .relaxed) }
        for number in 0..<messages {
            let text = "\(i) \(number)"
            if number % 7 == 3 {
                let got = nucleus.call(ui, text, delay: 60_000)
                if got.code != K_OK { return got.code }
                if got.reply != text { return -1 }
            } else {
                let code = nucleus.send(ui, text)
                if code != K_OK { return code }
            }
            let count = acknowledged[i]
            guard eventually({ number + 1 - count.value.load(ordering: .relaxed) < Self.window }) else {
                return K_ETIMEOUT
            }
        }
        return K_OK
    }
}
