// The load of messages: CyclePacket (wire protocol, section 9) over one or many connections from one thread. Every byte
// of every answer is compared with what it has to be.
//
// Opens the connections, a bounded number at a time, and lets each exchange one message; prints "ready", waits for a line
// on standard input if --gate is given, exchanges --messages, then prints one line of JSON. Anything unexpected: one line on
// standard error, exit code 1.
//
// --under-way N keeps N messages on their way over all connections, and every connection has its turn; without it each
// connection has --depth of them on its way.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IN_BYTES = 1 << 20, OPENING = 128, SUB_BUCKETS = 64, BUCKETS = 64 * SUB_BUCKETS, COUNT_TEXT_LIMIT = 128 };

struct connection {
  int socket, is_open, wants_out;
  uint64_t owed;      // bytes of requests that the socket has not taken
  uint64_t sent_at;   // where in the stream of equal requests the next byte lies
  uint64_t answer_at; // how much of the current answer has come
  uint64_t asked_ns;
  struct connection *next_idle;
};

static struct {
  int gated, port, connections, depth, under_way, sources, deadline_seconds;
  uint64_t data, messages;
} options = {.connections = 1, .depth = 1, .sources = 1, .deadline_seconds = 120};

static int poller, opened, begun;
static struct connection *connections, *idle_first, *idle_last;
static uint8_t *requests, *answer, *in;
static size_t request_bytes, answer_bytes, requests_bytes;
static uint64_t left_to_ask, left_to_answer;
static uint32_t latency[BUCKETS];

static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "message-load: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  exit(1);
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/** Buckets whose width is a 64th of their value, so that a percentile is right to 1.6 %. */
static int bucket_of(uint64_t ns) {
  if (ns < SUB_BUCKETS) return (int)ns;
  int shift = 63 - __builtin_clzll(ns) - 6;
  return (shift + 1) * SUB_BUCKETS + (int)((ns >> shift) - SUB_BUCKETS);
}

static double bucket_us(int bucket) {
  if (bucket < SUB_BUCKETS) return bucket / 1e3;
  int shift = bucket / SUB_BUCKETS - 1;
  return (double)(((uint64_t)(bucket % SUB_BUCKETS) + SUB_BUCKETS) << shift) / 1e3;
}

static double percentile_us(double part) {
  uint64_t total = 0, seen = 0;
  for (int i = 0; i < BUCKETS; i++) total += latency[i];
  for (int i = 0; i < BUCKETS; i++) {
    seen += latency[i];
    if (seen > 0 && (double)seen >= part * (double)total) return bucket_us(i);
  }
  return 0;
}

static size_t write_message(uint8_t *to, const char *text) {
  uint32_t text_length = (uint32_t)strlen(text), packet = 4 + text_length + (uint32_t)options.data;
  memcpy(to, &packet, 4); // both are little-endian, as every machine this is run on
  memcpy(to + 4, &text_length, 4);
  memcpy(to + 8, text, text_length);
  memset(to + 8 + text_length, 1, options.data); // what the original's client fills its buffers with
  return 8 + text_length + options.data;
}

static void make_messages(void) {
  size_t capacity = 8 + COUNT_TEXT_LIMIT + options.data;
  int copies = (options.depth > 1 ? options.depth : 1) + 1;
  requests = malloc(capacity * (size_t)copies);
  answer = malloc(capacity);
  in = malloc(IN_BYTES);
  if (requests == NULL || answer == NULL || in == NULL) die("no memory");
  answer_bytes = write_message(answer, "[Response]\r\nCommand=CyclePacket\r\nCode=0\r\nCount=2");
  request_bytes = write_message(requests, "[Request]\r\nCommand=CyclePacket\r\nCount=1");
  for (int i = 1; i < copies; i++) memcpy(requests + (size_t)i * request_bytes, requests, request_bytes);
  requests_bytes = request_bytes * (size_t)copies;
}

static void set_interest(struct connection *c, int wants_out) {
  if (c->wants_out == wants_out) return;
  struct epoll_event interest = {.events = EPOLLIN | (wants_out ? EPOLLOUT : 0), .data.ptr = c};
  if (epoll_ctl(poller, EPOLL_CTL_MOD, c->socket, &interest) != 0) die("epoll_ctl: %s", strerror(errno));
  c->wants_out = wants_out;
}

static void send_owed(struct connection *c) {
  while (c->owed > 0) {
    size_t from = c->sent_at % request_bytes, room = requests_bytes - from;
    ssize_t sent = send(c->socket, requests + from, c->owed < room ? c->owed : room, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) break;
    if (sent < 0) die("send: %s", strerror(errno));
    c->owed -= (uint64_t)sent;
    c->sent_at += (uint64_t)sent;
  }
  set_interest(c, c->owed > 0);
}

static void ask(struct connection *c, uint64_t count) {
  c->asked_ns = now_ns();
  c->owed += count * request_bytes;
  send_owed(c);
}

static void become_idle(struct connection *c) {
  c->next_idle = NULL;
  if (idle_first == NULL) idle_first = c;
  else idle_last->next_idle = c;
  idle_last = c;
}

/** The connection that has waited longest asks next. */
static void ask_next(void) {
  if (left_to_ask == 0 || idle_first == NULL) return;
  struct connection *c = idle_first;
  idle_first = c->next_idle;
  left_to_ask--;
  ask(c, 1);
}

static void on_answers(struct connection *c, uint64_t count) {
  if (left_to_answer < count) die("more answers than requests");
  if (!c->is_open) {
    c->is_open = 1;
    opened++;
    left_to_answer -= count;
    return;
  }
  left_to_answer -= count;
  if (options.depth == 1 || options.under_way > 0) latency[bucket_of(now_ns() - c->asked_ns)]++;
  if (options.under_way > 0) {
    become_idle(c);
    ask_next();
    return;
  }
  uint64_t again = left_to_ask < count ? left_to_ask : count;
  left_to_ask -= again;
  if (again > 0) ask(c, again);
}

static void receive_some(struct connection *c) {
  ssize_t got = recv(c->socket, in, IN_BYTES, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got < 0) die("receive: %s", strerror(errno));
  if (got == 0) die("a connection was closed by the server");
  uint64_t complete = 0;
  for (size_t at = 0; at < (size_t)got;) {
    size_t length = answer_bytes - c->answer_at;
    if (length > (size_t)got - at) length = (size_t)got - at;
    if (memcmp(in + at, answer + c->answer_at, length) != 0) die("an answer is not as expected");
    at += length;
    c->answer_at += length;
    if (c->answer_at == answer_bytes) {
      c->answer_at = 0;
      complete++;
    }
  }
  if (complete > 0) on_answers(c, complete);
}

static void open_next(void) {
  struct connection *c = &connections[begun];
  int on = 1;
  c->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->socket < 0) die("socket: %s", strerror(errno));
  setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in from = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(begun % options.sources))};
  // A port is only taken from those that are free towards the server, not from those free on this machine.
  setsockopt(c->socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (bind(c->socket, (struct sockaddr *)&from, sizeof from) != 0) die("bind: %s", strerror(errno));
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (connect(c->socket, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)
    die("connect: %s", strerror(errno));
  c->wants_out = 1;
  struct epoll_event interest = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, c->socket, &interest) != 0) die("epoll_ctl: %s", strerror(errno));
  begun++;
}

static void on_connected(struct connection *c) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(c->socket, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) die("connect: %s", strerror(error));
  static const uint8_t flag = 5; // Throughput
  if (send(c->socket, &flag, 1, MSG_NOSIGNAL | MSG_MORE) != 1) die("send: %s", strerror(errno));
  ask(c, 1);
}

static void turn(void) {
  struct epoll_event events[512];
  int count = epoll_wait(poller, events, 512, -1);
  for (int i = 0; i < count; i++) {
    struct connection *c = events[i].data.ptr;
    if (!c->is_open && c->sent_at == 0 && c->owed == 0) on_connected(c);
    else {
      if (events[i].events & EPOLLOUT) send_owed(c);
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive_some(c);
    }
  }
}

static void on_deadline(int signal_number) {
  (void)signal_number;
  static const char message[] = "message-load: deadline passed\n";
  if (write(2, message, sizeof message - 1) < 0) _exit(1);
  _exit(1);
}

static void read_options(int count, char **arguments) {
  for (int i = 1; i < count; i++) {
    const char *key = arguments[i];
    if (!strcmp(key, "--gate")) {
      options.gated = 1;
      continue;
    }
    if (i + 1 == count) die("no value for %s", key);
    const char *value = arguments[++i];
    if (!strcmp(key, "--port")) options.port = atoi(value);
    else if (!strcmp(key, "--connections")) options.connections = atoi(value);
    else if (!strcmp(key, "--depth")) options.depth = atoi(value);
    else if (!strcmp(key, "--under-way")) options.under_way = atoi(value);
    else if (!strcmp(key, "--sources")) options.sources = atoi(value);
    else if (!strcmp(key, "--data")) options.data = strtoull(value, NULL, 10);
    else if (!strcmp(key, "--messages")) options.messages = strtoull(value, NULL, 10);
    else if (!strcmp(key, "--deadline-seconds")) options.deadline_seconds = atoi(value);
    else die("unknown option %s", key);
  }
  if (options.port < 1 || options.connections < 1 || options.depth < 1 || options.sources < 1 || options.data < 1)
    die("usage: message-load --port P --data BYTES --messages N [--connections N] [--depth N | --under-way N] "
        "[--sources N] [--deadline-seconds N] [--gate]");
}

int main(int count, char **arguments) {
  read_options(count, arguments);
  signal(SIGALRM, on_deadline);
  alarm((unsigned)options.deadline_seconds);
  make_messages();
  connections = calloc((size_t)options.connections, sizeof *connections);
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (connections == NULL || poller < 0) die("start: %s", strerror(errno));

  uint64_t setup_start = now_ns();
  left_to_answer = (uint64_t)options.connections;
  while (opened < options.connections) {
    while (begun < options.connections && begun - opened < OPENING) open_next();
    turn();
  }
  double setup_seconds = (double)(now_ns() - setup_start) / 1e9, setup_cpu_seconds = cpu_seconds();
  printf("ready\n");
  fflush(stdout);
  if (options.gated && getchar() == EOF) die("standard input ended before the messages");

  uint64_t start = now_ns();
  double cpu_start = cpu_seconds();
  left_to_ask = left_to_answer = options.messages;
  if (options.under_way > 0) {
    for (int i = 0; i < options.connections; i++) become_idle(&connections[i]);
    for (int i = 0; i < options.under_way; i++) ask_next();
  } else {
    for (int i = 0; i < options.connections; i++) {
      uint64_t first = left_to_ask < (uint64_t)options.depth ? left_to_ask : (uint64_t)options.depth;
      left_to_ask -= first;
      if (first > 0) ask(&connections[i], first);
    }
  }
  while (left_to_answer > 0) turn();
  double seconds = (double)(now_ns() - start) / 1e9;
  printf("{\"messages\":%llu,\"seconds\":%.6f,\"cpuSeconds\":%.6f,\"setupSeconds\":%.6f,"
         "\"setupCpuSeconds\":%.6f,\"p50Us\":%.1f,\"p99Us\":%.1f}\n",
         (unsigned long long)options.messages, seconds, cpu_seconds() - cpu_start, setup_seconds, setup_cpu_seconds,
         percentile_us(0.5), percentile_us(0.99));
  return 0;
}
