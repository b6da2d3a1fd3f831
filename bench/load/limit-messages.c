// The limit for messages: a lean single-thread epoll server that answers CyclePacket of the Throughput protocol (wire
// protocol, sections 2, 3 and 9): it decodes the text of every request, finds Command and Count wherever they stand, and
// echoes the data. It has no limits or deadlines; it marks what this kernel allows a correct server to reach.
//
// limit-messages      prints "listening on 127.0.0.1:PORT", serves until SIGTERM
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK_BYTES = 256 * 1024, MAX_PACKET_LENGTH = 10485760, ANSWER_HEAD_BYTES = 128 };

struct connection {
  int socket, has_flag, failed, is_waiting;
  uint8_t *held; // a request that has not come in full
  size_t held_length, held_capacity;
  uint8_t *left; // answers that the socket has not taken
  size_t left_from, left_to;
};

static int poller;
static uint8_t chunk[CHUNK_BYTES];
static uint8_t *out;
static size_t out_length, out_capacity;

static void die(const char *what) {
  fprintf(stderr, "limit-messages: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint32_t read_u32(const uint8_t *at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void write_u32(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> 8 * i);
}

static void reserve(size_t more) {
  if (out_length + more <= out_capacity) return;
  out_capacity = (out_length + more) * 2;
  if ((out = realloc(out, out_capacity)) == NULL) die("realloc");
}

/** Value of a key in text[0, length); its length in `value_length`; NULL when the key is missing. */
static const char *value_of(const char *text, size_t length, const char *key, size_t *value_length) {
  size_t key_length = strlen(key);
  const char *end = text + length;
  for (const char *line = text; line < end;) {
    const char *line_end = memchr(line, '\r', (size_t)(end - line));
    if (line_end == NULL) line_end = end;
    if ((size_t)(line_end - line) > key_length && line[key_length] == '=' && !strncasecmp(line, key, key_length)) {
      *value_length = (size_t)(line_end - line) - key_length - 1;
      return line + key_length + 1;
    }
    line = line_end + 2;
  }
  return NULL;
}

static void answer(struct connection *c, const uint8_t *packet) {
  uint32_t packet_length = read_u32(packet), text_length = read_u32(packet + 4);
  if (text_length > packet_length - 4) {
    c->failed = 1;
    return;
  }
  const char *text = (const char *)packet + 8;
  size_t command_length = 0, count_length = 0, data = packet_length - 4 - text_length;
  const char *command = value_of(text, text_length, "Command", &command_length);
  const char *count = value_of(text, text_length, "Count", &count_length);
  char digits[16] = "";
  if (command == NULL || count == NULL || command_length != 11 || strncasecmp(command, "CyclePacket", 11) != 0 ||
      count_length >= sizeof digits) {
    c->failed = 1;
    return;
  }
  memcpy(digits, count, count_length);
  reserve(ANSWER_HEAD_BYTES + data);
  uint8_t *at = out + out_length;
  int length = sprintf((char *)at + 8, "[Response]\r\nCommand=CyclePacket\r\nCode=0\r\nCount=%d",
                       (int)(uint32_t)(strtoll(digits, NULL, 10) + 1));
  write_u32(at, 4 + (uint32_t)length + (uint32_t)data);
  write_u32(at + 4, (uint32_t)length);
  memcpy(at + 8 + length, packet + 8 + text_length, data);
  out_length += 8 + (size_t)length + data;
}

/** Whole bytes of the packet at `at`; 0 while its length has not come. */
static size_t packet_bytes(struct connection *c, const uint8_t *at, size_t available) {
  if (available < 4) return 0;
  uint32_t length = read_u32(at);
  if (length < 4 || length > MAX_PACKET_LENGTH) c->failed = 1;
  return 4 + (size_t)length;
}

static void hold(struct connection *c, const uint8_t *from, size_t length) {
  if (c->held_length + length > c->held_capacity) {
    c->held_capacity = (c->held_length + length) * 2;
    if ((c->held = realloc(c->held, c->held_capacity)) == NULL) die("realloc");
  }
  memcpy(c->held + c->held_length, from, length);
  c->held_length += length;
}

static void handle(struct connection *c, const uint8_t *at, const uint8_t *end) {
  if (!c->has_flag && at < end) {
    if (*at++ != 5) c->failed = 1;
    c->has_flag = 1;
  }
  while (c->held_length > 0 && at < end && !c->failed) { // complete the one that was begun
    size_t whole = packet_bytes(c, c->held, c->held_length);
    size_t wanted = (whole == 0 ? 4 : whole) - c->held_length, rest = (size_t)(end - at);
    size_t taken = wanted < rest ? wanted : rest;
    hold(c, at, taken);
    at += taken;
    if (whole == 0 || c->held_length < whole || c->failed) continue;
    answer(c, c->held);
    c->held_length = 0;
  }
  while (at < end && !c->failed) {
    size_t whole = packet_bytes(c, at, (size_t)(end - at));
    if (whole == 0 || whole > (size_t)(end - at)) {
      hold(c, at, (size_t)(end - at));
      break;
    }
    answer(c, at);
    at += whole;
  }
}

static void wait_for(struct connection *c, uint32_t what) {
  struct epoll_event interest = {.events = what, .data.ptr = c};
  if (epoll_ctl(poller, EPOLL_CTL_MOD, c->socket, &interest) != 0) die("epoll_ctl");
}

/** Answers of one read leave in one write; what the socket does not take waits, and nothing is read meanwhile. */
static void send_answers(struct connection *c) {
  if (out_length == 0) return;
  ssize_t sent = write(c->socket, out, out_length);
  if (sent < 0 && errno != EAGAIN) c->failed = 1;
  if (c->failed) return;
  size_t taken = sent < 0 ? 0 : (size_t)sent;
  if (taken == out_length) return;
  c->left_from = 0;
  c->left_to = out_length - taken;
  if ((c->left = malloc(c->left_to)) == NULL) die("malloc");
  memcpy(c->left, out + taken, c->left_to);
  wait_for(c, EPOLLOUT);
}

static void on_writable(struct connection *c) {
  ssize_t sent = write(c->socket, c->left + c->left_from, c->left_to - c->left_from);
  if (sent < 0 && errno != EAGAIN) c->failed = 1;
  if (sent > 0) c->left_from += (size_t)sent;
  if (c->left_from < c->left_to) return;
  free(c->left);
  c->left = NULL;
  wait_for(c, EPOLLIN);
}

static void on_readable(struct connection *c) {
  ssize_t got = read(c->socket, chunk, CHUNK_BYTES);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    c->failed = 1;
    return;
  }
  out_length = 0;
  handle(c, chunk, chunk + got);
  if (!c->failed) send_answers(c);
}

static void accept_one(int listener) {
  int socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket < 0) return;
  int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct connection *c = calloc(1, sizeof *c);
  if (c == NULL) die("calloc");
  c->socket = socket;
  struct epoll_event interest = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, socket, &interest) != 0) die("epoll_ctl");
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t address_length = sizeof address;
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0) die("bind");
  if (listen(listener, 1024) != 0) die("listen");
  if (getsockname(listener, (struct sockaddr *)&address, &address_length) != 0) die("getsockname");
  printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);

  poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event interest = {.events = EPOLLIN, .data.ptr = NULL};
  if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &interest) != 0) die("epoll");
  for (;;) {
    struct epoll_event events[512];
    int ready = epoll_wait(poller, events, 512, -1);
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      if (c == NULL) {
        accept_one(listener);
        continue;
      }
      if (c->left != NULL) on_writable(c);
      else on_readable(c);
      if (!c->failed) continue;
      close(c->socket);
      free(c->held);
      free(c->left);
      free(c);
    }
  }
}
