/// Canonical mode: what the editing characters do to the line being typed.
extension LineDiscipline {
    func isContinuation(_ c: UInt8) -> Bool { termios.input(Termios.iutf8) && c & 0xc0 == 0x80 }

    /// True when `c` was an editing or line-ending character and is done with.
    mutating func edit(_ c: UInt8) -> Bool {
        let extended = termios.local(Termios.iexten)
        let echoes = termios.local(Termios.echo)
        if c == termios.cc[Termios.verase] || c == termios.cc[Termios.vkill]
            || (extended && c == termios.cc[Termios.vwerase])
        {
            erase(c)
            commitEchoes()
            return true
        }
        if extended && c == termios.cc[Termios.vlnext] {
            literalNext = true
            if echoes {
                finishErasing()
                if termios.local(Termios.echoctl) {
                    echoRaw(0x5e)
                    echoRaw(8)
                    commitEchoes()
                }
            }
            return true
        }
        if extended && echoes && c == termios.cc[Termios.vreprint] {
            finishErasing()
            echo(c)
            echoRaw(10)
            for at in lineHead..<max(lineHead, head) { echo(input[at & Self.mask]) }
            commitEchoes()
            return true
        }
        if c == 10 {
            if echoes || termios.local(Termios.echonl) {
                echoRaw(10)
                commitEchoes()
            }
            endLine(10)
            return true
        }
        if c == termios.cc[Termios.veof] {
            endLine(0)
            return true
        }
        if c == termios.cc[Termios.veol] || (extended && c == termios.cc[Termios.veol2]) {
            if echoes {
                if lineHead == head { echoLineColumn() }
                echo(c)
                commitEchoes()
            }
            if c == 0xff && termios.input(Termios.parmrk) { queue(c) }
            endLine(c)
            return true
        }
        return false
    }

    /// A 0 byte that ends a line stands for end-of-file: it ends a read without being delivered.
    private mutating func endLine(_ c: UInt8) {
        lineEnds[head & Self.mask] = true
        queue(c)
        lineHead = head
    }

    private enum Extent { case character, word, line }

    private mutating func erase(_ key: UInt8) {
        guard head != lineHead else { return }
        let extent: Extent
        let echoes = termios.local(Termios.echo)
        if key == termios.cc[Termios.verase] {
            extent = .character
        } else if key == termios.cc[Termios.vwerase] {
            extent = .word
        } else {
            let all = Termios.echok | Termios.echoke | Termios.echoe
            if !echoes || termios.lflag & all != all {
                head = lineHead
                guard echoes else { return }
                finishErasing()
                echo(termios.cc[Termios.vkill])
                if termios.local(Termios.echok) { echoRaw(10) }
                return
            }
            extent = .line
        }
        var inWord = false
        while head != lineHead {
            var at = head
            var c: UInt8
            repeat {
                at &-= 1
                c = input[at & Self.mask]
            } while isContinuation(c) && at != lineHead
            if isContinuation(c) { break }  // never half a character
            if extent == .word {
                if c.isWord {
                    inWord = true
                } else if inWord {
                    break
                }
            }
            let width = head &- at
            head = at
            if echoes { echoErasure(of: c, at: at, width: width, extent == .character) }
            if extent == .character { break }
        }
        if head == lineHead && echoes { finishErasing() }
    }

    private mutating func echoErasure(of c: UInt8, at: Int, width: Int, _ single: Bool) {
        if termios.local(Termios.echoprt) {
            if !erasing {
                echoRaw(0x5c)
                erasing = true
            }
            echo(c)
            for next in 1..<max(1, width) {
                echoRaw(input[(at &+ next) & Self.mask])
                echoBack()
            }
        } else if single && !termios.local(Termios.echoe) {
            echo(termios.cc[Termios.verase])
        } else if c == 9 {
            echoTabErasure()
        } else {
            let shownAsPair = c.isControl && termios.local(Termios.echoctl)
            let cells = shownAsPair ? 2 : c.isControl ? 0 : 1
            for _ in 0..<cells {
                echoRaw(8)
                echoRaw(0x20)
                echoRaw(8)
            }
        }
    }

    /// How far a tab reached depends on the columns used since the previous tab, or since the line began.
    private mutating func echoTabErasure() {
        var used = 0
        var afterTab = false
        var at = head
        while at != lineHead {
            at &-= 1
            let c = input[at & Self.mask]
            if c == 9 {
                afterTab = true
                break
            } else if c.isControl {
                if termios.local(Termios.echoctl) { used += 2 }
            } else if !isContinuation(c) {
                used += 1
            }
        }
        echoEraseTab(used, afterTab: afterTab)
    }

    mutating func finishErasing() {
        if erasing {
            echoRaw(0x2f)
            erasing = false
        }
    }
}
