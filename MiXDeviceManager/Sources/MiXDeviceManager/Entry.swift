import ActorKit
import CChorus
import CMiXDevice
import CMiXFile
