/* Replay of a stream of addresses against a buffer of limited size: how many words are fetched. */
#ifndef HWBLOCKS_REPLAY_H
#define HWBLOCKS_REPLAY_H

#include <hwblocks/types.h>

/* The mark of a word that is never fetched (it lies outside an image). */
enum { HWB_REPLAY_ABSENT = INT32_MAX };

/* A stream in folds. Lanes are cut into chunks of `ports`, steps into chunks of `span`; lane chunks are the outer loop.
   In cycle c of a fold, port p asks for the word lane[p] + step[c − p·skew], where that step exists; ports in order.
   Each lane chunk runs `repeats` times before the next one, and all of this `passes` times. */
typedef struct {
  int64_t lanes, steps;    /* above 0 */
  int64_t ports, span;     /* above 0 */
  int64_t skew;            /* 0 or 1 */
  int64_t repeats, passes; /* above 0 */
  int64_t words;           /* addresses are 0 to words − 1 */
  int64_t capacity;        /* distinct words that the buffer holds; above 0 */
} hwb_replay_numbers;

typedef struct {
  hwb_replay_numbers n;
  const int32_t *lane, *step; /* [lanes], [steps]: not negative; the sum of any two is below words */
} hwb_replay;

/* Where a replay stands; all 0 at first. */
typedef struct {
  int64_t pass, first_lane, repeat, first_step, cycle;
  int64_t fetched;                        /* words fetched so far: the result */
  int64_t cleared;                        /* times that the buffer was full and was cleared; below 2^31 − 2 */
  int64_t held;                           /* words in the buffer */
  int64_t at_pass, at_repeat;             /* `cleared` when the pass and the repeat began */
} hwb_replay_state;

/* Bytes of the marks of a replay. */
size_t hwb_replay_scratch_bytes(const hwb_replay *replay);

/* Go on for about `most` accesses (above 0). An access to a word that is not held fetches it; when `capacity` words are
   held, the buffer is cleared. A repetition during which nothing was cleared holds all of its words: those that follow
   fetch nothing and are left out. marks: scratch int32 [words], 0 at first, or HWB_REPLAY_ABSENT. Nothing may alias.
   Returns 1 where the stream has ended, else 0. Exact for any size within these types. */
int hwb_replay_run(const hwb_replay *replay, hwb_replay_state *state, int32_t *marks, int64_t most);

#endif
