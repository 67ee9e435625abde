#include "chorus.h"
KN_NOTE(K_KIND_SERVER, "DriverKitStubs", "1.0.0");
