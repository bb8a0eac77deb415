/* Samples shared out to threads: every thread count gives the values, counts and failures of a plain loop; jobs of several
   callers at once; workers that have fallen asleep. */
#include "check.h"
#include <hwblocks/samples.h>
#include <hwblocks/threads.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { ELEMENTS = 5, MOST_SAMPLES = 90, SCRATCH = 64, CALLERS = 4, THREADS = 8 };
enum { SPIN_ENDS = 3000000, PATIENCE = 5000, PAUSED = 64 }; /* nanoseconds; milliseconds; values before a pause */
enum { FAILS_NAN = 255, FAILS_ARGUMENT = 254, LARGEST = 253 };

static void pause_for(long nanoseconds) {
  struct timespec length = {0, nanoseconds};
  nanosleep(&length, NULL);
}

/* What the samples of a program of two steps become. */
static uint8_t first_value(uint8_t x) { return (uint8_t)(3 * x + 1); }
static uint8_t second_value(uint8_t x) { return (uint8_t)(x ^ 0x5a); }

/* One step: values through the scratch, so that a shared one would be seen; counts of values above 200 and extremes.
   It pauses now and then, which lets other threads take parts. */
static int step_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  int second = op->parameters != NULL;
  const uint8_t *x = in[0];
  uint8_t *out = y, *held = scratch;
  for (int64_t i = 0; i < n * ELEMENTS; i++) {
    if (!second && x[i] > LARGEST) return x[i] == FAILS_NAN ? HWB_NAN : HWB_BAD_ARGUMENT;
    if (x[i] % PAUSED == 0) pause_for(1);
    held[i % SCRATCH] = second ? second_value(x[i]) : first_value(x[i]);
    out[i] = held[i % SCRATCH];
    stats->saturated += out[i] > 200;
    stats->lowest = hwb_min(stats->lowest, out[i]);
    stats->highest = hwb_max(stats->highest, out[i]);
  }
  return HWB_OK;
}

static const int is_second = 1;
static const hwb_op first_op = {step_run, NULL, NULL, SCRATCH}, second_op = {step_run, NULL, &is_second, SCRATCH};
static const hwb_step steps[2] = {{&first_op, 1, {0}, 1, 0, {0}}, {&second_op, 1, {1}, 2, 0, {0}}};

typedef struct {
  uint8_t x[MOST_SAMPLES * ELEMENTS], y[MOST_SAMPLES * ELEMENTS];
  hwb_place places[3];
  hwb_room rooms[THREADS];
  hwb_band bands[2];
  hwb_samples samples;
} trial;

static void give_rooms(trial *t) {
  for (int64_t i = 0; i < t->samples.threads; i++) {
    hwb_room room = {exact((size_t)(t->samples.most * ELEMENTS)), exact(SCRATCH), exact(3 * sizeof(void *)),
                     exact(2 * sizeof(hwb_stats))};
    t->rooms[i] = room;
  }
  hwb_samples_reset(&t->samples, 1);
}

static trial *new_trial(int64_t threads, int64_t least, int64_t most) {
  trial *t = exact(sizeof *t);
  hwb_place places[3] = {{(char *)t->x, ELEMENTS}, {NULL, 0}, {(char *)t->y, ELEMENTS}};
  memcpy(t->places, places, sizeof places);
  hwb_samples samples = {steps, 2, 3, t->places, NULL, 0, least, most, threads, t->rooms, NULL, 0};
  memcpy(&t->samples, &samples, sizeof samples);
  memset(t->y, 0, sizeof t->y);
  give_rooms(t);
  return t;
}

static void end_trial(trial *t) {
  for (int64_t i = 0; i < t->samples.threads; i++) {
    free(t->rooms[i].arena);
    free(t->rooms[i].scratch);
    free(t->rooms[i].address);
    free(t->rooms[i].stats);
  }
  free(t);
}

/* Values and counts of samples first to past, by a plain loop. */
static void expect_samples(const trial *t, int64_t first, int64_t past) {
  hwb_stats wanted[2] = {fresh(1), fresh(1)};
  for (int64_t i = first * ELEMENTS; i < past * ELEMENTS; i++) {
    uint8_t made[2] = {first_value(t->x[i]), second_value(first_value(t->x[i]))};
    expect_equal(t->y[i], made[1], "a sample of many", "threads");
    for (int s = 0; s < 2; s++) {
      wanted[s].saturated += made[s] > 200;
      wanted[s].lowest = made[s] < wanted[s].lowest ? made[s] : wanted[s].lowest;
      wanted[s].highest = made[s] > wanted[s].highest ? made[s] : wanted[s].highest;
    }
  }
  for (int s = 0; s < 2; s++) {
    hwb_counts got = hwb_samples_counted(&t->samples, s);
    expect_equal(got.saturated, wanted[s].saturated, "counts of all threads", "threads");
    expect_equal(got.lowest, wanted[s].lowest, "lowest of all threads", "threads");
    expect_equal(got.highest, wanted[s].highest, "highest of all threads", "threads");
  }
}

typedef struct {
  atomic_int calls[THREADS], all;
  int64_t wanted;
} attendance;

/* The share of a thread that stays until all have come, or for some seconds. */
static void attend(void *given, int64_t worker) {
  attendance *a = given;
  atomic_fetch_add(&a->calls[worker], 1);
  atomic_fetch_add(&a->all, 1);
  for (int i = 0; i < PATIENCE && atomic_load(&a->all) < a->wanted; i++) pause_for(1000000);
}

/* Every worker takes part once, the caller as number 0; also after a pause, when they sleep. */
static void check_attendance(int64_t threads) {
  for (int round = 0; round < 4; round++) {
    attendance a = {.wanted = threads};
    hwb_threads_run(threads, attend, &a);
    for (int64_t i = 0; i < THREADS; i++)
      expect_equal(atomic_load(&a.calls[i]), i < threads, "calls of a worker's share", "threads");
    if (round % 2) pause_for(SPIN_ENDS);
  }
}

static void check_ranges(int64_t threads) {
  for (int round = 0; round < 60; round++) {
    int64_t most = draw(1, 20), least = draw(1, most), past = draw(1, MOST_SAMPLES), first = draw(0, past - 1);
    trial *t = new_trial(threads, least, most);
    for (size_t i = 0; i < sizeof t->x; i++) t->x[i] = (uint8_t)draw(0, LARGEST);
    expect_equal(hwb_samples_run(&t->samples, first, past), HWB_OK, "status", "threads");
    expect_samples(t, first, past);
    for (int64_t i = 0; i < MOST_SAMPLES * ELEMENTS; i++)
      if (i < first * ELEMENTS || i >= past * ELEMENTS) expect_equal(t->y[i], 0, "a sample outside the range", "threads");
    end_trial(t);
  }
}

/* Of several failures the one of the lowest sample is told. */
static void check_lowest_failure(int64_t threads) {
  for (int round = 0; round < 100; round++) {
    int64_t most = draw(1, 20);
    trial *t = new_trial(threads, draw(1, most), most);
    for (size_t i = 0; i < sizeof t->x; i++) t->x[i] = (uint8_t)draw(0, LARGEST);
    for (int i = 0; i < 3; i++)
      t->x[draw(0, (int64_t)sizeof t->x - 1)] = (uint8_t)(draw(0, 1) ? FAILS_NAN : FAILS_ARGUMENT);
    size_t lowest = 0;
    while (t->x[lowest] <= LARGEST) lowest++;
    int wanted = t->x[lowest] == FAILS_NAN ? HWB_NAN : HWB_BAD_ARGUMENT;
    expect_equal(hwb_samples_run(&t->samples, 0, MOST_SAMPLES), wanted, "the lowest failure", "threads");
    end_trial(t);
  }
}

/* Single samples: steps that cannot be parted go from thread to thread, each after the one before. */
static void check_single_samples(int64_t threads) {
  for (int round = 0; round < 100; round++) {
    trial *t = new_trial(threads, 1, 1);
    for (size_t i = 0; i < sizeof t->x; i++) t->x[i] = (uint8_t)draw(0, LARGEST);
    for (int i = 0; i < 2; i++) expect_equal(hwb_bands_of(&steps[i], threads, 1), 1, "bands of other ops", "threads");
    hwb_bands_fill(t->bands, steps, 2, threads, 1);
    t->samples.bands = t->bands;
    t->samples.band_count = 2;
    int64_t first = draw(0, MOST_SAMPLES - 1);
    expect_equal(hwb_samples_run(&t->samples, first, first + 1), HWB_OK, "status of one sample", "threads");
    expect_samples(t, first, first + 1);
    t->x[first * ELEMENTS + 1] = FAILS_NAN;
    expect_equal(hwb_samples_run(&t->samples, first, first + 1), HWB_NAN, "failure of one sample", "threads");
    end_trial(t);
  }
}

/* What a sample leaves is what the next one begins with: x of sample i is y of sample i − 1. */
static void check_carries(void) {
  uint8_t state = (uint8_t)draw(0, LARGEST);
  trial *t = new_trial(1, 1, 1);
  hwb_carry carry = {2, 0, ELEMENTS};
  t->places[0].step = 0;
  t->samples.carries = &carry;
  t->samples.carried = 1;
  memset(t->x, state, ELEMENTS);
  for (int64_t i = 0; i < MOST_SAMPLES && state <= LARGEST; i++) {
    uint8_t next = second_value(first_value(state));
    expect_equal(hwb_samples_run(&t->samples, i, i + 1), HWB_OK, "status of a sequence", "threads");
    expect_equal(t->y[i * ELEMENTS], next, "a sample of a sequence", "threads");
    expect_equal(t->x[0], next, "what it leaves", "threads");
    state = next;
  }
  end_trial(t);
}

/* Callers of their own, some of which find the pool busy. */
static void *call_often(void *given) {
  trial *t = given;
  for (int round = 0; round < 100; round++) {
    hwb_samples_reset(&t->samples, 1);
    hwb_samples_run(&t->samples, 0, MOST_SAMPLES);
  }
  return NULL;
}

static void check_callers(void) {
  trial *trials[CALLERS];
  pthread_t callers[CALLERS];
  for (int i = 0; i < CALLERS; i++) {
    trials[i] = new_trial(3, 1, 4);
    for (size_t j = 0; j < sizeof trials[i]->x; j++) trials[i]->x[j] = (uint8_t)draw(0, LARGEST);
    if (pthread_create(&callers[i], NULL, call_often, trials[i])) abort();
  }
  for (int i = 0; i < CALLERS; i++) {
    pthread_join(callers[i], NULL);
    expect_samples(trials[i], 0, MOST_SAMPLES);
    end_trial(trials[i]);
  }
}

/* Pauses after which workers spin no more. */
static void check_sleepers(void) {
  trial *t = new_trial(4, 1, 3);
  for (size_t i = 0; i < sizeof t->x; i++) t->x[i] = (uint8_t)draw(0, LARGEST);
  for (int round = 0; round < 20; round++) {
    hwb_samples_reset(&t->samples, 1);
    hwb_samples_run(&t->samples, 0, MOST_SAMPLES);
    expect_samples(t, 0, MOST_SAMPLES);
    pause_for(SPIN_ENDS);
  }
  end_trial(t);
}

/* A convolution of 1×1 with one input channel, of so many output positions and channels. */
static hwb_conv conv_of(int64_t sums, int64_t positions, int64_t channels) {
  hwb_conv made = {0};
  made.n.sums = sums;
  made.n.out_height = made.n.kernel_h = made.n.kernel_w = made.n.channels = made.n.groups = 1;
  made.n.out_width = positions;
  made.n.out_channels = channels;
  return made;
}

static void check_tiles(const hwb_kernels *k) {
  for (int64_t sums = HWB_SUMS_S32; sums <= HWB_SUMS_MIXED; sums++) {
    hwb_conv row = conv_of(sums, 1, 30), image = conv_of(sums, 90, 1), large = conv_of(sums, 91, 1);
    hwb_op ops[3] = {{hwb_conv_run, k, &row, 0}, {hwb_conv_run, k, &image, 0}, {hwb_conv_run, k, &large, 0}};
    hwb_step first[2] = {{&ops[0], 1, {0}, 1, 0, {0}}, {&ops[1], 1, {1}, 2, 0, {0}}};
    hwb_step second[2] = {{&ops[0], 1, {0}, 1, 0, {0}}, {&ops[2], 1, {1}, 2, 0, {0}}};
    int64_t rows = sums == HWB_SUMS_BYTES ? k->u8_rows : k->s16_rows;
    expect_equal(hwb_samples_tile(first, 1), rows, "samples of a tile", k->name);
    expect_equal(hwb_samples_tile(first, 2), rows, "samples of a tile, a quarter of the products", k->name);
    expect_equal(hwb_samples_tile(second, 2), 1, "samples of a tile, less than a quarter", k->name);
    expect_equal(hwb_samples_tile(first + 1, 1), 1, "samples of an image", k->name);
  }
  expect_equal(hwb_samples_tile(steps, 2), 1, "samples of other ops", k->name);
}

static void check_threads(const hwb_kernels *k) {
  check_tiles(k);
  if (strcmp(k->name, "ref")) return;
  for (int64_t threads = 1; threads <= THREADS; threads++) {
    check_attendance(threads);
    check_ranges(threads);
    check_single_samples(threads);
    check_lowest_failure(threads);
  }
  check_carries();
  check_callers();
  check_sleepers();
}

int main(void) { return on_every_isa(check_threads); }
