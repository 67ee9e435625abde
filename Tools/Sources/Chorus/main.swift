import CKeeper

// The keeper comes before everything else of this process: before any thread, and before a line is parsed. Only a
// command that makes a site needs one.
if CommandLine.arguments.count > 1, ["run", "boot"].contains(CommandLine.arguments[1]),
    !CommandLine.arguments.prefix(3).contains(where: { $0 == "--help" || $0 == "-h" })
{
    keeper_begin()
}
ChorusCommand.main()
