/* The C floor: what fan-out over WebSocket costs when a server does nothing else. Usage: floor PORT

One thread, epoll, level-triggered. Each text frame is parsed, unmasked and framed once, then sent with one `send`
to each connection of its circle, the sender's too; what a socket does not take is queued. No limits, no checks of
UTF-8, no fragments: a client that sends anything but whole masked frames is cut off. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bytes.h"
#include "handshake.h"

enum { TEXT = 0x81, CLOSE = 0x88, PING = 0x89, PONG = 0x8a };
enum { PAIRS = 65536, EVENTS = 256, READ = 256 * 1024, HEAD = 8192, LARGEST = 1024 * 1024 };

typedef struct Connection Connection;
typedef struct { Connection **members; int count, room; } Circle; /* who gets each other's messages */

struct Connection {
    int fd, dead; /* dead: to be ended when epoll names it next */
    Circle *circle; /* NULL before the handshake */
    Bytes in, out;
};

static Circle circles[1 + PAIRS]; /* the group, then the pairs */
static unsigned char received[READ];
static int poller;

static void cut(Connection *c)
{
    c->dead = 1;
    shutdown(c->fd, SHUT_RDWR);
}

static void watch(Connection *c, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(poller, how, c->fd, &event);
}

/* How much the socket took. */
static size_t sent(Connection *c, const unsigned char *data, size_t size)
{
    ssize_t taken = send(c->fd, data, size, MSG_NOSIGNAL);
    if (taken >= 0)
        return taken;
    if (errno != EAGAIN && errno != EINTR)
        cut(c);
    return 0;
}

static void deliver(Connection *c, const unsigned char *frame, size_t size)
{
    int queued = c->out.at < c->out.end;
    size_t taken = queued || c->dead ? 0 : sent(c, frame, size);
    if (taken == size || c->dead)
        return;
    put(&c->out, frame + taken, size - taken);
    if (!queued)
        watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

static void drain(Connection *c)
{
    c->out.at += sent(c, c->out.data + c->out.at, c->out.end - c->out.at);
    if (c->out.at == c->out.end)
        watch(c, EPOLL_CTL_MOD, EPOLLIN);
}

/* A whole frame: unmasked in its place, where the answering head, 4 bytes shorter, has room before it. */
static void came(Connection *c, unsigned char *frame, size_t head, size_t size)
{
    unsigned char mask[4], opcode = frame[0], *payload = frame + head + 4;
    memcpy(mask, frame + head, 4);
    for (size_t i = 0; i < size; i++)
        payload[i] ^= mask[i & 3];
    memmove(frame + 4, frame, head);
    frame += 4;
    frame[0] = opcode == PING ? PONG : opcode;
    frame[1] &= 127;
    if (opcode == TEXT)
        for (int i = 0; i < c->circle->count; i++)
            deliver(c->circle->members[i], frame, head + size);
    else if (opcode == PING || opcode == CLOSE)
        deliver(c, frame, head + size);
    if (opcode != TEXT && opcode != PING && opcode != PONG)
        cut(c);
}

/* How many of the bytes were whole frames. */
static size_t frames(Connection *c, unsigned char *data, size_t left)
{
    unsigned char *at = data;
    while (!c->dead && left >= 6) {
        size_t size = at[1] & 127, head = size == 126 ? 4 : size == 127 ? 10 : 2;
        if (left < head + 4)
            break;
        if (head > 2)
            for (size_t i = 2, n = size = 0; i < head; i++, n++)
                size = size << 8 | at[i];
        if (!(at[1] & 128) || size > LARGEST)
            cut(c);
        if (c->dead || left < head + 4 + size)
            break;
        came(c, at, head, size);
        at += head + 4 + size, left -= head + 4 + size;
    }
    return at - data;
}

static void join(Connection *c, Circle *circle)
{
    if (circle->count == circle->room)
        circle->members = grown(circle->members, (circle->room = 2 * circle->room + 2) * sizeof c);
    circle->members[circle->count++] = c;
    c->circle = circle;
}

static Circle *circle_at(const char *request)
{
    unsigned number;
    if (!strncmp(request, "GET /group ", 11))
        return circles;
    return sscanf(request, "GET /pair/%u ", &number) == 1 && number < PAIRS ? circles + 1 + number : NULL;
}

/* How many of the bytes were a handshake. */
static size_t upgrade(Connection *c, const unsigned char *data, size_t size)
{
    char text[HEAD], answer[256];
    const unsigned char *end = memmem(data, size, "\r\n\r\n", 4);
    size_t length = end ? end + 4 - data : 0;
    if (size >= HEAD && (!end || length >= HEAD))
        cut(c);
    if (!end || c->dead)
        return 0;
    memcpy(text, data, length);
    text[length] = 0;
    Circle *circle = circle_at(text);
    size_t answered = answer_to(text, answer, sizeof answer);
    if (!circle || !answered) {
        cut(c);
        return 0;
    }
    deliver(c, (unsigned char *)answer, answered);
    join(c, circle);
    return length;
}

static size_t understood(Connection *c, unsigned char *data, size_t size)
{
    size_t head = c->circle ? 0 : upgrade(c, data, size);
    return c->circle ? head + frames(c, data + head, size - head) : head;
}

static void readable(Connection *c)
{
    ssize_t got = recv(c->fd, received, sizeof received, 0);
    if (got <= 0) {
        c->dead |= got == 0 || (errno != EAGAIN && errno != EINTR);
    } else if (c->in.at == c->in.end) {
        size_t used = understood(c, received, got);
        put(&c->in, received + used, got - used);
    } else {
        put(&c->in, received, got);
        c->in.at += understood(c, c->in.data + c->in.at, c->in.end - c->in.at);
    }
}

static void end(Connection *c)
{
    Circle *circle = c->circle;
    for (int i = 0; circle && i < circle->count; i++)
        if (circle->members[i] == c)
            circle->members[i--] = circle->members[--circle->count];
    close(c->fd);
    free(c->in.data);
    free(c->out.data);
    free(c);
}

static void accepted(int listener)
{
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        Connection *c = memset(grown(NULL, sizeof *c), 0, sizeof *c);
        c->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(c, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static int listening(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096) ? -1 : fd;
}

int main(int count, char **arguments)
{
    struct rlimit files;
    struct epoll_event events[EVENTS], any = {.events = EPOLLIN};
    int listener = count > 1 ? listening(atoi(arguments[1])) : -1;
    if (listener < 0)
        return 1;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    poller = epoll_create1(0);
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &any); /* no connection: the listener */
    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            Connection *c = events[i].data.ptr;
            if (!c) {
                accepted(listener);
                continue;
            }
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !c->dead)
                readable(c);
            if (events[i].events & EPOLLOUT && !c->dead)
                drain(c);
            if (c->dead)
                end(c);
        }
    }
}
