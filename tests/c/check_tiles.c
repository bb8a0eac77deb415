/* Tiles of every count of rows against plain loops, on exactly sized buffers. */
#include "check.h"

enum { ROWS = HWB_TILE_ROWS, COLUMNS = HWB_TILE_COLUMNS, MOST_TAPS = 40 };

/* What operands hold: random values, both at their lowest, or the highest input times the lowest weight. */
enum { RANDOM, LOWEST, HIGHEST_BY_LOWEST, KINDS };

/* A family's operands: storage types, k of a step, and the values drawn. */
typedef struct {
  const char *name;
  int64_t x_dtype, w_dtype, width;
  int64_t x_low, x_high, w_low, w_high;
  int64_t flush;  /* of bytes: pairs of products that 16 bits hold */
  int64_t paired; /* weights of columns j and j + 8 in one word */
} family;

typedef struct {
  hwb_tile tile;
  const family *f;
  void *x, *panel, *words; /* words: the panel with paired columns, or NULL */
  const void *rows[ROWS];
  int64_t *offsets;
} tile_case;

static int64_t operand(int kind, int is_weight, int64_t low, int64_t high) {
  if (kind == RANDOM) return draw(low, high);
  return kind == LOWEST || is_weight ? low : high;
}

static void *operands(int kind, int is_weight, int64_t dtype, int64_t count, int64_t low, int64_t high) {
  void *made = exact((size_t)count * hwb_size_of(dtype));
  for (int64_t i = 0; i < count; i++) hwb_store(made, dtype, i, operand(kind, is_weight, low, high));
  return made;
}

/* 256 · column j + column j + 8 + 128, step by step. */
static int16_t *paired_words(const int8_t *panel, int64_t steps) {
  int16_t *made = exact((size_t)steps * COLUMNS * 2);
  for (int64_t i = 0; i < steps * COLUMNS; i++) {
    const int8_t *first = panel + i / COLUMNS * 2 * COLUMNS + i % COLUMNS;
    made[i] = (int16_t)(256 * first[0] + first[COLUMNS] + 128);
  }
  return made;
}

/* Rows of one buffer whose last tap ends exactly at the buffer's end; pointers beyond the rows in use are NULL. */
static void make_case(tile_case *c, const family *f, int64_t count, int64_t taps, int64_t steps, int kind) {
  int64_t run = f->width * steps, step = run + 3, size = (count - 1) * step + (taps - 1) * (run + 1) + run;
  memset(c, 0, sizeof *c);
  c->f = f;
  c->x = operands(kind, 0, f->x_dtype, size, f->x_low, f->x_high);
  c->panel = operands(kind, 1, f->w_dtype, taps * run * COLUMNS, f->w_low, f->w_high);
  c->offsets = exact((size_t)taps * 8);
  for (int64_t t = 0; t < taps; t++) c->offsets[t] = t * (run + 1);
  for (int64_t t = taps - 1; t > 0; t--) { /* in any order */
    int64_t other = draw(0, t), held = c->offsets[t];
    c->offsets[t] = c->offsets[other], c->offsets[other] = held;
  }
  for (int64_t i = 0; i < count; i++) c->rows[i] = (const char *)c->x + (size_t)(i * step) * hwb_size_of(f->x_dtype);
  if (f->paired) c->words = paired_words(c->panel, taps * steps);
  hwb_tile tile = {c->rows, c->offsets, count, taps, steps, f->paired ? c->words : c->panel, f->flush, NULL};
  c->tile = tile;
}

static void free_case(tile_case *c) {
  free(c->x);
  free(c->panel);
  free(c->words);
  free(c->offsets);
}

/* Σ over one step of one tap. */
static int64_t step_sum(const tile_case *c, int64_t row, int64_t column, int64_t tap, int64_t step) {
  int64_t sum = 0, width = c->f->width;
  for (int64_t q = 0; q < width; q++)
    sum += hwb_load(c->rows[row], c->f->x_dtype, c->offsets[tap] + step * width + q) *
           hwb_load(c->panel, c->f->w_dtype, ((tap * c->tile.steps + step) * COLUMNS + column) * width + q);
  return sum;
}

static int64_t plain_sum(const tile_case *c, int64_t row, int64_t column, int saturates) {
  int64_t sum = 0;
  for (int64_t t = 0; t < c->tile.taps; t++)
    for (int64_t k = 0; k < c->tile.steps; k++) {
      int64_t one = step_sum(c, row, column, t, k);
      sum += saturates ? hwb_max(INT16_MIN, hwb_min(INT16_MAX, one)) : one;
    }
  return sum;
}

/* 32-bit sums of a tile by a kernel and by plain loops; those of bytes modulo 2^32. */
static void check_s32(const hwb_kernels *k, const family *f, void (*gemm)(const hwb_tile *, int32_t *), int saturates,
                      const int64_t *size, int kind) {
  tile_case c;
  make_case(&c, f, size[0], size[1], size[2], kind);
  int32_t *sums = exact((size_t)(size[0] * COLUMNS) * 4);
  gemm(&c.tile, sums);
  for (int64_t i = 0; i < size[0] * COLUMNS; i++)
    expect_equal(sums[i], (int32_t)(uint32_t)(uint64_t)plain_sum(&c, i / COLUMNS, i % COLUMNS, saturates), f->name, k->name);
  free(sums);
  free_case(&c);
}

/* Full 16-bit activations; flush is the number of steps that a 32-bit sum holds. */
static void check_s64(const hwb_kernels *k, const int64_t *size, int kind, int64_t w_peak) {
  family f = {"gemm_s16s16_s64", HWB_S16, HWB_S16, 2, INT16_MIN, INT16_MAX, -w_peak, w_peak - 1, 0, 0};
  tile_case c;
  make_case(&c, &f, size[0], size[1], size[2], kind);
  c.tile.flush = INT32_MAX / (2 * 32768 * w_peak);
  int64_t *sums = exact((size_t)(size[0] * COLUMNS) * 8);
  k->gemm_s16s16_s64(&c.tile, sums);
  for (int64_t i = 0; i < size[0] * COLUMNS; i++)
    expect_equal(sums[i], plain_sum(&c, i / COLUMNS, i % COLUMNS, 0), f.name, k->name);
  free(sums);
  free_case(&c);
}

static const family words = {"gemm_s16s16_s32", HWB_S16, HWB_S16, 2, -256, 255, -128, 127, 0, 0};
static const family mixed = {"gemm_s16s8_s32", HWB_S16, HWB_S8, 2, -256, 255, -128, 127, 0, 1};
static const family saturated = {"gemm_s16s16_sat16_s32", HWB_S16, HWB_S16, 2, -256, 255, -128, 127, 0, 0};
static const family bytes = {"gemm_u8s8_s32", HWB_U8, HWB_S8, 4, 0, UINT8_MAX, INT8_MIN, INT8_MAX, 0, 0};
static const family narrow[] = {
    {"gemm_u8s8_s32 of 7-bit weights", HWB_U8, HWB_S8, 4, 0, UINT8_MAX, -64, 63, 1, 0},
    {"gemm_u8s8_s32 of 5-bit weights", HWB_U8, HWB_S8, 4, 0, UINT8_MAX, -16, 15, 4, 0},
    {"gemm_u8s8_s32 of 4-bit weights", HWB_U8, HWB_S8, 4, 0, UINT8_MAX, -8, 7, 8, 0},
    {"gemm_u8s8_s32 of 2-bit weights", HWB_U8, HWB_S8, 4, 0, UINT8_MAX, -2, 1, 32, 0}};

static void check_size(const hwb_kernels *k, const int64_t *size, int kind) {
  if (size[0] <= k->u8_rows) check_s32(k, &bytes, k->gemm_u8s8_s32, 0, size, kind);
  for (int i = 0; i < 4 && size[0] <= k->u8_rows; i++) check_s32(k, &narrow[i], k->gemm_u8s8_s32, 0, size, kind);
  if (size[0] > k->s16_rows) return;
  check_s32(k, &words, k->gemm_s16s16_s32, 0, size, kind);
  check_s32(k, &mixed, k->gemm_s16s8_s32, 0, size, kind);
  check_s32(k, &saturated, k->gemm_s16s16_sat16_s32, 1, size, kind);
  check_s64(k, size, kind, 128);
  check_s64(k, size, kind, 32768); /* not even one step fits: flush 0 */
}

/* Whole 16-bit words: one step of the lowest inputs and the highest weights reaches the lowest sum but 65,536. */
static void check_words(const hwb_kernels *k, int64_t count, int kind) {
  family f = {"gemm_s16s16_s32 of whole words", HWB_S16, HWB_S16, 2, INT16_MIN, INT16_MAX, -32767, 32767, 0, 0};
  int64_t size[3] = {count, 1, 1};
  check_s32(k, &f, k->gemm_s16s16_s32, 0, size, kind);
}

/* Steps in runs, and every step as a tap of its own. */
static void check_all(const hwb_kernels *k) {
  static const int64_t taps[] = {1, 3, 5}, depth[] = {1, 2, 3, 8, 33, 130};
  expect(k->s16_rows >= 1 && k->s16_rows <= ROWS && k->u8_rows >= 1 && k->u8_rows <= ROWS, "rows", k->name, k->s16_rows, ROWS);
  for (int64_t count = 1; count <= ROWS; count++)
    for (int kind = 0; kind < KINDS; kind++) {
      for (int i = 0; i < 18; i++) {
        int64_t size[3] = {count, taps[i % 3], depth[i / 3]};
        check_size(k, size, kind);
      }
      for (int64_t single = 1; single <= MOST_TAPS; single += 3) {
        int64_t size[3] = {count, single, 1};
        check_size(k, size, kind);
      }
      if (count <= k->s16_rows) check_words(k, count, kind);
    }
  int64_t beyond[3] = {1, 2, 8500}; /* 68,000 products of 255 and −128 leave 32 bits */
  check_s32(k, &bytes, k->gemm_u8s8_s32, 0, beyond, HIGHEST_BY_LOWEST);
}

int main(void) { return on_every_isa(check_all); }
