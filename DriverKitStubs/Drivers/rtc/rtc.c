/* rtc: the clock of a PC (Motorola MC146818A) as /dev/rtc0. */
#include "driver.h"

DRV_NOTE("rtc", "1.0.0");

enum { SECONDS = 0x00, MINUTES = 0x02, HOURS = 0x04, DAY = 0x07, MONTH = 0x08, YEAR = 0x09, CENTURY = 0x32,
       CONTROL_A = 0x0a, CONTROL_B = 0x0b, HALT = 0x80, BINARY_24H = 0x06 };

typedef struct Clock { const DrvServices *s; DrvHandle device; } Clock;

static uint8_t get(const DrvServices *s, uint8_t at) {
    s->store8(s->self, 0, at);
    return s->load8(s->self, 1);
}

static void put(const DrvServices *s, uint8_t at, uint32_t value) {
    s->store8(s->self, 0, at);
    s->store8(s->self, 1, (uint8_t)value);
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t days(int64_t year, uint32_t month, uint32_t day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t yearOfEra = year - era * 400;
    int64_t dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719468;
}

static int32_t getTime(void *instance, int64_t *seconds) {
    Clock *c = instance;
    const DrvServices *s = c->s;
    for (int tries = 0; tries < 10; tries++) {  /* until a second has not ended in between */
        uint8_t second = get(s, SECONDS), minute = get(s, MINUTES), hour = get(s, HOURS), day = get(s, DAY), month = get(s, MONTH);
        int64_t year = get(s, CENTURY) * 100 + get(s, YEAR);
        if (get(s, SECONDS) != second) continue;
        if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return DRV_EIO;
        *seconds = days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
        return DRV_OK;
    }
    return DRV_EIO;
}

static int32_t setTime(void *instance, int64_t seconds) {
    Clock *c = instance;
    const DrvServices *s = c->s;
    if (seconds < 0 || seconds > 253402300799) return DRV_EINVAL;       /* the year 9999 */
    int64_t day = seconds / 86400 + 719468;
    int64_t era = day / 146097, dayOfEra = day - era * 146097;
    int64_t yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146096) / 365;
    int64_t dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
    int64_t shifted = (5 * dayOfYear + 2) / 153;
    int64_t month = shifted + (shifted < 10 ? 3 : -9), year = yearOfEra + era * 400 + (month <= 2);
    uint32_t rest = (uint32_t)(seconds % 86400);
    put(s, CONTROL_B, HALT | BINARY_24H);
    put(s, CENTURY, (uint32_t)(year / 100));
    put(s, YEAR, (uint32_t)(year % 100));
    put(s, MONTH, (uint32_t)month);
    put(s, DAY, (uint32_t)(dayOfYear - (153 * shifted + 2) / 5 + 1));
    put(s, HOURS, rest / 3600);
    put(s, MINUTES, rest / 60 % 60);
    put(s, SECONDS, rest % 60);
    put(s, CONTROL_B, BINARY_24H);
    return DRV_OK;
}

static const DrvClockOps ops = { sizeof ops, getTime, setTime };

static int32_t init(const DrvServices *s, void **instance) {
    Clock *c = s->memAlloc(s->self, sizeof *c);
    if (!c) return DRV_ENOMEM;
    c->s = s;
    int32_t result = s->deviceRegister(s->self, DRV_CLASS_CLOCK, "rtc0", &ops, &c->device);
    if (result < 0) s->memFree(s->self, c);
    *instance = c;
    return result;
}

static int32_t unload(void *instance) {
    Clock *c = instance;
    const DrvServices *s = c->s;
    int32_t result = s->deviceUnregister(s->self, c->device);
    if (result < 0) return result;
    s->memFree(s->self, c);
    return DRV_OK;
}

static const DrvMatch match[] = { { "mc146818", 0 } };
const DrvDriver drv_driver = { sizeof drv_driver, DRV_ABI_MAJOR, DRV_ABI_MINOR, "rtc", "the clock as /dev/rtc0",
                               match, 1, NULL, init, unload, NULL };
