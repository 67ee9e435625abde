/* mixSocket.h: protocol of the Socket Manager (group stamp K_STAMP_SOCKET). Sockets are objects: OBJ_CLOSE, OBJ_WATCH,
 * OBJ_IOCTL and OBJ_STAT of mix/mixObject.h work on them. What is here is beyond that, in the same request and reply structs. Addresses are
 * Linux' sockaddr structs. Requests never block: what must wait gives -EAGAIN, and the client arms OBJ_WATCH and asks again.
 * cred is that of the caller: SO_PEERCRED and SCM_CREDENTIALS tell others of it. */
#ifndef MIX_SOCKET_H
#define MIX_SOCKET_H
#include <stdint.h>

/* op                       in                                                       out */
#define SOCK_CREATE 500u   /* arg[0] = domain, arg[1] = type without flags, arg[2] = protocol     key, ino */
#define SOCK_PAIR 501u     /* the same                                               key, ino; value[0..1] = MixKey, value[2] = ino of the other */
#define SOCK_BIND 502u     /* key, body = address, MixSocketFile in arg              body: the address in force */
#define SOCK_CONNECT 503u  /* key, body = address, MixSocketFile in arg: 0, or -EINPROGRESS (watch POLLOUT, then SO_ERROR tells), or
                              -EAGAIN (a backlog is full: watch POLLOUT, ask again). flags SOCK_NOWAIT: as O_NONBLOCK */
#define SOCK_LISTEN 504u   /* key, arg[0] = backlog */
#define SOCK_ACCEPT 505u   /* key                                                    key, ino of the new one; body = its peer's address */
#define SOCK_NAME 506u     /* key, arg[0]: 0 its own, 1 its peer's                   body = address */
#define SOCK_SETOPT 507u   /* key, arg[0] = level, arg[1] = name, body = value */
#define SOCK_GETOPT 508u   /* key, arg[0] = level, arg[1] = name, size = room        body = value */
#define SOCK_SHUTDOWN 509u /* key, arg[0] = SHUT_* */

/* Data. A body is an address, then tokens of descriptors, then data: MixSocketParts says how much of each. */
#define SOCK_SEND 510u     /* key, flags MSG_*, arg[0] = MixSocketParts, arg[1] = dev, arg[2] = ino of the node that the address names,
                              arg[3] = SOCK_CREDENTIALS: cred goes along as SCM_CREDENTIALS: diag = bytes taken; -EPIPE: SIGPIPE
                              unless MSG_NOSIGNAL */
#define SOCK_RECV 511u     /* key, flags MSG_*, size = room for data: diag = bytes (with MSG_TRUNC those of the whole datagram);
                              value[0] = MixSocketParts, value[1] = MSG_* to tell, value[2] = pid | uid << 32, value[3] = gid |
                              SOCK_CREDENTIALS << 32 where credentials came */
#define SOCK_NOWAIT 0x40u  /* MSG_DONTWAIT */
#define SOCK_CREDENTIALS 1u

/* MixSocketParts: bytes of address | tokens << 16 | bytes of control records << 32. Control records (struct cmsghdr, as recvmsg(2)
 * puts them, without SCM_RIGHTS and SCM_CREDENTIALS) stand between tokens and data. */
#define SOCK_PARTS(address, tokens, control) ((uint64_t)(address) | (uint64_t)(tokens) << 16 | (uint64_t)(control) << 32)
#define SOCK_RIGHTS_MAX 253u    /* SCM_MAX_FD of Linux */
#define SOCK_DATA_MAX (512u * 1024u) /* data of one request, so that a body holds the rest too */

/* The node of a path name of AF_UNIX, which the client makes (bind) or finds (connect, send): arg[1] = its dev, arg[2] = its ino.
 * Zeros for abstract names and other families. */

/* Descriptors in messages (SCM_RIGHTS). A token stands for one descriptor that its client keeps open: MixSocketRight. With MSG_PEEK
 * a token comes out and stays in too. */
typedef struct MixSocketRight {
    uint64_t token;             /* the client's own */
    uint64_t socket;            /* MixKey.object where it is a socket of this server, else 0 */
} MixSocketRight;

/* Sent to the group that sends rights (K_STAMP_PROCESS), body = uint64_t tokens: nobody will receive them any more. */
#define PROC_RIGHTS_DROP 520u
/* Which of these sockets, whose descriptors are all in messages, can nobody receive? body = uint64_t MixKey.object; out: the subset, diag =
 * bytes. With flags SOCK_PURGE: throw away what waits in them. (Descriptors in messages may form cycles: unix(7).) */
#define SOCK_COLLECT 512u
#define SOCK_PURGE 1u
#endif
