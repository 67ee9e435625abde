/// Timers by the time they expire, the next one first. Each timer knows its place, so that it can be taken out.
struct TimerHeap {
    private var items: [ExpiryTimer] = []

    var first: ExpiryTimer? { items.first }

    mutating func insert(_ timer: ExpiryTimer) {
        timer.place = items.count
        items.append(timer)
        rise(timer.place)
    }

    mutating func remove(_ timer: ExpiryTimer) {
        let place = timer.place
        guard place >= 0 else { return }
        let last = items.removeLast()
        timer.place = -1
        guard last !== timer else { return }
        put(last, place)
        rise(place)
        sink(place)
    }

    mutating func removeAll() {
        for timer in items { timer.place = -1 }
        items = []
    }

    private mutating func put(_ timer: ExpiryTimer, _ place: Int) {
        items[place] = timer
        timer.place = place
    }

    private mutating func swap(_ a: Int, _ b: Int) {
        let (first, second) = (items[a], items[b])
        put(second, a)
        put(first, b)
    }

    private mutating func rise(_ start: Int) {
        var place = start
        while place > 0, items[place].expiry < items[(place - 1) / 2].expiry {
            swap(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    private mutating func sink(_ start: Int) {
        var place = start
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2]
            where child < items.count && items[child].expiry < items[least].expiry { least = child }
            if least == place { return }
            swap(place, least)
            place = least
        }
    }
}
