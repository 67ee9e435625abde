/* knMapper.h: the mapper protocol. A segment of an external mapper is named by a capability whose `ui` is the mapper's
 * port, or a group of it, and whose `key` means something to the mapper only. The nucleus of each site keeps one local
 * cache of it and asks the mapper by ipcCall: the request in the annex, data in the body. A mapper answers with one of
 * the structs below in the annex; data, if any, in the body.
 *
 * `size` is the bytes of a struct as its writer knows it; structs are only ever appended to. All data stays in the
 * caches of the sites: a mapper that shares a segment among sites revokes what one has (lcFlush, lcSetRights with its
 * `lccap`) before it grants to another what would contradict it. */
#ifndef CHORUS_KNMAPPER_H
#define CHORUS_KNMAPPER_H
#include "knTypes.h"

/* The first word of a request. */
#define KN_MPPULLIN 0x4d700001u    /* data and rights; answered by KnMpAccess and the data */
#define KN_MPGETACCESS 0x4d700002u /* rights alone; answered by KnMpAccess */
#define KN_MPPUSHOUT 0x4d700003u   /* write back; the data is the body; answered by KnMpDone */
#define KN_MPCREATE 0x4d700004u    /* a temporary segment; answered by KnMpCreated */
#define KN_MPRELEASE 0x4d700005u   /* the cache is gone; answered by KnMpDone */
#define KN_MPSTAT 0x4d700006u      /* asked when a cache is made; answered by KnMpAttributes */
#define KN_MPTRUNC 0x4d700007u     /* the segment is to be this long; answered by KnMpDone */
/* Asked of the nucleus, at the port `lccap.ui`; answered by KnMpDone. lcFlush and lcSetRights send it for caches of
 * other sites. */
#define KN_LCFLUSH 0x4d700101u

/* Rights are K_READABLE and K_WRITABLE. In grantedAccess and in KnMpAttributes.options also: */
#define K_MP_RELEASE 0x100u        /* the mapper wants an MpRelease when the cache is gone */

typedef struct KnMpPullIn {
    uint32_t service, size;
    KnKey segkey;
    KnCap lccap;                   /* names this site's cache of the segment: for lcFlush and lcSetRights */
    VmOffset accessOffset;         /* wanted: whole pages; anything of it that covers what is required may be granted */
    VmSize accessSize;
    uint32_t requiredAccess, pad;
    VmOffset requiredAccessOffset;
    VmSize requiredAccessSize;
    VmOffset dataOffset;
    VmSize dataSize;
    VmOffset requiredDataOffset;
    VmSize requiredDataSize;
    uint64_t pullInId;
} KnMpPullIn;

typedef struct KnMpGetAccess {
    uint32_t service, size;
    KnKey segkey;
    KnCap lccap;
    VmOffset accessOffset;
    VmSize accessSize;
    uint32_t requiredAccess, pad;
    VmOffset requiredAccessOffset;
    VmSize requiredAccessSize;
} KnMpGetAccess;

typedef struct KnMpPushOut {
    uint32_t service, size;
    KnKey segkey;
    KnCap lccap;
    VmOffset dataOffset;           /* a page's start */
    VmSize dataSize;               /* the body's; ends at a page's end or where the segment does, which may thereby grow */
    uint32_t options, pad;         /* 0 */
} KnMpPushOut;

typedef struct KnMpCreate {
    uint32_t service, size;
    uint32_t options, pad;
} KnMpCreate;

typedef struct KnMpRelease {
    uint32_t service, size;
    KnKey segkey;
    KnCap lccap;
} KnMpRelease;

typedef struct KnMpStat {
    uint32_t service, size;
    KnKey segkey;
    KnCap lccap;
} KnMpStat;

typedef struct KnMpTrunc {
    uint32_t service, size;
    KnKey segkey;
    KnCap lccap;
    VmSize segmentSize;
} KnMpTrunc;

typedef struct KnLcFlush {
    uint32_t service, size;
    KnKey lckey;                   /* of the lccap */
    VmOffset offset;               /* whole pages; length 0: to the end */
    VmSize length;
    uint32_t flags;                /* K_LC_* */
    uint32_t rights;               /* what the cache may keep: 0, K_READABLE, or both */
    uint64_t orderNumber;
} KnLcFlush;

/* Answers. diag: 0, or a negative K_* code, which becomes the result of the call that needed the data. */
typedef struct KnMpAccess {
    int32_t diag;
    uint32_t size;
    uint32_t grantedAccess, pad;   /* at least what was required */
    uint64_t ordinalNumber;        /* numbers the mapper's decisions about the segment: a flush with a higher order
                                      number that overtook this answer counts, one with a lower number does not */
    VmOffset returnAccessOffset;
    VmSize returnAccessSize;
    VmSize inClusterSize;          /* bytes that later pull-ins and push-outs should have; 0: no wish */
    VmSize outClusterSize;
    VmOffset returnDataOffset;     /* MpPullIn: the data in the body; whole pages, but for the segment's end */
    VmSize returnDataSize;
} KnMpAccess;

typedef struct KnMpDone {
    int32_t diag;
    uint32_t size;
} KnMpDone;

typedef struct KnMpCreated {
    int32_t diag;
    uint32_t size;
    KnCap segcap;
    uint32_t options, pad;         /* 0 */
} KnMpCreated;

typedef struct KnMpAttributes {
    int32_t diag;
    uint32_t size;
    VmSize segmentSize;
    VmSize inClusterSize, outClusterSize;
    uint32_t options, pad;         /* K_MP_RELEASE */
} KnMpAttributes;

_Static_assert(sizeof(KnMpPullIn) <= K_CMSGANNEXSIZE && sizeof(KnMpAccess) <= K_CMSGANNEXSIZE, "fits the annex");
#endif
