/* ipc.h: what the two actors of `chorus bench ipc` know of each other. */
#ifndef BENCH_IPC_H
#define BENCH_IPC_H
#include "chorus.h"

#define BENCH_HANDLER 0x42484e44u /* "BHND": a port with a message handler, which answers with nothing */
#define BENCH_QUEUE 0x42515545u   /* "BQUE": a port that a thread receives from */
#define BENCH_ALL 0x42414c4cu     /* "BALL": so many ports of another thread */
#define BENCH_PORTS 8u
#define BENCH_TRAP 0x42u          /* traps of the server's: with a table of one handler without arguments, */
#define BENCH_GENERAL 0x43u       /* and with a general handler */
#endif
