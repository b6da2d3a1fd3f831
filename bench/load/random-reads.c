// The load of random reads: keeps a number of reads of 4 KiB in flight over one connection, as ReadAt of Sluice or as range requests of HTTP that do not
// wait for one another, and compares every byte with the file. Same arguments, checks and output as random-reads.ts.
//
// Prints "ready" when it is connected and has the file open, waits for a line on standard input, reads, prints one line of JSON. Anything
// unexpected: one line on standard error, exit code 1.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 4096, MAX_DEPTH = 64, IN_BYTES = 1 << 20, OUT_BYTES = 1 << 16, TEXT_BYTES = 1024, WARM_UP_READS = 500 };

static struct {
  int is_http, port, depth, reads, deadline_seconds;
  const char *path, *file, *user, *digest;
} options = {.deadline_seconds = 120, .user = "", .digest = ""};

static int peer;
static uint8_t *content;
static uint64_t blocks, random_state = 88172645463325252ull;
static char in[IN_BYTES], out[OUT_BYTES];
static size_t in_start, in_end, out_length;
static uint64_t position_of[MAX_DEPTH]; // of the read under this Tag; over HTTP, a ring: answers come in order

static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "random-reads: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  exit(1);
}

static double now_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static uint32_t read_u32(const void *from) {
  uint32_t value; // the protocol is little-endian, and so are the machines this runs on
  memcpy(&value, from, 4);
  return value;
}

/** Queues text; with a packet header in front unless the peer speaks HTTP. */
static void queue(const char *format, ...) {
  size_t head = options.is_http ? 0 : 8;
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(out + out_length + head, OUT_BYTES - out_length - head, format, arguments);
  va_end(arguments);
  if (length < 0 || out_length + head + (size_t)length >= OUT_BYTES) die("requests too long");
  if (head) {
    uint32_t lengths[2] = {(uint32_t)length + 4, (uint32_t)length};
    memcpy(out + out_length, lengths, 8);
  }
  out_length += head + (size_t)length;
}

static void flush(void) {
  for (size_t at = 0; at < out_length;) {
    ssize_t sent = send(peer, out + at, out_length - at, MSG_NOSIGNAL);
    if (sent < 0) die("send: %s", strerror(errno));
    at += (size_t)sent;
  }
  out_length = 0;
}

/** Waits until so many bytes lie at `in + in_start`. */
static void need(size_t bytes) {
  while (in_end - in_start < bytes) {
    if (IN_BYTES - in_start < bytes || in_start == in_end) {
      memmove(in, in + in_start, in_end - in_start);
      in_end -= in_start;
      in_start = 0;
    }
    if (bytes > IN_BYTES) die("answer too long");
    flush(); // all that can be asked for is asked for before waiting
    ssize_t got = recv(peer, in + in_end, IN_BYTES - in_end, 0);
    if (got < 0) die("receive: %s", strerror(errno));
    if (got == 0) die("closed by the server");
    in_end += (size_t)got;
  }
}

static long number_of(const char *text, const char *key) {
  const char *at = strcasestr(text, key);
  if (at == NULL) die("no %s in: %s", key, text);
  return strtol(at + strlen(key), NULL, 10);
}

/** The text of the next answer; its data follow at `in + in_start`. @returns their length */
static size_t next_answer(char text[TEXT_BYTES + 1]) {
  if (options.is_http) {
    char *end;
    for (size_t bytes = 1; (end = memmem(in + in_start, in_end - in_start, "\r\n\r\n", 4)) == NULL; bytes = in_end - in_start + 1)
      need(bytes);
    size_t length = (size_t)(end - (in + in_start));
    if (length > TEXT_BYTES) die("head too long");
    memcpy(text, in + in_start, length);
    text[length] = 0;
    in_start += length + 4;
    if (strncmp(text, "HTTP/1.1 206 ", 13)) die("answer: %s", text);
    return (size_t)number_of(text, "\r\nContent-Length: ");
  }
  need(8);
  uint32_t packet = read_u32(in + in_start), length = read_u32(in + in_start + 4);
  if (packet < 4 || length > packet - 4 || length > TEXT_BYTES) die("malformed packet");
  need(8 + length);
  memcpy(text, in + in_start + 8, length);
  text[length] = 0;
  in_start += 8 + length;
  if (number_of(text, "\r\nCode=") != 0) die("answer: %s", text);
  return packet - 4 - length;
}

static void ask(int slot) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  uint64_t position = random_state % blocks * READ_BYTES;
  position_of[slot] = position;
  if (options.is_http)
    queue("GET /%s HTTP/1.1\r\nHost: 127.0.0.1\r\nRange: bytes=%llu-%llu\r\n\r\n", options.path,
          (unsigned long long)position, (unsigned long long)position + READ_BYTES - 1);
  else
    queue("[Request]\r\nCommand=ReadAt\r\nTag=%d\r\nPosition=%llu\r\nCount=%d", slot, (unsigned long long)position, READ_BYTES);
}

static void run(int reads) {
  char text[TEXT_BYTES + 1];
  int begun = 0;
  for (; begun < options.depth && begun < reads; begun++) ask(begun);
  for (int done = 0; done < reads; done++) {
    size_t length = next_answer(text);
    long slot = options.is_http ? done % options.depth : number_of(text, "\r\nTag=");
    if (slot < 0 || slot >= options.depth) die("answer: %s", text);
    if (length != READ_BYTES) die("%zu bytes instead of %d", length, READ_BYTES);
    need(length);
    if (memcmp(in + in_start, content + position_of[slot], length)) die("wrong bytes");
    in_start += length;
    if (begun < reads) {
      ask((int)slot);
      begun++;
    }
  }
}

static void open_file(void) {
  char text[TEXT_BYTES + 1];
  if (options.is_http) return;
  out[out_length++] = 4; // RemoteStream
  queue("[Request]\r\nCommand=Login\r\nUserName=%s\r\nPassword=%s\r\nFeatures=Tag,RemoteFile", options.user, options.digest);
  queue("[Request]\r\nCommand=OpenFile\r\nFileName=%s\r\nMode=0", options.path);
  for (int i = 0; i < 2; i++)
    if (next_answer(text) != 0) die("data in an answer that has none: %s", text);
}

int main(int count, char **arguments) {
  for (int i = 1; i + 1 < count; i += 2) {
    const char *key = arguments[i], *value = arguments[i + 1];
    if (!strcmp(key, "--kind")) options.is_http = !strcmp(value, "http");
    else if (!strcmp(key, "--port")) options.port = atoi(value);
    else if (!strcmp(key, "--depth")) options.depth = atoi(value);
    else if (!strcmp(key, "--reads")) options.reads = atoi(value);
    else if (!strcmp(key, "--path")) options.path = value;
    else if (!strcmp(key, "--file")) options.file = value;
    else if (!strcmp(key, "--user")) options.user = value;
    else if (!strcmp(key, "--digest")) options.digest = value;
    else if (!strcmp(key, "--deadline-seconds")) options.deadline_seconds = atoi(value);
    else die("unknown option %s", key);
  }
  if (options.port < 1 || options.depth < 1 || options.depth > MAX_DEPTH || options.reads < 1 || !options.path || !options.file)
    die("usage: random-reads --kind sluice|http --port P --path NAME --file F --depth N --reads N [--user U --digest MD5]");
  alarm((unsigned)options.deadline_seconds);

  int file = open(options.file, O_RDONLY);
  struct stat facts;
  if (file < 0 || fstat(file, &facts) != 0) die("%s: %s", options.file, strerror(errno));
  blocks = (uint64_t)facts.st_size / READ_BYTES;
  content = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
  if (content == MAP_FAILED || blocks == 0) die("%s cannot be mapped", options.file);

  double setup_start = now_seconds();
  int on = 1;
  peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (connect(peer, (struct sockaddr *)&address, sizeof address) != 0) die("connect: %s", strerror(errno));
  open_file();
  double setup_seconds = now_seconds() - setup_start;
  run(WARM_UP_READS);
  printf("ready\n");
  fflush(stdout);
  if (getchar() == EOF) die("standard input ended before the reads");

  double start = now_seconds(), cpu_start = cpu_seconds();
  run(options.reads);
  printf("{\"bytes\":%llu,\"seconds\":%.6f,\"cpuSeconds\":%.6f,\"setupSeconds\":%.6f}\n",
         (unsigned long long)options.reads * READ_BYTES, now_seconds() - start, cpu_seconds() - cpu_start, setup_seconds);
  return 0;
}
