// The limit: a lean single-thread epoll server that answers just enough of the Upload and Download protocols
// (wire protocol, sections 2, 4.2, 4.3, 6 and 7) to move files with plain read and write. It has no limits, deadlines,
// users or durability. It marks what this kernel allows a correct server to reach, and is not meant to be deployed.
//
// limit-server --root DIR      prints "listening on 127.0.0.1:PORT", serves until SIGTERM
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CHUNK_BYTES = 256 * 1024, TEXT_LIMIT = 1024, HELD_LIMIT = 8 + TEXT_LIMIT, OUT_BYTES = 4096, MAX_SPANS = 512 };
enum { MAX_PACKET_LENGTH = 10485760, FLAG_UPLOAD = 2, FLAG_DOWNLOAD = 3 };

struct connection {
  int socket, file, flag;
  uint8_t held[HELD_LIMIT];  // start of a packet whose header or text has not arrived in full
  size_t held_length;
  uint32_t data_left;        // bytes of the current Data packet still to come
  char out[OUT_BYTES];       // answers the socket has not taken yet
  size_t out_length;
  uint64_t file_left;        // download: bytes not yet read from the file
  uint32_t packet_size;
  uint8_t *slab;             // download: packets ready to be sent
  size_t slab_from, slab_to;
  int wants_out, failed;
};

static int poller;
static const char *root;
static uint8_t chunk[CHUNK_BYTES];

static void die(const char *what) {
  fprintf(stderr, "limit-server: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint32_t read_u32(const uint8_t *at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void write_u32(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> 8 * i);
}

static void answer(struct connection *c, const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (length < 0 || (size_t)length >= sizeof text || c->out_length + 8 + (size_t)length > OUT_BYTES) {
    c->failed = 1;
    return;
  }
  write_u32((uint8_t *)c->out + c->out_length, (uint32_t)length + 4);
  write_u32((uint8_t *)c->out + c->out_length + 4, (uint32_t)length);
  memcpy(c->out + c->out_length + 8, text, (size_t)length);
  c->out_length += 8 + (size_t)length;
}

static void refuse(struct connection *c, const char *command, int code) {
  answer(c, "[Response]\r\nCommand=%s\r\nCode=%d\r\nMessage=", command, code);
}

/** Value of a key in the command text (NUL-terminated, CRLF between lines); 0 when the key is missing. */
static int value_of(const char *text, const char *key, char *value, size_t capacity) {
  size_t key_length = strlen(key);
  for (const char *line = text; line != NULL; line = strstr(line, "\r\n")) {
    if (line[0] == '\r') line += 2;
    if (strncasecmp(line, key, key_length) != 0 || line[key_length] != '=') continue;
    const char *from = line + key_length + 1;
    const char *to = strstr(from, "\r\n");
    size_t length = to ? (size_t)(to - from) : strlen(from);
    if (length >= capacity) return 0;
    memcpy(value, from, length);
    value[length] = 0;
    return 1;
  }
  return 0;
}

/** Directory and bare name of the request joined under the root; 0 when a key is missing or would leave the root. */
static int path_of(const char *text, char *path, size_t capacity) {
  char directory[256], name[256];
  if (!value_of(text, "DirName", directory, sizeof directory)) return 0;
  if (!value_of(text, "FileName", name, sizeof name)) return 0;
  if (name[0] == 0 || strchr(name, '/') || !strcmp(name, "..") || strstr(directory, "..")) return 0;
  return (size_t)snprintf(path, capacity, "%s/%s/%s", root, directory, name) < capacity;
}

static void close_file(struct connection *c) {
  if (c->file >= 0) close(c->file);
  c->file = -1;
  c->file_left = 0;
}

static void start_upload(struct connection *c, const char *text) {
  char path[1024];
  struct stat facts;
  if (!path_of(text, path, sizeof path)) return refuse(c, "Upload", 6);
  close_file(c);
  c->file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (c->file < 0 || fstat(c->file, &facts) != 0) return refuse(c, "Upload", 4);
  answer(c, "[Response]\r\nCommand=Upload\r\nCode=0\r\nFileSize=%lld", (long long)facts.st_size);
}

static void end_upload(struct connection *c, const char *text) {
  char declared[32];
  struct stat facts;
  if (c->file < 0) return refuse(c, "Eof", 10);
  if (fstat(c->file, &facts) != 0) return refuse(c, "Eof", 4);
  if (value_of(text, "FileSize", declared, sizeof declared) && atoll(declared) != facts.st_size)
    return refuse(c, "Eof", 33554440);
  close_file(c);
  answer(c, "[Response]\r\nCommand=Eof\r\nCode=0");
}

static void start_download(struct connection *c, const char *text) {
  char path[1024], offset_text[32], packet_text[32];
  struct stat facts;
  if (!path_of(text, path, sizeof path) || !value_of(text, "FileSize", offset_text, sizeof offset_text) ||
      !value_of(text, "PacketSize", packet_text, sizeof packet_text))
    return refuse(c, "Download", 6);
  close_file(c);
  c->file = open(path, O_RDONLY | O_CLOEXEC);
  if (c->file < 0 || fstat(c->file, &facts) != 0) return refuse(c, "Download", 9);
  long long offset = atoll(offset_text), packet_size = atoll(packet_text);
  if (offset < 0 || offset > facts.st_size || packet_size < 1) return refuse(c, "Download", 6);
  lseek(c->file, offset, SEEK_SET);
  c->file_left = (uint64_t)(facts.st_size - offset);
  c->packet_size = packet_size > CHUNK_BYTES ? CHUNK_BYTES : (uint32_t)packet_size;
  answer(c, "[Response]\r\nCommand=Download\r\nCode=0");
  answer(c, "[Response]\r\nCommand=SendFile\r\nCode=0\r\nFileSize=%llu", (unsigned long long)c->file_left);
}

static void handle(struct connection *c, const char *command, const char *text) {
  if (!strcasecmp(command, "Login") || !strcasecmp(command, "Active"))
    answer(c, "[Response]\r\nCommand=%s\r\nCode=0", command);
  else if (c->flag == FLAG_UPLOAD && !strcasecmp(command, "Upload")) start_upload(c, text);
  else if (c->flag == FLAG_UPLOAD && !strcasecmp(command, "Eof")) end_upload(c, text);
  else if (c->flag == FLAG_DOWNLOAD && !strcasecmp(command, "Download")) start_download(c, text);
  else refuse(c, command, 1);
}

/** Length of the header and text of the packet at `at`; 0 while they are incomplete; -1 when they are not valid. */
static long head_length(const uint8_t *at, size_t available, uint32_t *data_length) {
  if (available < 8) return 0;
  uint32_t packet_length = read_u32(at), text_length = read_u32(at + 4);
  if (packet_length < 4 || packet_length > MAX_PACKET_LENGTH) return -1;
  if (text_length == 0 || text_length > packet_length - 4 || text_length >= TEXT_LIMIT) return -1;
  if (available < 8 + (size_t)text_length) return 0;
  *data_length = packet_length - 4 - text_length;
  return 8 + (long)text_length;
}

static int write_spans(int file, struct iovec *spans, int count) {
  while (count > 0) {
    ssize_t written = writev(file, spans, count);
    if (written < 0) return -1;
    while (count > 0 && (size_t)written >= spans->iov_len) {
      written -= (ssize_t)spans->iov_len;
      spans++;
      count--;
    }
    if (count > 0) {
      spans->iov_base = (char *)spans->iov_base + written;
      spans->iov_len -= (size_t)written;
    }
  }
  return 0;
}

/** One read; all file content in it goes to the file in one writev. */
static void on_readable(struct connection *c) {
  memcpy(chunk, c->held, c->held_length);
  ssize_t got = read(c->socket, chunk + c->held_length, CHUNK_BYTES - c->held_length);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    c->failed = 1;
    return;
  }
  uint8_t *at = chunk, *end = chunk + c->held_length + got;
  struct iovec spans[MAX_SPANS];
  int span_count = 0;
  c->held_length = 0;
  if (c->flag == 0) c->flag = *at++;
  if (c->flag != FLAG_UPLOAD && c->flag != FLAG_DOWNLOAD) c->failed = 1;

  while (at < end && !c->failed) {
    if (c->data_left > 0) {
      size_t length = (size_t)(end - at) < c->data_left ? (size_t)(end - at) : c->data_left;
      spans[span_count++] = (struct iovec){at, length};
      at += length;
      c->data_left -= (uint32_t)length;
      if (span_count < MAX_SPANS) continue;
    } else {
      uint32_t data_length = 0;
      long length = head_length(at, (size_t)(end - at), &data_length);
      if (length < 0) c->failed = 1;
      if (length == 0) {
        c->held_length = (size_t)(end - at);
        if (c->held_length > HELD_LIMIT) c->failed = 1;
        else memcpy(c->held, at, c->held_length);
        break;
      }
      if (length < 0) break;
      char text[TEXT_LIMIT], command[64] = "";
      memcpy(text, at + 8, (size_t)length - 8);
      text[length - 8] = 0;
      at += length;
      value_of(text, "Command", command, sizeof command);
      if (c->flag == FLAG_UPLOAD && c->file >= 0 && !strcasecmp(command, "Data")) {
        c->data_left = data_length;
        continue;
      }
      // Any command but Data may look at the file, so what came before it is written first.
      if (span_count > 0 && write_spans(c->file, spans, span_count) < 0) c->failed = 1;
      span_count = 0;
      if (data_length > 0) c->failed = 1; // only Data carries data, and only for an open file
      if (!c->failed) handle(c, command, text);
      continue;
    }
    if (write_spans(c->file, spans, span_count) < 0) c->failed = 1;
    span_count = 0;
  }
  if (span_count > 0 && write_spans(c->file, spans, span_count) < 0) c->failed = 1;
}

/** Fills the slab with as many packets as fit: header, text and file content behind one another. */
static void fill_slab(struct connection *c) {
  static const char text[] = "[Response]\r\nCommand=Data\r\nCode=0";
  const uint32_t text_length = sizeof text - 1;
  const size_t slab_bytes = CHUNK_BYTES + 8 + sizeof text;
  if (c->slab == NULL && (c->slab = malloc(slab_bytes)) == NULL) die("malloc");
  c->slab_from = c->slab_to = 0;
  while (c->file_left > 0) {
    uint32_t length = c->file_left < c->packet_size ? (uint32_t)c->file_left : c->packet_size;
    if (c->slab_to + 8 + text_length + length > slab_bytes) break;
    uint8_t *at = c->slab + c->slab_to;
    write_u32(at, 4 + text_length + length);
    write_u32(at + 4, text_length);
    memcpy(at + 8, text, text_length);
    if (read(c->file, at + 8 + text_length, length) != (ssize_t)length) {
      c->failed = 1;
      return;
    }
    c->slab_to += 8 + text_length + length;
    c->file_left -= length;
  }
  if (c->file_left == 0) close_file(c);
}

static void on_writable(struct connection *c) {
  if (c->out_length > 0) {
    ssize_t sent = write(c->socket, c->out, c->out_length);
    if (sent < 0 && errno != EAGAIN) c->failed = 1;
    if (sent <= 0) return;
    c->out_length -= (size_t)sent;
    memmove(c->out, c->out + sent, c->out_length);
    if (c->out_length > 0) return;
  }
  if (c->slab_from == c->slab_to && c->flag == FLAG_DOWNLOAD && c->file_left > 0) fill_slab(c);
  if (c->failed || c->slab_from == c->slab_to) return;
  ssize_t sent = write(c->socket, c->slab + c->slab_from, c->slab_to - c->slab_from);
  if (sent < 0 && errno != EAGAIN) c->failed = 1;
  if (sent > 0) c->slab_from += (size_t)sent;
}

static void update_interest(struct connection *c) {
  int wants_out = c->out_length > 0 || c->slab_from < c->slab_to || (c->flag == FLAG_DOWNLOAD && c->file_left > 0);
  if (wants_out == c->wants_out) return;
  struct epoll_event interest = {.events = EPOLLIN | (wants_out ? EPOLLOUT : 0), .data.ptr = c};
  if (epoll_ctl(poller, EPOLL_CTL_MOD, c->socket, &interest) != 0) die("epoll_ctl");
  c->wants_out = wants_out;
}

static void accept_one(int listener) {
  int socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket < 0) return;
  int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct connection *c = calloc(1, sizeof *c);
  if (c == NULL) die("calloc");
  c->socket = socket;
  c->file = -1;
  struct epoll_event interest = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, socket, &interest) != 0) die("epoll_ctl");
}

int main(int count, char **arguments) {
  if (count != 3 || strcmp(arguments[1], "--root") != 0) {
    fprintf(stderr, "usage: limit-server --root DIR\n");
    return 2;
  }
  root = arguments[2];
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
    struct epoll_event events[256];
    int ready = epoll_wait(poller, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      if (c == NULL) {
        accept_one(listener);
        continue;
      }
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) on_readable(c);
      if (!c->failed) on_writable(c);
      if (!c->failed) update_interest(c);
      if (c->failed) {
        close(c->socket);
        close_file(c);
        free(c->slab);
        free(c);
      }
    }
  }
}
