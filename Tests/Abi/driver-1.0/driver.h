/* driver.h: everything a driver needs. Plain C11; nothing to link. docs/drivers.md has a complete worked example. */
#ifndef DRIVER_H
#define DRIVER_H
#include "driver/drvTypes.h"
#include "driver/drvClasses.h"
#include "driver/drvServices.h"
#include "driver/drvEntry.h"
#endif
