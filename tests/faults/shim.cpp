// Stands between a process and the C library (LD_PRELOAD), for faults that a tracer cannot make:
// a rename or link that is done and then reported as failed, locks that do nothing, and a clock that is years off.
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dlfcn.h>
#include <sys/file.h>
#include <sys/time.h>
#include <unistd.h>

namespace {
const char *late_name = "";
int late_nth = 0, late_error = 0;
int *calls = nullptr, *fired = nullptr;  // renames and links so far; how often one was reported as failed

template <typename F> F real(const char *name) { return reinterpret_cast<F>(dlsym(RTLD_NEXT, name)); }

int reported(const char *name, int which, int answer) {
  if (!calls || answer) return answer;  // only what was done can be reported as failed
  if (++calls[which] == late_nth && !strcmp(name, late_name)) {
    ++*fired;
    errno = late_error;
    return -1;
  }
  return answer;
}

time_t offset_s() {
  const char *text = getenv("SHIM_CLOCK_S");
  if (!text) return 0;
  static int looked = 0;
  return strcmp(text, "jumping") ? atoll(text) : (++looked % 2 ? 315360000 : -315360000);
}
}  // namespace

extern "C" {
void shim_arm(const char *name, int nth, int error, int *counters) {
  late_name = strdup(name), late_nth = nth, late_error = error;
  calls = counters, fired = counters + 2;
}

int rename(const char *from, const char *to) noexcept {
  static auto call = real<int (*)(const char *, const char *)>("rename");
  return reported("rename", 0, call(from, to));
}

int link(const char *from, const char *to) noexcept {
  static auto call = real<int (*)(const char *, const char *)>("link");
  return reported("link", 1, call(from, to));
}

int flock(int descriptor, int operation) noexcept {
  static auto call = real<int (*)(int, int)>("flock");
  const char *text = getenv("SHIM_FLOCK");
  if (!text) return call(descriptor, operation);
  errno = atoi(text);
  return errno ? -1 : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) noexcept {
  static auto call = real<int (*)(clockid_t, struct timespec *)>("clock_gettime");
  int answer = call(clock, now);
  if (clock == CLOCK_REALTIME) now->tv_sec += offset_s();
  return answer;
}

time_t time(time_t *where) noexcept {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (where) *where = now.tv_sec;
  return now.tv_sec;
}
}
