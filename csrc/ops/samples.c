/* Many samples of a program: parts are taken from the front by whichever thread is free, large ones first. */
#include "rows.h"
#include <hwblocks/samples.h>
#include <hwblocks/threads.h>
#include <stdatomic.h>
#include <string.h>

enum { STATUS_BITS = 4 };
enum { SHARES = 2 };     /* a part is one of SHARES · threads equal shares of what is left */
enum { ROWS_SHARE = 4 }; /* tiles of samples matter where a quarter of the products are those of such rows */

typedef struct {
  const hwb_samples *samples;
  int64_t past;
  atomic_llong next;   /* the first sample that nobody has taken */
  atomic_llong failed; /* first sample of the lowest part that failed, and its status in the low bits */
} job;

static void set_addresses(const hwb_samples *s, const hwb_room *room, int64_t first) {
  for (int64_t i = 0; i < s->slots; i++) {
    const hwb_place *place = &s->places[i];
    room->address[i] = place->base ? place->base + first * place->step : room->arena + place->step;
  }
}

static int run_part(const hwb_samples *s, const hwb_room *room, int64_t first, int64_t n) {
  set_addresses(s, room, first);
  int status = hwb_program_run(s->steps, s->count, room->address, n, room->scratch, room->stats);
  for (int64_t i = 0; status == HWB_OK && i < s->carried; i++) {
    const hwb_carry *carry = &s->carries[i];
    memmove(room->address[carry->to], room->address[carry->from], (size_t)(n * carry->bytes));
  }
  return status;
}

/* Samples of the next part when `left` are left: large parts cost least, small ones at the end let all threads finish
   together. In multiples of `least`, which suits the ops' tiles. */
static int64_t part_size(const hwb_samples *s, int64_t left) {
  int64_t shares = SHARES * s->threads, least = s->least;
  int64_t share = s->threads > 1 ? (left + shares - 1) / shares : left;
  int64_t fair = hwb_min((share + least - 1) / least, s->most / least) * least;
  return hwb_min(fair, left);
}

/* The first sample of a part of `size` samples that is now this thread's, or `past`. */
static int64_t take(job *j, int64_t *size) {
  long long first = atomic_load_explicit(&j->next, memory_order_relaxed);
  do {
    if (first >= j->past) return j->past;
    *size = part_size(j->samples, j->past - first);
  } while (!atomic_compare_exchange_weak(&j->next, &first, first + *size));
  return first;
}

/* Parts are taken in order: those before a failing one are all finished, so the lowest failure is always found. */
static void note_failure(job *j, int64_t first, int status) {
  long long seen = atomic_load(&j->failed), own = ((long long)first << STATUS_BITS) | status;
  while (own < seen && !atomic_compare_exchange_weak(&j->failed, &seen, own)) {}
}

static void take_parts(void *given, int64_t worker) {
  job *j = given;
  int64_t size = 0;
  for (int64_t first = take(j, &size); first < j->past; first = take(j, &size)) {
    if (first > atomic_load_explicit(&j->failed, memory_order_relaxed) >> STATUS_BITS) return;
    int status = run_part(j->samples, &j->samples->rooms[worker], first, size);
    if (status != HWB_OK) note_failure(j, first, status);
  }
}

/* One sample by bands. Bands are taken in order, so that those a band waits for are all being computed. */
typedef struct {
  const hwb_samples *samples;
  int64_t first;
  atomic_llong next, done;
  atomic_int status; /* of the first step that failed; then nothing more is computed */
} banded;

static int run_band(const hwb_samples *s, const hwb_band *band, const hwb_room *room) {
  const hwb_step *step = &s->steps[band->step];
  const void *in[HWB_MOST_INPUTS];
  for (int32_t i = 0; i < step->inputs; i++) in[i] = (const char *)room->address[step->in[i]] + band->from;
  void *outputs[HWB_MOST_OUTPUTS] = {(char *)room->address[step->out] + band->to};
  for (int32_t i = 0; i < step->others; i++) outputs[i + 1] = room->address[step->other[i]];
  void *y = step->others ? (void *)outputs : outputs[0];
  return band->op.run(&band->op, in, y, 1, room->scratch, &room->stats[band->step]);
}

/* The first room's tensors are everybody's; scratch and counts are each thread's own. */
static void take_bands(void *given, int64_t worker) {
  banded *j = given;
  const hwb_samples *s = j->samples;
  hwb_room room = s->rooms[worker];
  room.arena = s->rooms[0].arena;
  set_addresses(s, &room, j->first);
  for (int64_t i; (i = atomic_fetch_add(&j->next, 1)) < s->band_count;) {
    hwb_threads_wait_for(&j->done, s->bands[i].before);
    if (atomic_load(&j->status) == HWB_OK) {
      int status = run_band(s, &s->bands[i], &room);
      if (status != HWB_OK) atomic_store(&j->status, status);
    }
    atomic_fetch_add(&j->done, 1);
  }
}

static int run_banded(const hwb_samples *samples, int64_t first) {
  banded j = {.samples = samples, .first = first};
  atomic_init(&j.next, 0);
  atomic_init(&j.done, 0);
  atomic_init(&j.status, HWB_OK);
  hwb_threads_run(hwb_threads_crowded() ? 1 : samples->threads, take_bands, &j);
  return atomic_load(&j.status);
}

int hwb_samples_run(const hwb_samples *samples, int64_t first, int64_t past) {
  if (samples->bands && past - first == 1) return run_banded(samples, first);
  job j = {.samples = samples, .past = past};
  atomic_init(&j.next, first);
  atomic_init(&j.failed, INT64_MAX);
  int64_t parts = (past - first + samples->least - 1) / samples->least;
  hwb_threads_run(hwb_min(samples->threads, parts), take_parts, &j);
  int64_t failed = atomic_load(&j.failed);
  return failed == INT64_MAX ? HWB_OK : (int)(failed & ((1 << STATUS_BITS) - 1));
}

hwb_counts hwb_samples_counted(const hwb_samples *samples, int64_t step) {
  hwb_counts all = {0, 0, INT64_MAX, -INT64_MAX};
  for (int64_t i = 0; i < samples->threads; i++) {
    const hwb_stats *one = &samples->rooms[i].stats[step];
    all.saturated += one->saturated;
    all.outside += one->outside;
    all.lowest = hwb_min(all.lowest, one->lowest);
    all.highest = hwb_max(all.highest, one->highest);
  }
  return all;
}

void hwb_samples_reset(const hwb_samples *samples, int64_t level) {
  const hwb_stats nothing = {level, 0, 0, INT64_MAX, -INT64_MAX, NULL};
  for (int64_t i = 0; i < samples->threads; i++)
    for (int64_t j = 0; j < samples->count; j++) samples->rooms[i].stats[j] = nothing;
}

static int64_t common_divisor(int64_t a, int64_t b) { return b ? common_divisor(b, a % b) : a; }

/* Samples are rows of a matrix product where an op makes one output position of each. */
static int64_t op_tile(const hwb_op *op) {
  if (op->run != hwb_conv_run) return 1;
  const hwb_conv_numbers *n = &((const hwb_conv *)op->parameters)->n;
  return n->out_height * n->out_width == 1 ? hwb_tile_rows(op->kernels, n->sums) : 1;
}

int64_t hwb_samples_tile(const hwb_step *steps, int64_t count) {
  int64_t tile = 1, rows = 0, all = 0;
  for (int64_t i = 0; i < count; i++) {
    int64_t own = op_tile(steps[i].op), products = hwb_op_products(steps[i].op);
    tile = tile / common_divisor(tile, own) * own;
    rows += own > 1 ? products : 0;
    all += products;
  }
  return rows * ROWS_SHARE >= all ? tile : 1;
}
