/* A disk that stops answering, as a process sees it: while the file STALL_SWITCH exists, syncs of files below STALL_ROOT do not return, and writes
   to them return until STALL_TAKES bytes wait for the disk, as the system's memory takes them, and then do not either. For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_llong taken;

static int is_stalled(void) {
  const char *stall = getenv("STALL_SWITCH");
  return stall && access(stall, F_OK) == 0;
}

static int is_on_disk(int fd) {
  const char *root = getenv("STALL_ROOT");
  char link[64], path[PATH_MAX];
  if (!root) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strncmp(path, root, strlen(root)) == 0;
}

static void wait_for_disk(void) {
  while (is_stalled()) usleep(20000);
}

static void before_sync(int fd) {
  if (is_stalled() && is_on_disk(fd)) wait_for_disk();
}

static void before_write(int fd, long long bytes) {
  if (!is_stalled()) {
    atomic_store(&taken, 0);
    return;
  }
  if (!is_on_disk(fd)) return;
  const char *takes = getenv("STALL_TAKES");
  if (atomic_fetch_add(&taken, bytes) + bytes > (takes ? atoll(takes) : 0)) wait_for_disk();
}

static long long total(const struct iovec *parts, int count) {
  long long bytes = 0;
  for (int i = 0; i < count; i++) bytes += parts[i].iov_len;
  return bytes;
}

#define REAL(name, type) \
  static __typeof__(type) *real; \
  if (!real) real = (__typeof__(type) *)dlsym(RTLD_NEXT, name)

int fsync(int fd) { REAL("fsync", int(int)); before_sync(fd); return real(fd); }
int fdatasync(int fd) { REAL("fdatasync", int(int)); before_sync(fd); return real(fd); }

ssize_t write(int fd, const void *bytes, size_t count) {
  REAL("write", ssize_t(int, const void *, size_t));
  before_write(fd, count);
  return real(fd, bytes, count);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL("writev", ssize_t(int, const struct iovec *, int));
  before_write(fd, total(parts, count));
  return real(fd, parts, count);
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  REAL("pwrite64", ssize_t(int, const void *, size_t, off64_t));
  before_write(fd, count);
  return real(fd, bytes, count, at);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
  REAL("pwritev64", ssize_t(int, const struct iovec *, int, off64_t));
  before_write(fd, total(parts, count));
  return real(fd, parts, count, at);
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return pwrite64(fd, bytes, count, at); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return pwritev64(fd, parts, count, at); }
