#include "chorus.h"
KN_NOTE(K_KIND_SERVER, "MiXSocketManager", "1.0.0");
