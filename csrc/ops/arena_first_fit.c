/* First fit of an arena's buffers in an order, and exchanges in that order. */
#include <hwblocks/arena.h>
#include <string.h>

static int alive_together(const hwb_arena *a, int64_t b, int64_t c) {
  return a->first[b] < a->past[c] && a->first[c] < a->past[b];
}

/* The lowest free place of a buffer beside `count` others. */
static int64_t lowest_place(const hwb_arena *a, int64_t b, const int64_t *by_offset, int64_t count, const int64_t *offset) {
  int64_t place = 0;
  for (int64_t i = 0; i < count; i++) {
    int64_t other = by_offset[i], end = offset[other] + a->size[other];
    if (!alive_together(a, b, other) || end <= place) continue;
    if (offset[other] - place >= a->size[b]) break;
    place = end;
  }
  return place;
}

static void insert(int64_t b, int64_t *by_offset, int64_t count, const int64_t *offset) {
  int64_t i = count;
  for (; i > 0 && offset[by_offset[i - 1]] > offset[b]; i--) by_offset[i] = by_offset[i - 1];
  by_offset[i] = b;
}

void hwb_first_fit(const hwb_arena *a, const int64_t *order, int64_t from, int64_t to, int64_t *by_offset, int64_t *offset) {
  for (int64_t i = from; i < to; i++) {
    offset[order[i]] = lowest_place(a, order[i], by_offset, i, offset);
    insert(order[i], by_offset, i, offset);
  }
}

static int64_t height_of(const hwb_arena *a, const int64_t *offset) {
  int64_t height = 0;
  for (int64_t b = 0; b < a->buffers; b++)
    if (offset[b] + a->size[b] > height) height = offset[b] + a->size[b];
  return height;
}

/* Uniform below `bound`, from a 64-bit xorshift generator (Marsaglia 2003). */
static int64_t draw(uint64_t *state, int64_t bound) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return (int64_t)((*state >> 11) % (uint64_t)bound);
}

/* The turn of the n-th buffer that ends at the top, then of the n-th that is alive with it and comes earlier. */
static int64_t turn_at_top(const hwb_arena *a, const int64_t *order, const int64_t *offset, int64_t height, uint64_t *random) {
  int64_t count = 0, found = 0;
  for (int64_t i = 0; i < a->buffers; i++)
    if (offset[order[i]] + a->size[order[i]] == height && draw(random, ++count) == 0) found = i;
  return found;
}

static int64_t turn_below(const hwb_arena *a, const int64_t *order, int64_t turn, uint64_t *random) {
  int64_t count = 0, found = -1;
  for (int64_t i = 0; i < turn; i++)
    if (alive_together(a, order[i], order[turn]) && draw(random, ++count) == 0) found = i;
  return found;
}

static void swap(int64_t *order, int64_t i, int64_t j) {
  int64_t kept = order[i];
  order[i] = order[j], order[j] = kept;
}

size_t hwb_exchange_scratch_bytes(const hwb_arena *a) { return (size_t)a->buffers * 2 * sizeof(int64_t); }

int64_t hwb_exchange(const hwb_arena *a, int64_t *order, int64_t *offset, int64_t rounds, int64_t wanted, uint64_t *random,
                     int64_t *scratch) {
  int64_t best = height_of(a, offset), *by_offset = scratch, *tried = scratch + a->buffers;
  for (int64_t round = 0; round < rounds && best > wanted; round++) {
    int64_t top = turn_at_top(a, order, offset, best, random), below = turn_below(a, order, top, random);
    if (below < 0) continue;
    swap(order, top, below);
    hwb_first_fit(a, order, 0, a->buffers, by_offset, tried);
    int64_t height = height_of(a, tried);
    if (height > best) {
      swap(order, top, below);
      continue;
    }
    best = height;
    memcpy(offset, tried, (size_t)a->buffers * sizeof(int64_t));
  }
  return best;
}
