import CMachine

/// How long to poll before sleeping, from the number of cores (figures: `trap.md` section 3).
struct WaitPolicy {
    /// Polls with PAUSE (about 28 ns each), then polls with sched_yield (about 0.5 µs each).
    let spin: Int
    let yield: Int
    let guestSpin: UInt32
    let guestYield: UInt32
    /// sched_yield polls of an idle pool leader before it sleeps.
    let idleYield: Int

    init(cores: Int) {
        let many = cores > 1
        spin = many ? 60 : 0
        yield = many ? 80 : 10
        guestSpin = many ? 60 : 0
        guestYield = many ? 60 : 8
        idleYield = many ? 200 : 10
    }
}
