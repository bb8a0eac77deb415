/* Ordered sums: vector kernels and the whole op against plain loops, on exactly sized buffers. */
#include "check.h"
#include <hwblocks/ordered.h>
#include <math.h>

enum { ROWS = HWB_ORDERED_ROWS, COLUMNS = HWB_TILE_COLUMNS, SKEW = HWB_SKEW_COLUMNS };

static int64_t limited(int64_t v, int64_t low, int64_t high) { return v < low ? low : v > high ? high : v; }

static int16_t *drawn(int64_t count, int64_t low, int64_t high) {
  int16_t *made = exact((size_t)count * 2);
  for (int64_t i = 0; i < count; i++) made[i] = (int16_t)draw(low, high);
  return made;
}

/* 16-bit tiles: rows of steps + 1 inputs, each in its own buffer. */
static void check_sat16(const hwb_kernels *k, int64_t count, int64_t steps, int64_t low, int64_t high) {
  int16_t *rows[ROWS], *panel = drawn(steps * SKEW, -128, 127), *sums = drawn(ROWS * SKEW, low, high), start[ROWS * SKEW];
  for (int64_t i = 0; i < ROWS; i++) rows[i] = drawn(steps + 1, -255, 255);
  memcpy(start, sums, sizeof start);
  hwb_limited_tile tile = {(const int16_t *const *)rows, count, panel, steps, 0, low, high, 0, 0};
  k->ordered.sat16(&tile, sums);
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < SKEW; j++) {
      int64_t sum = start[i * SKEW + j];
      for (int64_t t = 0; t < steps; t++) sum = limited(sum + rows[i][t + j % 2] * panel[t * SKEW + j], low, high);
      expect_equal(sums[i * SKEW + j], sum, "sat16", k->name);
    }
  for (int64_t i = 0; i < ROWS; i++) free(rows[i]);
  free(panel);
  free(sums);
}

/* 16-bit sums and exact totals; with `together` no sum of two neighbouring products leaves 16 bits. */
static void check_totals(const hwb_kernels *k, int64_t count, int64_t steps, int64_t together) {
  int64_t reach = together ? 64 : 128;
  int16_t *rows[ROWS], *panel = drawn(steps * SKEW, -reach, reach - 1), *sums = drawn(ROWS * SKEW, -32768, 32767);
  int32_t *totals = exact(ROWS * SKEW * 4), begun[ROWS * SKEW];
  int16_t start[ROWS * SKEW];
  for (int64_t i = 0; i < ROWS; i++) rows[i] = drawn(steps + 1, -255, 255);
  for (int64_t i = 0; i < ROWS * SKEW; i++) totals[i] = begun[i] = (int32_t)draw(-(1 << 24), 1 << 24);
  memcpy(start, sums, sizeof start);
  hwb_limited_tile tile = {(const int16_t *const *)rows, count, panel, steps, together, -32768, 32767, 0, 0};
  k->ordered.sat16_totals(&tile, sums, totals);
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < SKEW; j++) {
      int64_t sum = start[i * SKEW + j], total = begun[i * SKEW + j];
      for (int64_t t = 0; t < steps; t++) {
        int64_t product = rows[i][t + j % 2] * panel[t * SKEW + j];
        sum = limited(sum + product, -32768, 32767);
        total += product;
      }
      expect_equal(sums[i * SKEW + j], sum, "sat16 beside totals", k->name);
      expect_equal(totals[i * SKEW + j], total, "totals", k->name);
    }
  for (int64_t i = 0; i < ROWS; i++) free(rows[i]);
  free(panel);
  free(sums);
  free(totals);
}

/* 32-bit tiles, singly or in groups of pairs. */
static void check_limited(const hwb_kernels *k, int64_t count, int64_t pairs, int64_t group, int64_t bits, int64_t moved) {
  int64_t high = ((int64_t)1 << (bits - 1)) - 1, low = -high - 1, whole = (2 * pairs + 31) / 32 * 32;
  int16_t *rows[ROWS], *panel = drawn(pairs * 2 * COLUMNS, -128, 127);
  int32_t *sums = exact(ROWS * COLUMNS * 4), start[ROWS * COLUMNS];
  for (int64_t i = 0; i < ROWS; i++) rows[i] = drawn(whole, -255, 255);
  for (int64_t i = 0; i < ROWS * COLUMNS; i++) sums[i] = start[i] = (int32_t)draw(low, high);
  hwb_limited_tile tile = {(const int16_t *const *)rows, count, panel, pairs, group, low, high,
                           moved ? hwb_min(7, 32 - bits) : 0, moved ? hwb_max(0, 25 - bits) : 0};
  k->ordered.limited_s32(&tile, sums);
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < COLUMNS; j++) {
      int64_t sum = start[i * COLUMNS + j], together = group ? 2 * group : 1;
      for (int64_t p = 0; p < 2 * pairs;) {
        int64_t part = 0;
        for (int64_t end = hwb_min(p + together, 2 * pairs); p < end; p++)
          part += rows[i][p] * panel[(p / 2 * COLUMNS + j) * 2 + p % 2];
        sum = limited(sum + part, low, high);
      }
      expect_equal(sums[i * COLUMNS + j], sum, "limited_s32", k->name);
    }
  for (int64_t i = 0; i < ROWS; i++) free(rows[i]);
  free(panel);
  free(sums);
}

static void check_bounds(const hwb_kernels *k, int64_t count, int64_t length, int64_t peak) {
  int64_t blocks = (length + 31) / 32;
  int16_t *rows[ROWS];
  hwb_block_bound *bounds = exact((size_t)blocks * sizeof *bounds);
  for (int64_t i = 0; i < ROWS; i++) {
    rows[i] = drawn(blocks * 32, -peak, peak - 1);
    memset(rows[i] + length, 0, (size_t)(blocks * 32 - length) * 2);
  }
  k->ordered.bounds((const int16_t *const *)rows, count, length, bounds);
  for (int64_t b = 0; b < blocks; b++) {
    int64_t most = 0, largest = 0, squares = 0;
    for (int64_t i = 0; i < count; i++) {
      int64_t sum = 0, square = 0;
      for (int64_t j = 32 * b; j < 32 * b + 32; j++) {
        largest = hwb_max(largest, labs(rows[i][j]));
        sum += labs(rows[i][j]);
        square += (int64_t)rows[i][j] * rows[i][j];
      }
      most = hwb_max(most, sum);
      squares = hwb_max(squares, square);
    }
    expect_equal((int64_t)bounds[b].peak, largest, "peak", k->name);
    expect_equal((int64_t)bounds[b].sum, most, "sum", k->name);
    int64_t norm = (int64_t)bounds[b].norm;
    expect(norm * norm >= squares && (norm - 1) * (norm - 1) < squares + !squares, "norm", k->name, norm, squares);
  }
  for (int64_t i = 0; i < ROWS; i++) free(rows[i]);
  free(bounds);
}

static void check_additions(const hwb_kernels *k, int64_t count) {
  int32_t *sums = exact((size_t)count * COLUMNS * 4), addend[COLUMNS], start[ROWS * COLUMNS], low, high;
  for (int64_t j = 0; j < COLUMNS; j++) addend[j] = (int32_t)draw(-5000, 5000);
  for (int64_t i = 0; i < count * COLUMNS; i++) sums[i] = start[i] = (int32_t)draw(-2048, 2047);
  k->ordered.add_limited_s32(sums, count, addend, -2048, 2047);
  int64_t least = INT32_MAX, most = INT32_MIN;
  for (int64_t i = 0; i < count * COLUMNS; i++) {
    expect_equal(sums[i], limited(start[i] + addend[i % COLUMNS], -2048, 2047), "add_limited_s32", k->name);
    least = hwb_min(least, sums[i]);
    most = hwb_max(most, sums[i]);
  }
  k->ordered.extremes_s32(sums, count, &low, &high);
  expect_equal(low, least, "lowest", k->name);
  expect_equal(high, most, "highest", k->name);
  free(sums);
}

/* One linear layer of n samples as an op, with int32 sums as its output. */
typedef struct {
  hwb_ordered o;
  int16_t *weights, *panels, *skewed;
  uint8_t *together;
  int64_t *bias, *nothing, unsafe, offset;
  int32_t *bias32, *nothing32;
  hwb_block_bound *bounds;
} layer;

static void pack(layer *l, int64_t k, int64_t outputs) {
  int64_t panels = (outputs + 15) / 16, pairs = (k + 1) / 2, wide = (panels + 1) / 2, blocks = (k + 31) / 32;
  l->panels = exact((size_t)(panels * pairs * 32) * 2);
  l->skewed = exact((size_t)(wide * (k + 1) * SKEW) * 2);
  l->bounds = exact((size_t)(panels * blocks) * sizeof *l->bounds);
  l->together = exact((size_t)(wide * (k / HWB_TOTAL_STEPS + 1)));
  memset(l->together, 0, (size_t)(wide * (k / HWB_TOTAL_STEPS + 1)));
  memset(l->panels, 0, (size_t)(panels * pairs * 32) * 2);
  memset(l->skewed, 0, (size_t)(wide * (k + 1) * SKEW) * 2);
  memset(l->bounds, 0, (size_t)(panels * blocks) * sizeof *l->bounds);
  for (int64_t j = 0; j < outputs; j++)
    for (int64_t i = 0; i < k; i++) {
      int16_t w = l->weights[j * k + i];
      hwb_block_bound *b = l->bounds + j / 16 * blocks + i / 32;
      l->panels[((j / 16 * pairs + i / 2) * 16 + j % 16) * 2 + i % 2] = w;
      l->skewed[(j / SKEW * (k + 1) + i + 1 - j % 2) * SKEW + j % SKEW] = w;
      b->peak = fmax(b->peak, labs(w));
      b->sum = b->norm = 32.0 * b->peak; /* wider than need be, and valid */
    }
}

static layer make_layer(int64_t k, int64_t outputs, int64_t bits, int64_t kind) {
  layer l = {0};
  int64_t high = ((int64_t)1 << (bits - 1)) - 1;
  size_t room = (size_t)outputs + 16;
  l.weights = drawn(outputs * k, -128, 127);
  l.weights[0] = -128; /* with an input of -128 one product is outside for sure */
  pack(&l, k, outputs);
  l.bias = exact(room * 8);
  l.nothing = exact(room * 8);
  l.bias32 = exact(room * 4);
  l.nothing32 = exact(room * 4);
  for (size_t i = 0; i < room; i++) {
    l.bias[i] = l.bias32[i] = (int32_t)draw(-3000, 3000);
    l.nothing[i] = l.nothing32[i] = 0;
  }
  l.unsafe = outputs;
  hwb_ordered_numbers n = {.x_dtype = HWB_S8, .height = 1, .width = 1, .channels = k, .out_height = 1, .out_width = 1,
                           .out_channels = outputs, .stride_h = 1, .stride_w = 1, .groups = 1, .padded_height = 1,
                           .padded_width = 1, .taps = 1, .run = k, .kind = kind, .carried = 1, .flush = 1 << 14,
                           .low = -high - 1, .high = high, .addend_low = -3000, .addend_high = 3000};
  hwb_accumulator a = {.sum = {bits, 1, HWB_HOLD_SATURATE, 0}, .part = {16, 1, 0, 0}, .group = 1, .has_bias = 1};
  n.a = a;
  l.o.n = n;
  l.o.ends.tail_start = HWB_NO_TAIL;
  l.o.ends.cast.n.out_dtype = HWB_S32;
  l.o.ends.cast.n.accumulator_bits = 64;
  l.o.ends.cast.bias = l.nothing;
  l.o.ends.cast.bias32 = l.nothing32;
  return l;
}

static void free_layer(layer *l) {
  void *all[] = {l->together, l->weights, l->panels, l->skewed, l->bounds, l->bias, l->nothing, l->bias32, l->nothing32};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void expect_layer(const layer *l, const hwb_kernels *kernels, const int8_t *x, int64_t samples, int64_t level) {
  int64_t k = l->o.n.channels, outputs = l->o.n.out_channels, high = l->o.n.high, outside = 0, steps = 0;
  int32_t *y = exact((size_t)(samples * outputs) * 4);
  hwb_op op = {hwb_ordered_run, kernels, &l->o, hwb_ordered_scratch_bytes(&l->o)};
  void *scratch = exact(op.scratch_bytes);
  hwb_channel_counts *counts = exact((size_t)outputs * sizeof *counts);
  hwb_stats stats = fresh(level);
  stats.channels = counts;
  const void *in[1] = {x};
  hwb_ordered_run(&op, in, y, samples, scratch, &stats);
  for (int64_t j = 0; j < outputs; j++) {
    int64_t channel_steps = 0;
    for (int64_t s = 0; s < samples; s++) {
      int64_t sum = 0, total = l->bias[j];
      for (int64_t i = 0; i <= k; i++) {
        int64_t addend = i < k ? x[s * k + i] * l->weights[j * k + i] : l->bias[j];
        int64_t next = limited(sum + addend, -high - 1, high);
        channel_steps += next != sum + addend;
        sum = next;
        total += i < k ? addend : 0;
      }
      expect_equal(y[s * outputs + j], sum, "ordered op", kernels->name);
      outside += total < -high - 1 || total > high;
    }
    if (level >= 3) expect_equal(counts[j].steps, channel_steps, "steps", kernels->name);
    steps += channel_steps;
  }
  if (level) expect_equal(stats.outside, outside, "outside", kernels->name);
  expect(steps > 0, "events were provoked", kernels->name, steps, 1);
  free(y);
  free(scratch);
  free(counts);
}

static void check_layers(const hwb_kernels *kernels) {
  static const int64_t lengths[] = {1, 2, 31, 32, 33, 100, 257}, outputs[] = {1, 16, 17, 33};
  for (int64_t kind = HWB_ELEMENTS; kind <= HWB_PROBED; kind++)
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
      for (size_t j = 0; j < sizeof outputs / sizeof *outputs; j++)
        for (int64_t level = 0; level <= 3; level++) {
          int64_t bits = kind != HWB_SAT16 ? 11 : j % 2 && lengths[i] >= 100 ? 16 : 11 + (level & 1);
          layer l = make_layer(lengths[i], outputs[j], bits, kind);
          l.o.weights = l.weights;
          l.o.panels = l.panels;
          l.o.skewed = l.skewed;
          l.o.together = bits == 16 ? l.together : NULL;
          l.o.offsets = &l.offset;
          l.o.bias = l.bias;
          l.o.correction = l.nothing;
          l.o.bias32 = l.o.addend32 = l.bias32;
          l.o.correction32 = l.nothing32;
          l.o.unsafe = &l.unsafe;
          l.o.bounds = l.bounds;
          int64_t samples = 1 + (int64_t)(i + j) % 8;
          int8_t *x = exact((size_t)(samples * lengths[i]));
          for (int64_t e = 0; e < samples * lengths[i]; e++) x[e] = (int8_t)(draw(0, 3) ? draw(-128, 127) : -128);
          x[0] = -128;
          expect_layer(&l, kernels, x, samples, level);
          free(x);
          free_layer(&l);
        }
}

static void check(const hwb_kernels *k) {
  static const int64_t lengths[] = {1, 2, 3, 15, 16, 17, 255};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
    for (int64_t count = 1; count <= ROWS; count++) {
      check_sat16(k, count, lengths[i], -32768, 32767);
      check_sat16(k, count, lengths[i], -2048, 2047);
      check_sat16(k, count, lengths[i], -32767, 32767);
      for (int64_t group = 0; group <= 16; group = group ? 2 * group : 1)
        for (int64_t moved = 0; moved <= 1; moved++) check_limited(k, count, lengths[i], group, 17 + 2 * (int64_t)i, moved);
      for (int64_t together = 0; together <= 1; together++) check_totals(k, count, lengths[i], together);
      check_totals(k, count, HWB_TOTAL_STEPS, 1);
      check_bounds(k, count, 2 * lengths[i] - 1, 256);
      check_bounds(k, count, lengths[i], 32768);
      check_additions(k, count);
    }
  check_layers(k);
}

int main(void) { return on_every_isa(check); }
