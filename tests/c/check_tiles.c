/* Tiles, depthwise sums and widening against plain loops, on exactly sized buffers. */
#include "check.h"

enum { ROWS = HWB_TILE_ROWS, COLUMNS = HWB_TILE_COLUMNS, MOST_TAPS = 5 };

/* kind 0: random; 1: both operands at their lowest value; 2: highest times lowest. */
static int16_t operand(int kind, int is_weight, int64_t low, int64_t high) {
  if (kind == 0) return (int16_t)draw(low, high);
  if (kind == 1) return (int16_t)low;
  return (int16_t)(is_weight ? low : high);
}

typedef struct {
  hwb_tile tile;
  int16_t *x, *panel;
  const int16_t *rows[ROWS];
  int64_t offsets[MOST_TAPS];
} tile_case;

/* Rows of one buffer whose last tap ends exactly at the buffer's end. */
static void make_case(tile_case *c, int64_t count, int64_t taps, int64_t pairs, int kind, int64_t x_peak, int64_t w_peak) {
  int64_t run = 2 * pairs, step = run + 3, size = (count - 1) * step + (taps - 1) * (run + 1) + run;
  c->x = exact((size_t)size * 2);
  c->panel = exact((size_t)(taps * pairs * 2 * COLUMNS) * 2);
  for (int64_t i = 0; i < size; i++) c->x[i] = operand(kind, 0, -x_peak, x_peak - 1);
  for (int64_t i = 0; i < taps * pairs * 2 * COLUMNS; i++) c->panel[i] = operand(kind, 1, -w_peak, w_peak - 1);
  for (int64_t t = 0; t < taps; t++) c->offsets[t] = t * (run + 1);
  for (int64_t i = 0; i < ROWS; i++) c->rows[i] = c->x + (i < count ? i : 0) * step;
  hwb_tile tile = {c->rows, c->offsets, count, taps, pairs, c->panel, 0};
  c->tile = tile;
}

static void free_case(tile_case *c) {
  free(c->x);
  free(c->panel);
}

static int64_t plain_sum(const tile_case *c, int64_t row, int64_t column) {
  int64_t sum = 0;
  for (int64_t t = 0; t < c->tile.taps; t++)
    for (int64_t k = 0; k < 2 * c->tile.pairs; k++) {
      int64_t pair = t * c->tile.pairs + k / 2;
      sum += (int64_t)c->rows[row][c->offsets[t] + k] * c->panel[(pair * COLUMNS + column) * 2 + k % 2];
    }
  return sum;
}

/* Pairs limited to 16 bits before they are added. */
static int64_t saturated_sum(const tile_case *c, int64_t row, int64_t column) {
  int64_t sum = 0;
  for (int64_t t = 0; t < c->tile.taps; t++)
    for (int64_t k = 0; k < c->tile.pairs; k++) {
      const int16_t *x = c->rows[row] + c->offsets[t] + 2 * k, *w = c->panel + ((t * c->tile.pairs + k) * COLUMNS + column) * 2;
      int64_t pair = x[0] * w[0] + x[1] * w[1];
      sum += pair > 32767 ? 32767 : pair < -32768 ? -32768 : pair;
    }
  return sum;
}

/* 32-bit sums of a tile by a kernel and by a plain loop. */
static void check_s32(const hwb_kernels *k, void (*gemm)(const hwb_tile *, int32_t *),
                      int64_t (*wanted)(const tile_case *, int64_t, int64_t), const char *name, const int64_t *size,
                      int kind) {
  tile_case c;
  make_case(&c, size[0], size[1], size[2], kind, 256, 128);
  int32_t *sums = exact((size_t)(size[0] * COLUMNS) * 4);
  gemm(&c.tile, sums);
  for (int64_t i = 0; i < size[0] * COLUMNS; i++)
    expect_equal(sums[i], wanted(&c, i / COLUMNS, i % COLUMNS), name, k->name);
  free(sums);
  free_case(&c);
}

/* Full 16-bit activations; flush is the number of pairs that a 32-bit sum holds. */
static void check_s64(const hwb_kernels *k, int64_t count, int64_t taps, int64_t pairs, int kind, int64_t w_peak) {
  tile_case c;
  make_case(&c, count, taps, pairs, kind, 32768, w_peak);
  c.tile.flush = INT32_MAX / (2 * 32768 * w_peak);
  int64_t *sums = exact((size_t)(count * COLUMNS) * 8);
  k->gemm_s16s16_s64(&c.tile, sums);
  for (int64_t i = 0; i < count * COLUMNS; i++)
    expect_equal(sums[i], plain_sum(&c, i / COLUMNS, i % COLUMNS), "gemm_s16s16_s64", k->name);
  free(sums);
  free_case(&c);
}

static void check_gemm(const hwb_kernels *k) {
  static const int64_t depth[] = {1, 2, 3, 8, 33, 130};
  for (int64_t count = 1; count <= ROWS; count++)
    for (int64_t taps = 1; taps <= MOST_TAPS; taps += 2)
      for (int d = 0; d < 6; d++)
        for (int kind = 0; kind < 3; kind++) {
          int64_t size[3] = {count, taps, depth[d]};
          check_s32(k, k->gemm_s16s16_s32, plain_sum, "gemm_s16s16_s32", size, kind);
          check_s32(k, k->gemm_s16s16_sat16_s32, saturated_sum, "gemm_s16s16_sat16_s32", size, kind);
          check_s64(k, count, taps, depth[d], kind, 128);
          check_s64(k, count, taps, depth[d], kind, 32768); /* not even one pair fits: flush 0 */
        }
}

static void check_depthwise(const hwb_kernels *k, int64_t taps, int kind) {
  int64_t size = (taps - 1) * 19 + COLUMNS, pairs = (taps + 1) / 2;
  int16_t *x = exact((size_t)size * 2), *w = exact((size_t)(pairs * 2 * COLUMNS) * 2);
  int64_t *offsets = exact((size_t)taps * 8);
  int32_t *sums = exact(COLUMNS * 4);
  for (int64_t i = 0; i < size; i++) x[i] = operand(kind, 0, -255, 255);
  for (int64_t i = 0; i < pairs * 2 * COLUMNS; i++) w[i] = operand(kind, 1, -128, 127);
  for (int64_t t = 0; t < taps; t++) offsets[t] = t * 19;
  for (int64_t c = 0; taps % 2 && c < COLUMNS; c++) w[(pairs - 1) * 32 + 2 * c + 1] = 0;
  k->depthwise_s16s16_s32(x, offsets, taps, w, sums);
  for (int64_t c = 0; c < COLUMNS; c++) {
    int64_t sum = 0;
    for (int64_t t = 0; t < taps; t++) sum += (int64_t)x[offsets[t] + c] * w[t / 2 * 32 + 2 * c + t % 2];
    expect_equal(sums[c], sum, "depthwise_s16s16_s32", k->name);
  }
  free(x);
  free(w);
  free(offsets);
  free(sums);
}

static void check_widen(const hwb_kernels *k, int64_t dtype, int64_t n) {
  static const int64_t low[] = {INT8_MIN, 0, INT16_MIN}, high[] = {INT8_MAX, UINT8_MAX, INT16_MAX};
  int64_t zero = dtype == HWB_S16 ? 0 : draw(low[dtype], high[dtype]);
  void *x = exact((size_t)n * hwb_size_of(dtype));
  int16_t *y = exact((size_t)n * 2);
  for (int64_t i = 0; i < n; i++) hwb_store(x, dtype, i, i % 3 ? draw(low[dtype], high[dtype]) : low[dtype]);
  k->widen(x, dtype, zero, y, n);
  for (int64_t i = 0; i < n; i++) expect_equal(y[i], hwb_load(x, dtype, i) - zero, "widen", k->name);
  free(x);
  free(y);
}

static void check_all(const hwb_kernels *k) {
  check_gemm(k);
  for (int64_t taps = 1; taps <= 25; taps++)
    for (int kind = 0; kind < 3; kind++) check_depthwise(k, taps, kind);
  for (int64_t dtype = HWB_S8; dtype <= HWB_S16; dtype++)
    for (int64_t n = 0; n <= 50; n++) check_widen(k, dtype, n);
}

int main(void) { return on_every_isa(check_all); }
