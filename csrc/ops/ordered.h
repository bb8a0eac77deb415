/* What the parts of the ordered op share: a block of gathered rows of one group, and the tiles over it. */
#ifndef HWBLOCKS_ORDERED_H
#define HWBLOCKS_ORDERED_H

#include <hwblocks/ordered.h>

/* Rows of K inputs in the order of the register: rows[i][−1] is readable, and what follows K is zero for 34 entries. */
typedef struct {
  const hwb_op *op;
  const hwb_ordered *o;
  const int16_t *const *rows;
  int64_t count, group;
  int64_t position; /* of the first row, over all samples of the run */
  char *y;          /* all channels of the first row */
  hwb_block_bound *bounds; /* of every tile of rows */
  void *words;
  hwb_stats *stats;
} hwb_ordered_block;

/* Sums of one tile, 16 entries after the last that a cast may read. */
enum { HWB_TILE_SUMS = HWB_ORDERED_ROWS * HWB_TILE_COLUMNS, HWB_TILE_ROOM = HWB_TILE_SUMS + HWB_TILE_COLUMNS };

typedef struct {
  const hwb_ordered_block *b;
  const int16_t *const *rows;
  int64_t row, count;    /* of the block */
  int64_t panel, width;  /* of 16 packed channels, and those in use */
  int64_t first;         /* the first packed channel, over all groups */
  const hwb_block_bound *bounds;
} hwb_ordered_tile;

static inline int64_t hwb_blocks_of(int64_t k) { return (k + HWB_BOUND_BLOCK - 1) / HWB_BOUND_BLOCK; }
static inline int64_t hwb_panels_of(const hwb_ordered_numbers *n) {
  return (n->out_channels / n->groups + HWB_TILE_COLUMNS - 1) / HWB_TILE_COLUMNS;
}
/* Elements from one gathered row to the next. */
static inline int64_t hwb_row_stride(int64_t k) { return hwb_blocks_of(k) * HWB_BOUND_BLOCK + 16; }

/* Gathered rows of k inputs that a block holds: as many as fit the second-level cache. */
int64_t hwb_rows_together(int64_t k);

/* Counts of `channels` channels set to nothing. */
void hwb_clear_counts(hwb_channel_counts *c, int64_t channels);

/* K. */
static inline int64_t hwb_length_of(const hwb_ordered_tile *t) { return t->b->o->n.taps * t->b->o->n.run; }

/* All output channels of the block's group, the bounds of its rows found first where they are asked for. */
void hwb_ordered_bounded_out(const hwb_ordered_block *b);

/* The same once the bounds are there. */
void hwb_ordered_block_out(const hwb_ordered_block *b);

/* Sums of the tile by the definition, one element after the other; counts what it sees. */
void hwb_ordered_elements(const hwb_ordered_tile *t, int64_t *sums);

/* The same in vectors, where the record is one whose every addition they can follow. */
int hwb_ordered_is_followed(const hwb_ordered_tile *t);
void hwb_ordered_followed(const hwb_ordered_tile *t, int32_t *sums);

/* What one element counted, packed channel and row of the block. */
void hwb_ordered_count_element(const hwb_ordered_tile *t, int64_t row, int64_t packed, const hwb_element *e);

/* The panel of weights of a tile. */
const int16_t *hwb_ordered_panel(const hwb_ordered_tile *t);

/* Counts the exact totals of a tile outside the register. */
void hwb_ordered_count_exact(const hwb_ordered_tile *t);

/* Sums of the tile without any limit in between, bias and correction not added. */
void hwb_ordered_plain_s32(const hwb_ordered_tile *t, int32_t *sums);
void hwb_ordered_plain_s64(const hwb_ordered_tile *t, int64_t *sums);

/* Sums of the tile in 32 bits, or 0 where its elements must be followed one by one (nothing is counted then). */
int hwb_ordered_limited(const hwb_ordered_tile *t, int32_t *sums);

/* Sums of two neighbouring tiles by the 16-bit kernel; the second may have no channels. */
void hwb_ordered_sat16(const hwb_ordered_tile *left, const hwb_ordered_tile *right, int32_t *sums, int32_t *more);

/* Elements from the plane's first to those of the window at output position `at` of a sample. */
static inline int64_t hwb_window_start(const hwb_ordered *o, int64_t at) {
  const hwb_ordered_numbers *n = &o->n;
  if (o->placement.starts) return o->placement.starts[at];
  int64_t h = at / n->out_width * n->stride_h, w = at % n->out_width * n->stride_w;
  return (h * n->padded_width + w) * n->channels;
}

/* One sample into its padded plane. */
void hwb_ordered_widen(const hwb_ordered *o, const hwb_kernels *k, const char *x, int16_t *plane);

/* Casts of a tile's sums to their places in y; 16 sums after the last may be read. */
void hwb_ordered_store_s32(const hwb_ordered_tile *t, const int32_t *sums);

/* sums + addend; 0 where a register that is not limited would leave its range. */
int hwb_ordered_add_constant(const hwb_ordered_tile *t, const int32_t *addend, int32_t *sums);

/* One where no sum of the tile, in any order, can leave the register, the addends included. */
int hwb_ordered_whole_holds(const hwb_ordered_tile *t);

/* Counts totals, sums + addend, outside a register of at most 31 bits. */
void hwb_ordered_count_totals(const hwb_ordered_tile *t, const int32_t *sums, const int32_t *addend);

/* One where a depthwise op is summed channel by channel side by side. */
int hwb_ordered_is_depthwise(const hwb_ordered *o);

/* `n` samples of such an op. row: room for K inputs. */
void hwb_ordered_depthwise(const hwb_op *op, const char *x, char *y, int64_t n, int16_t *plane, int16_t *row, void *words,
                           hwb_stats *stats);

#endif
