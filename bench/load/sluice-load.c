// The load: uploads or downloads the same bytes over the Sluice protocol or plain HTTP, from one thread, over one or
// many connections, and checks every answer. Content is sent from and received into a mapped file whose pages are
// there before the clock starts, so that the client costs little more than the system calls for the socket.
//
// Prints "ready" when every connection is made and logged in, waits for a line on standard input if --gate is given,
// transfers, prints one line of JSON. Anything unexpected: one line on standard error, exit code 1.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { IN_BYTES = 4096, SPILL_BYTES = 256, OUT_BYTES = 1024, BATCH_BYTES = 256 * 1024, MAX_SPANS = 64 };
enum state { CONNECTING, LOGGING_IN, READY, ASKED, TRANSFERRING, AWAITING_END, DONE };

static const char data_text[] = "[Request]\r\nCommand=Data";
enum { DATA_TEXT_BYTES = sizeof data_text - 1, DATA_HEAD_BYTES = 8 + DATA_TEXT_BYTES };

struct connection {
  int socket, index, wants_out;
  enum state state;
  uint8_t *content;        // where this connection's bytes come from or go to
  uint64_t wire_position;  // upload: bytes of the packet stream the socket has taken
  uint64_t received;       // download: content bytes received
  uint64_t data_left;      // download: content bytes that must come before the next header
  int announced;           // download: SendFile was seen
  char in[IN_BYTES];
  size_t in_length;
  char out[OUT_BYTES];
  size_t out_length;
};

static struct {
  int is_put, is_http, gated, port, connections, deadline_seconds;
  uint64_t bytes, packet;
  const char *user, *digest, *directory, *name, *file, *out;
} options = {.connections = 1, .packet = 32 * 1024, .deadline_seconds = 120, .user = "", .digest = "",
             .directory = "", .name = "load.bin"};

static int poller, ready_count, done_count;
static uint8_t *discard; // downloads without --out end here
static uint8_t full_head[DATA_HEAD_BYTES], last_head[DATA_HEAD_BYTES];

static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "sluice-load: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  exit(1);
}

static uint32_t read_u32(const void *from) {
  const uint8_t *at = from;
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void write_u32(void *to, uint32_t value) {
  for (int i = 0; i < 4; i++) ((uint8_t *)to)[i] = (uint8_t)(value >> 8 * i);
}

static double seconds_of(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

static double now_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/** Queues text for the socket; with a packet header in front unless the peer speaks HTTP. */
static void queue(struct connection *c, const char *format, ...) {
  size_t head = options.is_http ? 0 : 8;
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(c->out + c->out_length + head, OUT_BYTES - c->out_length - head, format, arguments);
  va_end(arguments);
  if (length < 0 || c->out_length + head + (size_t)length >= OUT_BYTES) die("request too long");
  if (!options.is_http) {
    write_u32(c->out + c->out_length, (uint32_t)length + 4);
    write_u32(c->out + c->out_length + 4, (uint32_t)length);
  }
  c->out_length += head + (size_t)length;
}

static void name_of(const struct connection *c, char *name, size_t capacity) {
  if (options.connections == 1) snprintf(name, capacity, "%s", options.name);
  else snprintf(name, capacity, "%s-%d", options.name, c->index);
}

static uint64_t stream_bytes(void) {
  if (options.is_http) return options.bytes;
  uint64_t packets = (options.bytes + options.packet - 1) / options.packet;
  return options.bytes + packets * DATA_HEAD_BYTES;
}

static void ask(struct connection *c) {
  char name[256];
  name_of(c, name, sizeof name);
  c->state = ASKED;
  if (options.is_http && options.is_put) {
    queue(c, "PUT /%s/%s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %llu\r\n\r\n", options.directory, name,
          (unsigned long long)options.bytes);
    c->state = TRANSFERRING;
  } else if (options.is_http) {
    queue(c, "GET /%s/%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", options.directory, name);
  } else if (options.is_put) {
    queue(c, "[Request]\r\nCommand=Upload\r\nDirName=%s\r\nFileName=%s", options.directory, name);
  } else {
    queue(c, "[Request]\r\nCommand=Download\r\nDirName=%s\r\nFileName=%s\r\nFileSize=0\r\nPacketSize=%llu",
          options.directory, name, (unsigned long long)options.packet);
  }
}

static void become_ready(struct connection *c) {
  c->state = READY;
  ready_count++;
}

static void finish(struct connection *c) {
  c->state = DONE;
  done_count++;
  close(c->socket);
}

/** The next bytes of the packet stream as spans; where they start follows from how many were sent. */
static int gather(const struct connection *c, struct iovec *spans) {
  uint64_t position = c->wire_position, total = stream_bytes(), batch = 0;
  uint64_t head = options.is_http ? 0 : DATA_HEAD_BYTES;
  uint64_t payload = options.is_http ? options.bytes : options.packet;
  int count = 0;
  while (position < total && batch < BATCH_BYTES && count + 2 <= MAX_SPANS) {
    uint64_t packet = position / (head + payload), within = position % (head + payload);
    uint64_t from = packet * payload;
    uint64_t length = options.bytes - from < payload ? options.bytes - from : payload;
    if (within < head) {
      uint8_t *text = length == payload ? full_head : last_head;
      spans[count++] = (struct iovec){text + within, head - within};
      position += head - within;
      within = head;
    }
    uint64_t rest = length - (within - head);
    if (rest > BATCH_BYTES) rest = BATCH_BYTES;
    spans[count++] = (struct iovec){c->content + from + (within - head), rest};
    position += rest;
    batch += rest;
  }
  return count;
}

static void send_some(struct connection *c) {
  if (c->out_length > 0) {
    ssize_t sent = send(c->socket, c->out, c->out_length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) die("send on connection %d: %s", c->index, strerror(errno));
    if (sent <= 0) return;
    c->out_length -= (size_t)sent;
    memmove(c->out, c->out + sent, c->out_length);
    if (c->out_length > 0) return;
  }
  if (!options.is_put || c->state != TRANSFERRING) return;
  struct iovec spans[MAX_SPANS];
  struct msghdr message = {.msg_iov = spans, .msg_iovlen = (size_t)gather(c, spans)};
  if (message.msg_iovlen > 0) {
    ssize_t sent = sendmsg(c->socket, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) die("upload on connection %d: %s", c->index, strerror(errno));
    if (sent > 0) c->wire_position += (uint64_t)sent;
  }
  if (c->wire_position < stream_bytes()) return;
  c->state = AWAITING_END;
  if (!options.is_http) queue(c, "[Request]\r\nCommand=Eof\r\nFileSize=%llu", (unsigned long long)options.bytes);
}

static const char *value_of(const char *text, const char *key, char *value, size_t capacity) {
  char marker[64];
  snprintf(marker, sizeof marker, "\r\n%s", key);
  const char *at = strcasestr(text, marker);
  if (at == NULL) return NULL;
  at += strlen(marker);
  size_t length = strcspn(at, "\r\n");
  if (length >= capacity) length = capacity - 1;
  memcpy(value, at, length);
  value[length] = 0;
  return value;
}

static void expect_number(const struct connection *c, const char *text, const char *key, uint64_t expected) {
  char value[64];
  if (value_of(text, key, value, sizeof value) == NULL || strtoull(value, NULL, 10) != expected)
    die("connection %d: expected %s%llu in: %s", c->index, key, (unsigned long long)expected, text);
}

/** A complete packet's text; its data, if any, follows in the stream. */
static void on_packet(struct connection *c, const char *text, uint64_t data_length) {
  char command[32] = "";
  value_of(text, "Command=", command, sizeof command);
  expect_number(c, text, "Code=", 0);
  if (data_length > 0 && (!c->announced || strcmp(command, "Data"))) die("data in an answer that has none: %s", text);

  if (c->state == LOGGING_IN && !strcmp(command, "Login")) become_ready(c);
  else if (c->state == ASKED && options.is_put && !strcmp(command, "Upload")) {
    expect_number(c, text, "FileSize=", 0);
    c->state = TRANSFERRING;
  } else if (c->state == ASKED && !options.is_put && !strcmp(command, "Download")) c->state = TRANSFERRING;
  else if (c->state == TRANSFERRING && !options.is_put && !strcmp(command, "SendFile") && !c->announced) {
    expect_number(c, text, "FileSize=", options.bytes);
    c->announced = 1;
  } else if (c->state == TRANSFERRING && c->announced && !strcmp(command, "Data")) {
    if (c->received + data_length > options.bytes) die("connection %d: more data than announced", c->index);
    c->data_left = data_length;
  } else if (c->state == AWAITING_END && !strcmp(command, "Eof")) finish(c);
  else die("connection %d: unexpected answer: %s", c->index, text);
}

static void on_http_head(struct connection *c, const char *head) {
  int status = 0;
  if (sscanf(head, "HTTP/1.%*d %d", &status) != 1 || status < 200 || status > 299) die("answer: %s", head);
  if (options.is_put && c->state != AWAITING_END) die("answer before the upload was complete: %s", head);
  if (options.is_put) return finish(c);
  expect_number(c, head, "Content-Length: ", options.bytes);
  c->data_left = options.bytes;
  c->state = TRANSFERRING;
}

/** Takes heads and content out of what was received; an incomplete head stays. */
static void parse(struct connection *c) {
  size_t at = 0;
  for (;;) {
    size_t available = c->in_length - at;
    if (!options.is_put && c->received == options.bytes && (options.is_http ? c->state == TRANSFERRING : c->announced))
      finish(c);
    if (c->state == DONE) break;
    if (c->data_left > 0) {
      size_t length = available < c->data_left ? available : (size_t)c->data_left;
      if (length == 0) break;
      if (c->content != NULL) memcpy(c->content + c->received, c->in + at, length);
      c->received += length;
      c->data_left -= length;
      at += length;
    } else if (options.is_http) {
      char *end = memmem(c->in + at, available, "\r\n\r\n", 4);
      if (end == NULL) break;
      *end = 0;
      const char *text = c->in + at;
      at = (size_t)(end + 4 - c->in);
      on_http_head(c, text);
    } else {
      if (available < 8) break;
      uint32_t packet = read_u32(c->in + at), text_length = read_u32(c->in + at + 4);
      if (packet < 4 || text_length > packet - 4 || text_length > 1024) die("malformed packet header");
      if (available < 8 + (size_t)text_length) break;
      char text[1025];
      memcpy(text, c->in + at + 8, text_length);
      text[text_length] = 0;
      at += 8 + text_length;
      on_packet(c, text, packet - 4 - text_length);
    }
  }
  // An HTTP server may end its answer to PUT with an empty chunk; nothing else may follow.
  if (c->state == DONE && at < c->in_length && !(options.is_http && options.is_put))
    die("connection %d: bytes after the end", c->index);
  memmove(c->in, c->in + at, c->in_length - at);
  c->in_length -= at;
  if (c->in_length == IN_BYTES) die("answer too long");
}

static void receive_some(struct connection *c) {
  ssize_t got;
  size_t content = 0;
  if (c->data_left > 0) {
    content = c->data_left < BATCH_BYTES * 4 ? (size_t)c->data_left : BATCH_BYTES * 4;
    struct iovec spans[2] = {{c->content ? c->content + c->received : discard, content}, {c->in, SPILL_BYTES}};
    got = readv(c->socket, spans, 2);
  } else {
    // Little at a time, because content that comes along has to be copied.
    size_t room = IN_BYTES - c->in_length;
    got = recv(c->socket, c->in + c->in_length, room < SPILL_BYTES ? room : SPILL_BYTES, 0);
  }
  if (got < 0 && errno == EAGAIN) return;
  if (got < 0) die("receive on connection %d: %s", c->index, strerror(errno));
  if (got == 0) die("connection %d: closed by the server after %llu bytes", c->index, (unsigned long long)c->received);
  size_t direct = (size_t)got < content ? (size_t)got : content;
  c->received += direct;
  c->data_left -= direct;
  c->in_length += (size_t)got - direct;
  parse(c);
}

static void update_interest(struct connection *c) {
  int wants_out = c->state == CONNECTING || c->out_length > 0 || (options.is_put && c->state == TRANSFERRING);
  if (wants_out == c->wants_out) return;
  struct epoll_event interest = {.events = EPOLLIN | (wants_out ? EPOLLOUT : 0), .data.ptr = c};
  if (epoll_ctl(poller, EPOLL_CTL_MOD, c->socket, &interest) != 0) die("epoll_ctl: %s", strerror(errno));
  c->wants_out = wants_out;
}

static void on_connected(struct connection *c) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(c->socket, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) die("connect: %s", strerror(error));
  if (options.is_http) return become_ready(c);
  c->out[0] = options.is_put ? 2 : 3; // the flag byte picks the protocol
  c->out_length = 1;
  queue(c, "[Request]\r\nCommand=Login\r\nUserName=%s\r\nPassword=%s", options.user, options.digest);
  c->state = LOGGING_IN;
}

static void run_until(const int *counter) {
  while (*counter < options.connections) {
    struct epoll_event events[256];
    int count = epoll_wait(poller, events, 256, -1);
    for (int i = 0; i < count; i++) {
      struct connection *c = events[i].data.ptr;
      if (c->state == CONNECTING) on_connected(c);
      else if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive_some(c);
      if (c->state != DONE) send_some(c);
      if (c->state != DONE) update_interest(c);
    }
  }
}

static void connect_one(struct connection *c) {
  int on = 1;
  c->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->socket < 0) die("socket: %s", strerror(errno));
  setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (connect(c->socket, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)
    die("connect: %s", strerror(errno));
  c->wants_out = 1;
  struct epoll_event interest = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, c->socket, &interest) != 0) die("epoll_ctl: %s", strerror(errno));
}

/** The content of all connections, one behind the other: a mapped file, generated bytes, or NULL to discard. */
static uint8_t *map_content(void) {
  uint64_t total = options.bytes * (uint64_t)options.connections;
  const char *path = options.is_put ? options.file : options.out;
  if (path == NULL && !options.is_put) {
    discard = malloc(BATCH_BYTES * 4);
    return NULL;
  }
  if (path == NULL) {
    uint64_t *words = mmap(NULL, total + 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (words == MAP_FAILED) die("mmap: %s", strerror(errno));
    uint64_t state = 88172645463325252ull; // xorshift: content that neither compresses nor repeats
    for (uint64_t i = 0; i <= total / 8; i++) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      words[i] = state;
    }
    return (uint8_t *)words;
  }
  int file = open(path, options.is_put ? O_RDONLY : O_RDWR | O_CREAT | O_TRUNC, 0644);
  struct stat facts;
  if (file < 0 || (!options.is_put && ftruncate(file, (off_t)total) != 0) || fstat(file, &facts) != 0)
    die("%s: %s", path, strerror(errno));
  if ((uint64_t)facts.st_size < total) die("%s is shorter than %llu bytes", path, (unsigned long long)total);
  if (total == 0) return malloc(1);
  int protection = options.is_put ? PROT_READ : PROT_READ | PROT_WRITE;
  void *mapped = mmap(NULL, total, protection, MAP_SHARED | MAP_POPULATE, file, 0);
  if (mapped == MAP_FAILED) die("mmap %s: %s", path, strerror(errno));
  close(file);
  return mapped;
}

static void on_deadline(int signal_number) {
  (void)signal_number;
  static const char message[] = "sluice-load: deadline passed\n";
  if (write(2, message, sizeof message - 1) < 0) _exit(1);
  _exit(1);
}

static void read_options(int count, char **arguments) {
  for (int i = 1; i < count; i++) {
    const char *key = arguments[i];
    if (!strcmp(key, "put")) options.is_put = 1;
    else if (!strcmp(key, "get")) options.is_put = 0;
    else if (!strcmp(key, "--http")) options.is_http = 1;
    else if (!strcmp(key, "--gate")) options.gated = 1;
    else if (i + 1 == count) die("no value for %s", key);
    else {
      const char *value = arguments[++i];
      if (!strcmp(key, "--port")) options.port = atoi(value);
      else if (!strcmp(key, "--user")) options.user = value;
      else if (!strcmp(key, "--digest")) options.digest = value;
      else if (!strcmp(key, "--dir")) options.directory = value;
      else if (!strcmp(key, "--name")) options.name = value;
      else if (!strcmp(key, "--file")) options.file = value;
      else if (!strcmp(key, "--out")) options.out = value;
      else if (!strcmp(key, "--bytes")) options.bytes = strtoull(value, NULL, 10);
      else if (!strcmp(key, "--packet")) options.packet = strtoull(value, NULL, 10);
      else if (!strcmp(key, "--connections")) options.connections = atoi(value);
      else if (!strcmp(key, "--deadline-seconds")) options.deadline_seconds = atoi(value);
      else die("unknown option %s", key);
    }
  }
  if (options.port < 1 || options.connections < 1 || options.packet < 1)
    die("usage: sluice-load put|get --port P --bytes N [--http] [--user U --digest MD5] [--dir D] [--name F] "
        "[--file F | --out F] [--packet N] [--connections N] [--deadline-seconds N] [--gate]");
}

int main(int count, char **arguments) {
  read_options(count, arguments);
  signal(SIGALRM, on_deadline);
  alarm((unsigned)options.deadline_seconds);
  uint32_t last = (uint32_t)(options.bytes % options.packet);
  write_u32(full_head, 4 + DATA_TEXT_BYTES + (uint32_t)options.packet);
  write_u32(last_head, 4 + DATA_TEXT_BYTES + last);
  for (int i = 0; i < 2; i++) {
    uint8_t *head = i == 0 ? full_head : last_head;
    write_u32(head + 4, DATA_TEXT_BYTES);
    memcpy(head + 8, data_text, DATA_TEXT_BYTES);
  }
  uint8_t *content = map_content();
  struct connection *connections = calloc((size_t)options.connections, sizeof *connections);
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (connections == NULL || poller < 0) die("start: %s", strerror(errno));

  double setup_start = now_seconds();
  for (int i = 0; i < options.connections; i++) {
    connections[i].index = i;
    connections[i].content = content ? content + options.bytes * (uint64_t)i : NULL;
    connect_one(&connections[i]);
  }
  run_until(&ready_count);
  double setup_seconds = now_seconds() - setup_start;
  printf("ready\n");
  fflush(stdout);
  if (options.gated && getchar() == EOF) die("standard input ended before the transfer");

  double start = now_seconds(), cpu_start = cpu_seconds();
  for (int i = 0; i < options.connections; i++) {
    ask(&connections[i]);
    send_some(&connections[i]);
    update_interest(&connections[i]);
  }
  run_until(&done_count);
  printf("{\"bytes\":%llu,\"seconds\":%.6f,\"cpuSeconds\":%.6f,\"setupSeconds\":%.6f}\n",
         (unsigned long long)(options.bytes * (uint64_t)options.connections), now_seconds() - start,
         cpu_seconds() - cpu_start, setup_seconds);
  return 0;
}
