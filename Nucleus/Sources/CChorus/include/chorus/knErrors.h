/* knErrors.h: results of nucleus calls. >= 0 is success; errors are below -1000 so that they can never be
 * mistaken for the -errno that MiX servers put into replies. */
#ifndef CHORUS_KNERRORS_H
#define CHORUS_KNERRORS_H
#define K_OK 0
#define K_PARKED 1            /* trap handler: completed later by trapComplete */
#define K_CONTEXT 2           /* trap handler: resume with the whole context that threadContext set */
#define K_EINVAL (-1001)      /* bad argument */
#define K_ENOMEM (-1002)      /* out of memory or over a limit */
#define K_EBUSY (-1003)       /* in use */
#define K_EFAULT (-1004)      /* bad address */
#define K_EABORT (-1005)      /* the call was aborted */
#define K_EPRIV (-1006)       /* not privileged, or wrong key */
#define K_EUNKNOWN (-1007)    /* no such actor, thread, port, group, segment or event */
#define K_ETIMEOUT (-1008)    /* the delay is over */
#define K_EFULL (-1009)       /* queue full */
#define K_EDEADSERVER (-1010) /* the server's actor died while it held the request */
#define K_EPORTDELETED (-1011)/* the port was deleted while it held the request */
#define K_EMIGRATED (-1012)   /* the port migrated without its queue while it held the request */
#define K_ETOOBIG (-1013)     /* body or annex larger than allowed, or than the receiver's buffer */
#define K_ENOSYS (-1014)      /* not provided by this nucleus version */
#define K_EEXIST (-1015)      /* name or range already taken */
#define K_ENOMSG (-1016)      /* no current message, or nothing to receive */
#define K_EUNREACHABLE (-1017)/* no member of the group can be reached */
#define K_EHOST (-1018)       /* the host refused; details in the log */
#define K_EDEADACTOR (-1019)  /* the actor's host process is gone */
#define K_ELINKFAILURE (-1020)/* the link to the site that had the request has failed: it may have been served */
#endif
