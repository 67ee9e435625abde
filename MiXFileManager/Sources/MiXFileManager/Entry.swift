import ActorKit
import CChorus
import FileCore
