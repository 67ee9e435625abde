#include "mix/mixProcInfo.h" /* SwiftPM wants one source file in a C target */
