/* Threads: a pool whose workers join the caller in a job, and spin for a short while between jobs. */
#ifndef HWBLOCKS_THREADS_H
#define HWBLOCKS_THREADS_H

#include <stdatomic.h>
#include <stdint.h>

enum { HWB_MOST_THREADS = 256 };

/* One thread's share of a job: it takes parts of it until none is left. worker: 0 for the caller, else below the number
   of threads; no two threads of a job have the same. */
typedef void (*hwb_share)(void *job, int64_t worker);

/* Call share(job, worker) in the calling thread, and meanwhile once in each of at most threads − 1 workers; returns when all
   calls have returned. A worker that comes after the caller's share is done is not waited for, so a share must never count on
   another. While another thread's job is running the caller works alone. Jobs must not start jobs. After fork() the
   child has workers of its own. */
void hwb_threads_run(int64_t threads, hwb_share share, void *job);

/* Spin until a counter reaches `wanted`, to which other threads that are at work bring it. */
void hwb_threads_wait_for(atomic_llong *counter, int64_t wanted);

/* True for a while after such a wait took so long that the other thread must have been without a processor. Work whose
   threads wait for each other is then better done alone. */
int hwb_threads_crowded(void);

#endif
