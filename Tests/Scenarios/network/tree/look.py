import os
import socket
import subprocess

TABLES = ("dev", "if_inet6", "ipv6_route", "netlink", "netstat", "packet", "protocols", "raw", "raw6", "route", "snmp",
          "sockstat", "sockstat6", "tcp", "tcp6", "udp", "udp6", "unix")


def show(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    print("==", *command, done.returncode, done.stderr.strip())
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    for line in sorted(lines) if command[0] in ("ss", "netstat") else lines:  # these two ask for sockets, whose order is nobody's
        print(line)


def table(name, columns, only=""):
    """Without addresses of the kernel's and inodes."""
    print("--", name)
    rows = [line.split() for line in open(f"/proc/net/{name}").read().splitlines() if only in line]
    for row in sorted([word for index, word in enumerate(row) if index in columns] for row in rows):
        print(*row)


def sock(family, kind, address, backlog=None):
    made = socket.socket(family, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(address)
    if backlog is not None:
        made.listen(backlog)
    return made


print([name for name in TABLES if not os.path.exists(f"/proc/net/{name}")], os.readlink("/proc/net"),
      os.path.samefile("/proc/net/tcp", f"/proc/{os.getpid()}/net/tcp"))
server = sock(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 7001), 5)
server6 = sock(socket.AF_INET6, socket.SOCK_STREAM, ("::1", 7002), 6)
both = sock(socket.AF_INET6, socket.SOCK_STREAM, ("::", 7005), 7)
datagrams = sock(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 7003))
datagrams6 = sock(socket.AF_INET6, socket.SOCK_DGRAM, ("::", 7006))
abstract = sock(socket.AF_UNIX, socket.SOCK_STREAM, "\0chorus-test", 3)
named = sock(socket.AF_UNIX, socket.SOCK_DGRAM, "chorus-name")
client = sock(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 7004))
client.connect(("127.0.0.1", 7001))
connection, _ = server.accept()
client.sendall(b"seven..")
waiting = socket.create_connection(("127.0.0.1", 7001), source_address=("127.0.0.1", 7007))
for name in ("tcp", "tcp6", "udp", "udp6"):
    table(name, (1, 2, 3, 4, 7))
table("unix", (2, 3, 4, 5, 7), only="chorus-")
table("if_inet6", range(6))
for command in (("ss", "-tlnH"), ("ss", "-uanH"), ("ss", "-tnH", "state", "established"), ("netstat", "-tln"),
                ("netstat", "-uln"), ("ip", "addr"), ("ip", "link"), ("ip", "route"), ("ip", "route", "show", "table", "local"),
                ("ip", "-6", "route"), ("ip", "route", "get", "127.0.0.1")):
    show(*command)
print("ss -xl", sorted(line.split()[1:5] for line in subprocess.run(["ss", "-xlH"], capture_output=True, text=True).stdout.splitlines()
                       if "chorus-" in line))
for name in ("net/core/somaxconn", "net/ipv4/ip_local_port_range", "net/ipv6/bindv6only"):
    print(name, open("/proc/sys/" + name).read().split())
server.close()
table("tcp", (1, 2, 3), only="1B59 00000000:0000")
try:
    open("/proc/net/nothing")
except OSError as error:
    print(error.strerror)
