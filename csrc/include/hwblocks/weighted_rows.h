/* What the vector variants of weighted sums share: 16 codes of a row, never read beyond the last row's end. */
#ifndef HWBLOCKS_WEIGHTED_ROWS_H
#define HWBLOCKS_WEIGHTED_ROWS_H

#include <hwblocks/kernels.h>
#include <string.h>

/* Codes c to c + 15 of row t, of which those of other rows meet zero weights; zeros for rows past the last. `room`
   holds them where they would end beyond the last row. */
static inline const char *hwb_sixteen_of_row(const hwb_weighted_rows *r, int64_t t, int64_t c, char *room) {
  int64_t size = (int64_t)hwb_size_of(r->dtype), first = t * r->channels + c, end = r->terms * r->channels;
  if (first + HWB_TILE_COLUMNS <= end) return (const char *)r->x + first * size;
  memset(room, 0, (size_t)(HWB_TILE_COLUMNS * size));
  if (first < end) memcpy(room, (const char *)r->x + first * size, (size_t)((end - first) * size));
  return room;
}

#endif
