/* A TCP echo server on epoll, level-triggered, one thread, with known flaws:
 *
 *     flawed_echo PORT SPIN_NS [EVERY SLEEP_NS [PERIOD_NS STALL_NS]]
 *
 * Before each reply it burns SPIN_NS nanoseconds of CPU time; it sleeps SLEEP_NS in every EVERYth request; and once in PERIOD_NS it
 * stands still for STALL_NS. It shows whether a measurement finds what is known to be there. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void die(const char *call)
{
    perror(call);
    exit(1);
}

static long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void pause_ns(long long ns)
{
    struct timespec time = {.tv_sec = ns / 1000000000LL, .tv_nsec = ns % 1000000000LL};
    nanosleep(&time, NULL);
}

static long long spin_ns, every, sleep_ns, period_ns, stall_ns, next_stall_ns, requests;

static void be_flawed(void)
{
    if (every && ++requests % every == 0)
        pause_ns(sleep_ns);
    long long now = now_ns();
    if (period_ns && now >= next_stall_ns) {
        next_stall_ns = now + period_ns;
        pause_ns(stall_ns);
    }
    for (long long end = now_ns() + spin_ns; spin_ns && now_ns() < end;)
        ;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

static void take_in(int epoll, int listener)
{
    int one = 1, fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(epoll, fd);
    }
}

/* What the peer has no room for would be lost: then the connection is ended, which a benchmark sees. */
static void echo(int fd)
{
    static char buffer[65536];
    ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0)
        be_flawed();
    if (got <= 0 || send(fd, buffer, got, MSG_NOSIGNAL) != got)
        close(fd);
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 5 && argc != 7) {
        fprintf(stderr, "usage: %s PORT SPIN_NS [EVERY SLEEP_NS [PERIOD_NS STALL_NS]]\n", argv[0]);
        return 2;
    }
    long long *numbers[] = {&spin_ns, &every, &sleep_ns, &period_ns, &stall_ns};
    for (int at = 2; at < argc; at++)
        *numbers[at - 2] = atoll(argv[at]);
    next_stall_ns = now_ns() + period_ns;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0)
        die("listen");
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener);
    for (;;) {
        struct epoll_event events[256];
        int ready = epoll_wait(epoll, events, 256, -1);
        if (ready < 0 && errno != EINTR)
            die("epoll_wait");
        for (int at = 0; at < ready; at++) {
            if (events[at].data.fd == listener)
                take_in(epoll, listener);
            else
                echo(events[at].data.fd);
        }
    }
}
