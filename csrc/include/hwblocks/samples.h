/* Samples: a program over many samples, in parts that several threads take. */
#ifndef HWBLOCKS_SAMPLES_H
#define HWBLOCKS_SAMPLES_H

#include <hwblocks/bands.h>

/* Where a slot's tensor is. Outside the arena: `base` is its first sample, `step` the bytes from one sample to the next,
   0 where every part uses the same memory. Inside (base NULL): `step` is its distance from the arena's start. */
typedef struct {
  char *base;
  int64_t step;
} hwb_place;

/* What a part leaves in slot `from` is copied to slot `to` before the next: `bytes` of each sample. */
typedef struct {
  int64_t from, to, bytes;
} hwb_carry;

/* What one thread has for itself: the tensors inside the program, the ops' scratch, addresses [slots], counts [count]. */
typedef struct {
  char *arena;
  void *scratch;
  void **address;
  hwb_stats *stats;
} hwb_room;

/* least, most: samples of a part, the last of all excepted; 0 < least <= most; arenas hold `most` samples.
   rooms: one for each thread. bands: those of all steps, for ranges of a single sample; or NULL. Parts with carries, or with written slots of step 0, follow each other: threads is 1. */
typedef struct {
  const hwb_step *steps;
  int64_t count, slots;
  const hwb_place *places;
  const hwb_carry *carries;
  int64_t carried;
  int64_t least, most;
  int64_t threads;
  const hwb_room *rooms;
  const hwb_band *bands;
  int64_t band_count;
} hwb_samples;

/* Run the program on samples first to past. Counts are added to the rooms' own; which room counts a sample is not said.
   Returns HWB_OK, or the status of the first part that fails; samples behind it may not have been run. */
int hwb_samples_run(const hwb_samples *samples, int64_t first, int64_t past);

/* What one step counted. */
typedef struct {
  int64_t saturated, outside, lowest, highest;
} hwb_counts;

/* What step `step` counted in all rooms: sums and extremes, whoever counted. */
hwb_counts hwb_samples_counted(const hwb_samples *samples, int64_t step);

/* Forget what was counted; count at a level from now on. */
void hwb_samples_reset(const hwb_samples *samples, int64_t level);

/* Samples that suit the tiles of every op for which samples are rows: parts that are multiples of it leave no tile
   unfilled but the last. 1 where such ops are a small part of the program. */
int64_t hwb_samples_tile(const hwb_step *steps, int64_t count);

#endif
