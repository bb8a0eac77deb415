/* The casts of 32-bit sums that an instruction set has: by lines where there are some, else one copy of its loop for each
   form of enum hwb_vector. */
#ifndef HWBLOCKS_CAST_FORMS_H
#define HWBLOCKS_CAST_FORMS_H

#include <hwblocks/kernels.h>
#include <hwblocks/lines.h>

enum { HWB_LINE_ROWS = 1 << 14 }; /* whose hits a 16-bit counter holds */

/* The body of hwb_cast_by_form__<isa>: cast_form(cast, block, stats, form) with `form` a constant, so that each copy holds
   only what its form needs; the scalar definition for casts that have none. */
#define HWB_CAST_BY_FORM(cast_form, cast, block, stats)                                                                \
  switch ((cast)->n.vector) {                                                                                          \
  case HWB_AFFINE: cast_form(cast, block, stats, HWB_AFFINE); break;                                                   \
  case HWB_AFFINE_BY_SIGN: cast_form(cast, block, stats, HWB_AFFINE_BY_SIGN); break;                                   \
  case HWB_REAL32: cast_form(cast, block, stats, HWB_REAL32); break;                                                   \
  case HWB_REAL64: cast_form(cast, block, stats, HWB_REAL64); break;                                                   \
  case HWB_STORED: cast_form(cast, block, stats, HWB_STORED); break;                                                   \
  default: hwb_cast_s32__ref(cast, block, stats); break;                                                               \
  }

/* One copy of cast_rows(cast, block, stats, lines, level) for each count of lines and level of statistics. */
#define HWB_CAST_BY_LINES(cast_rows, lines, cast, block, stats)                                                        \
  switch (2 * hwb_min((stats)->level, 2) + (lines) - 1) {                                                              \
  case 0: cast_rows(cast, block, stats, 1, 0); break;                                                                  \
  case 1: cast_rows(cast, block, stats, 2, 0); break;                                                                  \
  case 2: cast_rows(cast, block, stats, 1, 1); break;                                                                  \
  case 3: cast_rows(cast, block, stats, 2, 1); break;                                                                  \
  case 4: cast_rows(cast, block, stats, 1, 2); break;                                                                  \
  default: cast_rows(cast, block, stats, 2, 2); break;                                                                 \
  }

/* hwb_cast_s32__<isa>: by lines 16 channels and some rows at a time, or by form. */
#define HWB_DEFINE_CAST(isa)                                                                                           \
  void hwb_cast_s32__##isa(const hwb_cast *cast, const hwb_block *block, hwb_stats *stats) {                           \
    if (!cast->n.lines) {                                                                                              \
      hwb_cast_by_form__##isa(cast, block, stats);                                                                     \
      return;                                                                                                          \
    }                                                                                                                  \
    for (int64_t at = 0; at < block->width; at += HWB_TILE_COLUMNS)                                                    \
      for (int64_t i = 0; i < block->rows; i += HWB_LINE_ROWS) {                                                       \
        hwb_block part = hwb_part_s32(block, at, i, hwb_size_of(cast->n.out_dtype));                                   \
        hwb_cast_lines__##isa(cast, &part, stats);                                                                     \
      }                                                                                                                \
  }

/* At most 16 channels from `at` on, and HWB_LINE_ROWS rows from `row` on. */
static inline hwb_block hwb_part_s32(const hwb_block *b, int64_t at, int64_t row, size_t size) {
  hwb_block part = *b;
  part.sums = (const int32_t *)b->sums + row * b->step + at;
  part.rows = hwb_min(HWB_LINE_ROWS, b->rows - row);
  part.channel += at;
  part.width = hwb_min(HWB_TILE_COLUMNS, b->width - at);
  part.y += row * b->y_step + at * (int64_t)size;
  return part;
}

#define HWB_DECLARE_CASTS(isa)                                                                                         \
  void hwb_cast_by_form__##isa(const hwb_cast *cast, const hwb_block *block, hwb_stats *stats);                        \
  void hwb_cast_lines__##isa(const hwb_cast *cast, const hwb_block *block, hwb_stats *stats)

HWB_DECLARE_CASTS(avx2);
HWB_DECLARE_CASTS(avx512);
HWB_DECLARE_CASTS(neon);

#endif
