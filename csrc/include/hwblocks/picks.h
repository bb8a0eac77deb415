/* Ops steered by data: rows read and written by index, gates, positions of extremes. The rules of ops.h hold. */
#ifndef HWBLOCKS_PICKS_H
#define HWBLOCKS_PICKS_H

#include <hwblocks/ops.h>

/* y[b, p, i, s] = x[b, p, index[b, i], s] for x [outer, planes, rows, width] and index [outer, picks]. from_end: negative
   indices count from the end. in: x where it is no constant, index. An index outside: HWB_BAD_INDEX. */
typedef struct {
  int64_t dtype, outer, planes, rows, width, picks, index_dtype, from_end;
} hwb_pick_numbers;

typedef struct {
  hwb_pick_numbers n;
  const void *constant; /* x of every sample, stored in dtype; NULL: an input */
} hwb_pick;

int hwb_pick_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* y[o, s] = x[base[o] + Σ over k of index[o, k] · steps[k] + s] for count outputs o of `width` elements; each of the
   `parts` indices of an output lies below limits[k], or is counted from the end where from_end. in: x, index. An index
   outside: HWB_BAD_INDEX. */
typedef struct {
  int64_t dtype, x_count, count, width, parts, index_dtype, from_end;
} hwb_locate_numbers;

typedef struct {
  hwb_locate_numbers n;
  const int64_t *base;           /* [count] */
  const int64_t *limits, *steps; /* [parts] */
} hwb_locate;

int hwb_locate_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* y = x with y[b, address[b, p]] = data[b, p] for p in order, for x [outer, rows, width], data [outer, ports, width],
   address and enable [outer, ports]. in: x, address where it is no constant, data, enable (bytes) where there is one.
   Ports that are enabled by an input are counted as `outside`. An address outside, of any port: HWB_BAD_INDEX. */
typedef struct {
  int64_t dtype, outer, rows, width, ports, address_dtype, enabled;
} hwb_write_numbers;

typedef struct {
  hwb_write_numbers n;
  const int64_t *address; /* NULL: an input */
} hwb_write;

int hwb_write_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* Gates along rows of `length`: the first largest kept code is open (by_threshold 0), or every kept one of at least
   `threshold`. y = codes[n] where open, codes[0] elsewhere, n the open gates of the row (average) or 1; of `counts`
   the same entries count as saturated. Where `counted`, outputs that differ from the zero point count
   as `outside`.
   in: x, then the mask where `keep` is NULL. */
typedef struct {
  int64_t x_dtype, out_dtype, rows, length, by_threshold, threshold, average, zero_point, counted, keep_count;
} hwb_gate_numbers;

typedef struct {
  hwb_gate_numbers n;
  const int64_t *codes, *counts; /* [length + 1] */
  const int64_t *keep_index;
  const uint8_t *keep;
} hwb_gate;

int hwb_gate_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* y[o, i] = the index of the largest (or smallest) of x [outer, length, inner], of equal ones the first or the last. */
typedef struct {
  int64_t x_dtype, out_dtype, outer, length, inner, largest, last;
} hwb_position_numbers;

int hwb_position_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* The k largest (or smallest) of x [outer, length, inner] in order, of equal ones the first before, and their indices;
   outputs: values, indices, [outer, k, inner] each. 1 ≤ k ≤ length. */
typedef struct {
  int64_t x_dtype, index_dtype, outer, length, inner, k, largest;
} hwb_ranking_numbers;

int hwb_ranking_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);
size_t hwb_ranking_scratch_bytes(const void *parameters);

#endif
