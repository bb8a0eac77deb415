/* SVDF and LSTM against plain loops over samples, steps and units; casts by the scalar definition. */
#include "check.h"

enum { MOST = 192, GATES = 4, SHIFT = 5 };
static int64_t bias64[MOST + 16], halves[MOST + 16];
static int32_t bias32[MOST + 16], ones[MOST + 16], shifts[MOST + 16], factors[MOST + 16], zeros[MOST + 16];

/* Sums divided by 2^SHIFT, ties up, to a storage type of the range; vectors take (v · 2^(32 − SHIFT) + 2^31) >> 32. */
static hwb_ends shifted_ends(int64_t dtype, int64_t low, int64_t high) {
  hwb_ends ends;
  memset(&ends, 0, sizeof ends);
  hwb_cast_numbers *n = &ends.cast.n;
  ends.tail_start = HWB_NO_TAIL;
  n->scheme = HWB_SHIFT, n->rounding = HWB_HALF_UP, n->bits = 64, n->is_signed = 1, n->accumulator_bits = 64;
  n->lo = n->clamp_lo = low, n->hi = n->clamp_hi = high, n->counts_low = n->counts_high = 1;
  n->out_dtype = dtype;
  n->vector = HWB_AFFINE;
  ends.cast.bias = bias64, ends.cast.bias32 = bias32, ends.cast.multiplier = ones, ends.cast.shift = shifts;
  ends.cast.factor = factors, ends.cast.right = zeros, ends.cast.addend = ends.cast.addend_below = halves;
  ends.tail = ends.cast;
  return ends;
}

static void *random_bytes(int64_t count) {
  int8_t *x = exact((size_t)count);
  for (int64_t i = 0; i < count; i++) x[i] = (int8_t)(draw(0, 3) ? draw(-128, 127) : draw(0, 1) ? -128 : 127);
  return x;
}

/* Weights [O, K] and their panels of 16 outputs and pairs of k. */
static int16_t *packed(const int8_t *weights, int64_t outputs, int64_t inner) {
  int64_t pairs = (inner + 1) / 2, panels = (outputs + 15) / 16;
  int16_t *out = exact((size_t)(panels * pairs * 32) * 2);
  memset(out, 0, (size_t)(panels * pairs * 32) * 2);
  for (int64_t o = 0; o < outputs; o++)
    for (int64_t k = 0; k < inner; k++)
      out[(o / 16 * pairs + k / 2) * 32 + 2 * (o % 16) + k % 2] = weights[o * inner + k];
  return out;
}

static int64_t dot(const int8_t *x, int64_t zero, const int8_t *w, int64_t inner) {
  int64_t sum = 0;
  for (int64_t k = 0; k < inner; k++) sum += (x[k] - zero) * w[k];
  return sum;
}

static void check_svdf(const hwb_kernels *k) {
  int64_t inputs = draw(1, 20), rank = draw(1, 3), units = draw(1, 40), filters = rank * units, taps = draw(1, 19);
  int64_t n = draw(1, 60), memory_dtype = draw(0, 1) ? HWB_S16 : HWB_S8, held = filters * taps;
  int64_t reach = draw(HWB_FITTING, HWB_NEAR_TOTALS), steepest = reach && draw(0, 1) ? INT16_MAX : 90;
  int64_t zero = memory_dtype == HWB_S16 ? 0 : draw(-9, 9); /* less it, codes fit 16 bits */
  int8_t *weights = random_bytes(filters * inputs), *x = random_bytes(n * inputs);
  int16_t *panels = packed(weights, filters, inputs);
  int16_t *time = exact((size_t)held * 2);
  int64_t low = memory_dtype == HWB_S8 ? INT8_MIN : INT16_MIN, high = -1 - low;
  for (int64_t i = 0; i < held; i++) time[i] = (int16_t)draw(-steepest, steepest);
  hwb_svdf_numbers numbers = {HWB_S8, 3, inputs, (inputs + 1) / 2, filters, taps, rank, memory_dtype, zero, reach};
  hwb_ends ends = shifted_ends(HWB_S8, INT8_MIN, INT8_MAX);
  hwb_svdf p = {numbers, shifted_ends(memory_dtype, low, high), ends, ends, panels, time};
  void *memory = exact((size_t)(n * held) * hwb_size_of(memory_dtype)), *kept = exact((size_t)(n * held) * hwb_size_of(memory_dtype));
  int8_t *y = exact((size_t)(n * units));
  for (int64_t i = 0; i < n * held; i++) hwb_store(memory, memory_dtype, i, draw(low, high));
  hwb_op op = {hwb_svdf_run, k, &p, hwb_svdf_scratch_bytes(&p)};
  void *scratch = exact(op.scratch_bytes), *outputs[2] = {y, kept};
  const void *in[2] = {x, memory};
  hwb_stats got = fresh(1), want = fresh(1), none = fresh(0);
  expect_equal(op.run(&op, in, outputs, n, scratch, &got), HWB_OK, "status", k->name);
  for (int64_t s = 0; s < n; s++)
    for (int64_t u = 0; u < units; u++) {
      int64_t sum = 0;
      for (int64_t f = u * rank; f < (u + 1) * rank; f++)
        for (int64_t t = 0; t < taps; t++) {
          int64_t at = s * held + f * taps + t;
          int64_t newest = hwb_cast_one(&p.newest.cast, dot(x + s * inputs, 3, weights + f * inputs, inputs), f, &none);
          int64_t moved = memory_dtype == HWB_S8 ? (int8_t)(newest + zero) : (int16_t)(newest + zero);
          int64_t code = t < taps - 1 ? hwb_load(memory, memory_dtype, at + 1) : moved;
          expect_equal(hwb_load(kept, memory_dtype, at), code, "svdf memory", k->name);
          sum += (code - zero) * time[f * taps + t];
        }
      expect_equal(y[s * units + u], hwb_cast_one(&p.units.cast, sum, u, &want), "svdf", k->name);
    }
  expect_equal(got.saturated, want.saturated, "svdf saturated", k->name);
  free(weights);
  free(x);
  free(panels);
  free(time);
  free(memory);
  free(kept);
  free(y);
  free(scratch);
}

static int64_t within(int64_t v, int64_t bits) {
  int64_t top = ((int64_t)1 << (bits - 1)) - 1;
  return v > top ? top : v < -top - 1 ? -top - 1 : v;
}

static int64_t away(int64_t v, int64_t shift) {
  int64_t half = shift ? (int64_t)1 << (shift - 1) : 0;
  return v < 0 ? -((-v + half) >> shift) : (v + half) >> shift;
}

/* Multipliers are powers of two here, so that the first rounding is a shift with ties up. */
static int64_t plain_step(const hwb_gate_step *step, int64_t v) {
  if (step->multiplier) return away((v * (step->multiplier >> 15) + (1 << 15)) >> 16, step->shift);
  int64_t moved = away(v, step->shift), low = moved & 0xFFFF;
  return low >= 0x8000 ? low - 0x10000 : low;
}

typedef struct {
  hwb_lstm p;
  int8_t *w, *r;
} lstm_case;

static int64_t plain_gate(const lstm_case *c, const int8_t *x, const int8_t *h, int64_t g, int64_t u, const int16_t *table) {
  const hwb_lstm_numbers *n = &c->p.n;
  hwb_stats none = fresh(0);
  int64_t o = g * n->units + u;
  int64_t fed = hwb_cast_one(&c->p.fed.cast, dot(x, n->x_zero, c->w + o * n->inputs, n->inputs), o, &none);
  int64_t back = hwb_cast_one(&c->p.back.cast, dot(h, n->h_zero, c->r + o * n->units, n->units), o, &none);
  return table[within(fed + back, 16) + 32768];
}

/* One step of one sample; h and c are its states, made anew in place. */
static void plain_step_of_sample(const lstm_case *l, const int8_t *x, int8_t *h, int16_t *c) {
  const hwb_lstm_numbers *n = &l->p.n;
  int8_t next[MOST];
  for (int64_t u = 0; u < n->units; u++) {
    int64_t f = plain_gate(l, x, h, 0, u, l->p.sigmoid), i = plain_gate(l, x, h, 1, u, l->p.sigmoid);
    int64_t g = plain_gate(l, x, h, 2, u, l->p.tanh), o = plain_gate(l, x, h, 3, u, l->p.sigmoid);
    int64_t kept = plain_step(&n->kept, f * c[u]), added = plain_step(&n->added, i * g);
    int64_t cell = within(within(kept, 16) + within(added, 16), 16);
    c[u] = (int16_t)(cell > n->clip ? n->clip : cell < -n->clip ? -n->clip : cell);
    next[u] = (int8_t)within(plain_step(&n->hidden, o * l->p.cell_tanh[c[u] + 32768]) + n->h_zero, 8);
  }
  memcpy(h, next, (size_t)n->units);
}

static void check_lstm(const hwb_kernels *k, const int16_t *const *tables) {
  int64_t inputs = draw(1, 20), units = draw(1, 40), steps = draw(1, 5), n = draw(1, 14), gates = GATES * units;
  hwb_gate_step shift = {0, draw(12, 16)}, round = {1 << 30, draw(10, 14)}, hidden = {1 << 30, draw(16, 23)};
  int wraps = (int)draw(0, 1);
  hwb_lstm_numbers numbers = {HWB_S8, draw(-9, 9), draw(-9, 9), steps, inputs, (inputs + 1) / 2, units, (units + 1) / 2,
                              draw(0, 1) ? 32768 : 9000, wraps ? shift : round, wraps ? shift : round, hidden};
  lstm_case c = {{numbers, shifted_ends(HWB_S16, INT16_MIN, INT16_MAX), shifted_ends(HWB_S32, INT32_MIN, INT32_MAX), NULL,
                  NULL, tables[0], tables[1], tables[2]}, random_bytes(gates * inputs), random_bytes(gates * units)};
  int16_t *x_panels = packed(c.w, gates, inputs), *h_panels = packed(c.r, gates, units);
  c.p.x_panels = x_panels, c.p.h_panels = h_panels;
  int8_t *x = random_bytes(n * steps * inputs), *h = random_bytes(n * units), *y = exact((size_t)(n * steps * units));
  int8_t *h_out = exact((size_t)(n * units));
  int16_t *cell = exact((size_t)(n * units) * 2), *c_out = exact((size_t)(n * units) * 2);
  for (int64_t i = 0; i < n * units; i++) cell[i] = (int16_t)draw(INT16_MIN, INT16_MAX);
  hwb_op op = {hwb_lstm_run, k, &c.p, hwb_lstm_scratch_bytes(&c.p)};
  void *scratch = exact(op.scratch_bytes), *outputs[3] = {y, h_out, c_out};
  const void *in[3] = {x, h, cell};
  hwb_stats stats = fresh(1);
  expect_equal(op.run(&op, in, outputs, n, scratch, &stats), HWB_OK, "status", k->name);
  for (int64_t s = 0; s < n; s++) {
    for (int64_t t = 0; t < steps; t++) {
      plain_step_of_sample(&c, x + (s * steps + t) * inputs, h + s * units, cell + s * units);
      for (int64_t u = 0; u < units; u++) expect_equal(y[(s * steps + t) * units + u], h[s * units + u], "lstm y", k->name);
    }
    for (int64_t u = 0; u < units; u++) {
      expect_equal(h_out[s * units + u], h[s * units + u], "lstm h", k->name);
      expect_equal(c_out[s * units + u], cell[s * units + u], "lstm c", k->name);
    }
  }
  expect_equal(stats.saturated, 0, "lstm saturated", k->name);
  void *all[] = {c.w, c.r, x_panels, h_panels, x, h, y, h_out, cell, c_out, scratch};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void check_recurrent(const hwb_kernels *k) {
  int16_t *tables[3];
  for (int t = 0; t < 3; t++) {
    tables[t] = exact(65536 * 2);
    for (int i = 0; i < 65536; i++) tables[t][i] = (int16_t)draw(t ? INT16_MIN : 0, INT16_MAX);
  }
  for (int i = 0; i < MOST + 16; i++) {
    ones[i] = 1, shifts[i] = SHIFT, bias32[i] = (int32_t)(bias64[i] = draw(-999, 999));
    factors[i] = 1 << (32 - SHIFT), halves[i] = (int64_t)1 << 31;
  }
  for (int round = 0; round < 40; round++) {
    check_svdf(k);
    check_lstm(k, (const int16_t *const *)tables);
  }
  for (int t = 0; t < 3; t++) free(tables[t]);
}

int main(void) { return on_every_isa(check_recurrent); }
