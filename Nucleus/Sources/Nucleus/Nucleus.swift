import CChorus
