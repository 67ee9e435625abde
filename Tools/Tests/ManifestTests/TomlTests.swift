import Testing

@testable import Toml

@Suite struct TomlTests {
    private func line(_ source: String) -> Int? {
        do throws(TomlError) {
            _ = try TomlParser.parse(source)
            return nil
        } catch {
            return error.line
        }
    }

    @Test func valuesAndLines() throws {
        let table = try TomlParser.parse(
            """
            # a comment
            title = "a \\"b\\" \\u00e9" # behind
            [a.b]
            number = 1_000
            hex = 0xff
            real = -1.5e3
            yes = true
            list = [
              "x", 'y\\z',
            ]
            inline = { p = 1, q.r = "s" }
            [[item]]
            n = 1
            [item.sub]
            m = 2
            [[item]]
            n = 3
            """)
        #expect(table["title"] == TomlNode(line: 2, value: .string("a \"b\" \u{e9}")))
        guard case .table(let a)? = table["a"]?.value, case .table(let b)? = a["b"]?.value else {
            Issue.record("no a.b")
            return
        }
        #expect(b["number"] == TomlNode(line: 4, value: .integer(1000)))
        #expect(b["hex"]?.value == .integer(255))
        #expect(b["real"]?.value == .float(-1500))
        #expect(b["yes"]?.value == .bool(true))
        #expect(
            b["list"]?.value
                == .array([
                    TomlNode(line: 9, value: .string("x")), TomlNode(line: 9, value: .string("y\\z")),
                ]))
        guard case .table(let inline)? = b["inline"]?.value, case .table(let q)? = inline["q"]?.value else {
            Issue.record("no inline.q")
            return
        }
        #expect(inline["p"]?.value == .integer(1))
        #expect(q["r"]?.value == .string("s"))
        guard case .array(let items)? = table["item"]?.value else {
            Issue.record("no items")
            return
        }
        #expect(items.map(\.line) == [12, 16])
        guard case .table(let first)? = items.first?.value, case .table(let sub)? = first["sub"]?.value else {
            Issue.record("no item.sub")
            return
        }
        #expect(sub["m"] == TomlNode(line: 15, value: .integer(2)))
    }

    @Test func multilineStrings() throws {
        let table = try TomlParser.parse("a = \"\"\"\none\n\\\n   two\"\"\"\"\nb = '''\nraw\\n'''\nc = 1\n")
        #expect(table["a"]?.value == .string("one\ntwo\""))
        #expect(table["b"]?.value == .string("raw\\n"))
        #expect(table["c"]?.line == 7)
    }

    static let refused: [(String, Int)] = [
        ("a = 1\na = 2\n", 2), ("a = \n", 1), ("a = \"x\n", 1), ("\n\n[a\n", 3), ("a = word\n", 1),
        ("a = 1 b = 2\n", 1),
        ("a = 01\n", 1), ("a = 1__0\n", 1), ("[a]\n[a]\n", 2), ("a = {b = 1}\n[a.c]\n", 2), ("a = [1 2]\n", 1),
        ("a = \"\\q\"\n", 1), ("a = \"\\ud800\"\n", 1), ("= 1\n", 1), ("a.b = 1\na = 2\n", 2), ("a = [1]\n[[a]]\n", 2),
        ("a = 99999999999999999999\n", 1), ("a = 1.\n", 1), ("a = \"\u{1}\"\n", 1),
    ]

    @Test(arguments: refused)
    func refusals(_ source: String, _ at: Int) { #expect(line(source) == at) }

    @Test func nestingIsBounded() {
        #expect(line("a = " + String(repeating: "[", count: 100_000)) == 1)
        #expect(line(String(repeating: "a.", count: 100_000) + "a = 1") == 1)
    }
}
