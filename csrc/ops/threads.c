/* The pool of threads: workers are started when they are first needed, and sleep while there is nothing to do.

   Waking a thread costs 50 µs and more, which is why workers spin for a while before they sleep: calls that follow each
   other closely find them awake. A job is open as long as its caller works; who comes later goes back to wait. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* processors of threads */
#endif
#include <hwblocks/threads.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

enum { SPIN_NANOSECONDS = 200000, PAUSES = 32, YIELD = 1024, OPEN = 1 << 16 };
enum { STALL_NANOSECONDS = 1000000, CROWDED_NANOSECONDS = 30000000 };

/* What a thread waits for: that `rings` is no longer what it was. */
typedef struct {
  atomic_uint rings;
  atomic_int asleep;
  pthread_mutex_t lock;
  pthread_cond_t rung;
} bell;

typedef struct {
  _Alignas(64) bell call; /* a line of its own: workers look at it all the time */
  int64_t number;
  int64_t served; /* the last job that it joined: one that comes late may hear the next job's ring after joining it */
} worker;

/* share, job and the numbers belong to the thread that made the pool busy; workers inside may read them. */
static struct {
  atomic_int busy;
  atomic_int gate;   /* OPEN while a job takes workers, plus how many are inside */
  atomic_int spins;  /* whether waiting threads spin: not where threads outnumber processors */
  atomic_int caller; /* processor on which the last caller was, or −1 */
  bell left;
  hwb_share share;
  void *job;
  int64_t wanted, started, processors;
  int64_t jobs; /* so far */
} pool;
static worker workers[HWB_MOST_THREADS]; /* 1 to pool.started */

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void hang(bell *b) {
  atomic_store(&b->rings, 0);
  atomic_store(&b->asleep, 0);
  pthread_mutex_init(&b->lock, NULL);
  pthread_cond_init(&b->rung, NULL);
}

/* Whoever falls asleep first says so and then looks again: either it sees this ring or is seen asleep. */
static void ring(bell *b) {
  atomic_fetch_add(&b->rings, 1);
  if (!atomic_load(&b->asleep)) return;
  pthread_mutex_lock(&b->lock);
  pthread_cond_signal(&b->rung);
  pthread_mutex_unlock(&b->lock);
}

static unsigned heed_asleep(bell *b, unsigned heard) {
  pthread_mutex_lock(&b->lock);
  atomic_store(&b->asleep, 1);
  while (atomic_load(&b->rings) == heard) pthread_cond_wait(&b->rung, &b->lock);
  atomic_store(&b->asleep, 0);
  pthread_mutex_unlock(&b->lock);
  return atomic_load(&b->rings);
}

/* Wait for the next ring after those that were heard; returns how many there have been. One thread a bell. */
static unsigned heed(bell *b, unsigned heard) {
  int64_t until = nanoseconds() + (atomic_load(&pool.spins) ? SPIN_NANOSECONDS : 0);
  do {
    for (int i = 0; i < PAUSES; i++) {
      unsigned rings = atomic_load_explicit(&b->rings, memory_order_acquire);
      if (rings != heard) return rings;
      relax();
    }
  } while (nanoseconds() < until);
  return heed_asleep(b, heard);
}

#ifdef __linux__
static int processor(void) { return sched_getcpu(); }

static int64_t processors(void) {
  cpu_set_t all;
  return sched_getaffinity(0, sizeof all, &all) ? sysconf(_SC_NPROCESSORS_ONLN) : CPU_COUNT(&all);
}

/* A system often wakes a thread on the processor of the thread that woke it. There a worker would take the caller's
   time for milliseconds while other processors idle: it moves to another one, and may then go wherever it is put. */
static void part_from_caller(void) {
  cpu_set_t all, others;
  int own = processor();
  if (own < 0 || own != atomic_load(&pool.caller) || sched_getaffinity(0, sizeof all, &all)) return;
  others = all;
  CPU_CLR(own, &others);
  if (!sched_setaffinity(0, sizeof others, &others)) sched_setaffinity(0, sizeof all, &all);
}
#else
static int processor(void) { return -1; }
static int64_t processors(void) { return sysconf(_SC_NPROCESSORS_ONLN); }
static void part_from_caller(void) {}
#endif

/* True when a job is open; it then waits for this thread to leave. */
static int enter(void) {
  int seen = atomic_load(&pool.gate);
  while (seen & OPEN)
    if (atomic_compare_exchange_weak(&pool.gate, &seen, seen + 1)) return 1;
  return 0;
}

static void leave(void) {
  if (atomic_fetch_sub(&pool.gate, 1) == 1) ring(&pool.left);
}

static void *work(void *given) {
  worker *own = given;
  for (unsigned heard = 0;;) {
    heard = heed(&own->call, heard);
    part_from_caller();
    if (!enter()) continue;
    if (own->number < pool.wanted && own->served != pool.jobs) {
      own->served = pool.jobs;
      pool.share(pool.job, own->number);
    }
    leave();
  }
  return NULL;
}

/* Signals are for the threads of the program. */
static int start(worker *one) {
  pthread_t thread;
  pthread_attr_t detached;
  sigset_t all, before;
  hang(&one->call);
  if (pthread_attr_init(&detached)) return 0;
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failed = pthread_create(&thread, &detached, work, one);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&detached);
  return !failed;
}

/* A child has the thread that forked and no other; whatever job there was is none of its own. */
static void begin_again(void) {
  hang(&pool.left);
  pool.started = 0;
  atomic_store(&pool.gate, 0);
  atomic_store(&pool.busy, 0);
}

static void set_up(void) {
  pool.processors = processors();
  hang(&pool.left);
  pthread_atfork(NULL, NULL, begin_again);
}

/* Threads that a job of `threads` can have, the caller included: fewer where the system starts no more. */
static int64_t enlisted(int64_t threads) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, set_up);
  int64_t wanted = threads < HWB_MOST_THREADS ? threads : HWB_MOST_THREADS;
  while (pool.started + 1 < wanted) {
    worker *next = &workers[pool.started + 1];
    next->number = pool.started + 1;
    next->served = 0;
    if (!start(next)) return pool.started + 1;
    pool.started++;
  }
  return wanted;
}

static void wait_for_workers(void) {
  unsigned heard = atomic_load(&pool.left.rings);
  while (atomic_load(&pool.gate)) heard = heed(&pool.left, heard);
}

static atomic_llong crowded_until; /* nanoseconds */

void hwb_threads_wait_for(atomic_llong *counter, int64_t wanted) {
  int64_t begun = 0;
  for (int64_t i = 1; atomic_load_explicit(counter, memory_order_acquire) < wanted; i++) {
    relax();
    if (i % YIELD) continue;
    int64_t now = nanoseconds();
    begun = begun ? begun : now;
    if (now - begun > STALL_NANOSECONDS) atomic_store(&crowded_until, now + CROWDED_NANOSECONDS);
    sched_yield();
  }
}

int hwb_threads_crowded(void) {
  int64_t until = atomic_load_explicit(&crowded_until, memory_order_relaxed);
  return until && nanoseconds() < until;
}

void hwb_threads_run(int64_t threads, hwb_share share, void *job) {
  if (threads < 2 || atomic_exchange(&pool.busy, 1)) {
    share(job, 0);
    return;
  }
  pool.wanted = enlisted(threads);
  atomic_store(&pool.spins, pool.wanted <= pool.processors);
  atomic_store(&pool.caller, processor());
  pool.share = share;
  pool.job = job;
  pool.jobs++;
  atomic_store(&pool.gate, OPEN);
  for (int64_t i = 1; i < pool.wanted; i++) ring(&workers[i].call);
  share(job, 0);
  atomic_fetch_and(&pool.gate, ~OPEN);
  wait_for_workers();
  atomic_store(&pool.busy, 0);
}
