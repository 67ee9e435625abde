/* knActor.h: the one entry point of a server object, the same in both privileges.
 *
 *     int32_t kn_actor_main(const KnNucleus *nucleus, const KnActorArgs *args, KnActorOps *ops);
 *
 * It builds the server's instance (all state hangs on it, no globals), connects ports and handlers, fills `ops`
 * and returns K_OK; or a K_ error, having undone what it did. It is called again for every new instance. */
#ifndef CHORUS_KNACTOR_H
#define CHORUS_KNACTOR_H
#include "knNucleus.h"

typedef struct KnActorArgs {
    uint32_t size;
    uint32_t privilege;             /* K_USERACTOR or K_SUPACTOR */
    const char *name;               /* the manifest's actor name */
    const char *options;            /* "key=value\n" lines from the manifest, sorted by key; may be "" */
    uint32_t generation;            /* 0 first start; counts restarts and moves */
    uint32_t groupStamp;            /* stamp of the static group the manifest gives it; 0 none */
} KnActorArgs;

/* Signatures as for message handlers: called directly or through the lane. Any may be NULL. */
typedef struct KnActorOps {
    uint32_t size;
    uint32_t reserved;
    void *instance;
    int32_t (*shutdown)(void *instance);   /* close the gate, drain, release; the instance is gone afterwards */
    /* State as a versioned message stream: call with sequence 0, 1, 2 ... until *size comes back 0. Then the instance rests:
     * another one may have taken over. Nobody is in its message handlers; it posts what its clients' armed events wait for, so
     * that they ask the next instance. If it is asked anything again, nobody has. */
    int32_t (*stateExport)(void *instance, uint32_t sequence, void *message, uint32_t *size);
    /* The same messages in the same order, then once with size 0: the instance begins its work; `started` is not called. */
    int32_t (*stateImport)(void *instance, uint32_t sequence, const void *message, uint32_t size);
    int32_t (*heartbeat)(void *instance);  /* K_OK while alive */
    /* Everything is connected: the first-start work that needs other servers (init process, mounts). */
    int32_t (*started)(void *instance);
} KnActorOps;

typedef int32_t (*KnActorMain)(const KnNucleus *nucleus, const KnActorArgs *args, KnActorOps *ops);
#define K_ACTOR_ENTRY "kn_actor_main"

/* Static-stamp groups of MiX. */
#define K_STAMP_PROCESS 0x50524f43u /* PROCESS: process manager */
#define K_STAMP_FILE 0x46494c45u    /* FILE: file manager */
#define K_STAMP_DEVICE 0x44455649u  /* DEVICE: device manager */
#define K_STAMP_SOCKET 0x534f434bu  /* SOCKET: socket manager */
#define K_STAMP_DRIVER 0x44524956u  /* DRIVER: the drivers' home */
#endif
