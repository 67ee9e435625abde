#include "chorus.h"
KN_NOTE(K_KIND_SERVER, "MiXDeviceManager", "1.0.0");
