/* knBoot.h: the one symbol libNucleus.so exports, `kn_boot`: how a loader makes a site and fills it.
 * The nucleus is an instance: a process may hold several sites. */
#ifndef CHORUS_KNBOOT_H
#define CHORUS_KNBOOT_H
#include "knActor.h"

typedef struct KnSiteArgs {
    uint32_t size;
    uint32_t siteNumber;            /* 0: one is drawn */
    const char *name;
    const char *zygotePath;         /* chorus-zygote; NULL: beside libNucleus.so. Started at the first UNIX actor */
    const char *actorHostPath;      /* chorus-actor-host; NULL: ../bin/ beside libNucleus.so */
    void (*log)(void *cookie, int32_t level, const char *line); /* from any thread, not after siteDelete; NULL: standard error */
    void *logCookie;
    /* --- since ABI 1.1 --- */
    uint64_t domain[2];             /* secret of the naming domain: sites that share it have the same static groups; 0, 0: drawn */
} KnSiteArgs;

typedef struct KnLoadArgs {
    uint32_t size;
    int32_t privilege;              /* K_SUPACTOR or K_USERACTOR; since ABI 1.1 K_USERACTOR | K_LOAD_UNPRIVILEGED */
    const char *name, *object, *options; /* object: absolute path, its note already checked by the loader */
    uint32_t groupStamp, generation;
    uint64_t memoryLimit;           /* bytes; 0: none */
    uint32_t threadLimit, portLimit;/* 0: none */
} KnLoadArgs;

#define K_LOAD_UNPRIVILEGED 0x100   /* a user actor that may not issue privileged calls */

typedef struct KnBoot {
    uint32_t size;
    uint16_t abiMajor, abiMinor;
    int32_t (*siteCreate)(const KnSiteArgs *args, void **site);
    /* A supervisor actor for the caller itself; its table lives as long as the site. */
    const KnNucleus *(*siteActor)(void *site, const char *name);
    /* dlopen (supervisor) or a chorus-actor-host process (user), then kn_actor_main. `why` gets one line on failure. */
    int32_t (*actorLoad)(void *site, const KnLoadArgs *args, KnCap *cap, char *why, uint32_t whySize);
    int32_t (*actorStarted)(void *site, const KnCap *cap);  /* KnActorOps.started */
    int32_t (*actorUnload)(void *site, const KnCap *cap);   /* KnActorOps.shutdown, then actorDelete */
    /* KnActorOps.stateExport / stateImport of a loaded actor. */
    int32_t (*actorExport)(void *site, const KnCap *cap, uint32_t sequence, void *message, uint32_t *size);
    int32_t (*actorImport)(void *site, const KnCap *cap, uint32_t sequence, const void *message, uint32_t size);
    int32_t (*siteWait)(void *site, int32_t *status);       /* until sysShutdown; its status */
    int32_t (*siteDelete)(void *site);                      /* actors still there are deleted; guests killed */
    int32_t (*actorHeartbeat)(void *site, const KnCap *cap);/* KnActorOps.heartbeat; K_ENOSYS where it has none */
    /* --- since ABI 1.1 --- */
    int32_t (*siteProcessIpc)(void *site, int32_t allowed); /* whether UNIX processes may use CHORUS IPC (knUser.h): they may */
    /* Another instance of the server, in `privilege` (K_SUPACTOR or K_USERACTOR), takes its place and its state; `now` names
     * it. Clients' messages wait meanwhile. On failure the server goes on as before: K_EBUSY it does not come to rest, or has
     * actors of its own; K_ENOSYS it exports or imports no state; K_EPRIV unprivileged actors stay user actors; or what the
     * new instance refused with. */
    int32_t (*actorMove)(void *site, const KnCap *cap, int32_t privilege, KnCap *now, char *why, uint32_t whySize);
    /* Joins two sites of this process, and with them all that either of them is joined with already: what has a name on one
     * can be used from the others. K_EEXIST: joined already, or two of one number (of its low 16 bits); K_EBUSY: both are
     * joined with others. A site leaves when it is deleted. */
    int32_t (*siteJoin)(void *site, void *other);
    int32_t (*siteMemory)(void *site, uint64_t limit);      /* bytes that all actors together may hold; 0: no limit */
    int32_t (*siteRewrite)(void *site, int32_t allowed);    /* whether UNIX processes' call sites may be rewritten: they may */
} KnBoot;

typedef const KnBoot *(*KnBootEntry)(void);
#define K_BOOT_ENTRY "kn_boot"
#endif
