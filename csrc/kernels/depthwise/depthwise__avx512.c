/* AVX-512 VNNI depthwise: two rows of int16 or four of uint8 interleaved, so that one instruction adds a channel's taps. */
#include <hwblocks/kernels.h>
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
#define EACH(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++) /* unrolled, or sums leave their registers */

/* Byte 4·c + r of a column from byte 16·r + c. */
INLINE __m512i by_channel(void) {
  __m512i dwords = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return _mm512_add_epi32(_mm512_mullo_epi32(dwords, _mm512_set1_epi32(0x01010101)), _mm512_set1_epi32(0x30201000));
}

/* The first channels of a pixel; of fewer than 16 no more are read. */
INLINE __m128i pixel(const uint8_t *x, __mmask16 live) {
  return live == 0xFFFF ? _mm_loadu_si128((const __m128i *)(const void *)x) : _mm_maskz_loadu_epi8(live, x);
}

INLINE void columns_of(const hwb_side_by_side *from, __mmask16 live, uint8_t *columns, int64_t step) {
  const uint8_t *x0 = from->x[0], *x1 = from->x[1], *x2 = from->x[2], *x3 = from->x[3];
  const int64_t s0 = from->step[0], s1 = from->step[1], s2 = from->step[2], s3 = from->step[3], pixels = from->pixels;
  __m512i order = by_channel(), flips = _mm512_set1_epi8(from->dtype == HWB_S8 ? (char)0x80 : 0);
  for (int64_t i = 0; i < pixels; i++, x0 += s0, x1 += s1, x2 += s2, x3 += s3) {
    __m512i rows = _mm512_castsi128_si512(pixel(x0, live));
    rows = _mm512_mask_broadcast_i32x4(rows, 0x00F0, pixel(x1, live));
    rows = _mm512_mask_broadcast_i32x4(rows, 0x0F00, pixel(x2, live));
    rows = _mm512_mask_broadcast_i32x4(rows, 0xF000, pixel(x3, live));
    _mm512_store_si512(columns + i * step, _mm512_xor_si512(_mm512_permutexvar_epi8(order, rows), flips));
  }
}

void hwb_columns_u8__avx512(const hwb_side_by_side *from, uint8_t *columns, int64_t step) {
  if (from->width >= 16) columns_of(from, 0xFFFF, columns, step);
  else columns_of(from, (__mmask16)((1 << from->width) - 1), columns, step);
}

/* n is a constant at every call, so that the loops unroll. */
INLINE void sums_of(const int n, const int bytes, const hwb_columns *c, int64_t first, int32_t *out) {
  const char *x = (const char *)c->columns + first * c->step, *w = c->weights;
  __m512i sums[HWB_TILE_ROWS];
  EACH(i, n) sums[i] = _mm512_setzero_si512();
  for (int64_t t = 0; t < c->terms; t++, w += HWB_COLUMN_BYTES) {
    __m512i weights = _mm512_load_si512(w);
    EACH(i, n) {
      __m512i column = _mm512_load_si512(x + i * c->step + c->offsets[t]);
      sums[i] = bytes ? _mm512_dpbusd_epi32(sums[i], column, weights) : _mm512_dpwssd_epi32(sums[i], column, weights);
    }
  }
  EACH(i, n) _mm512_storeu_si512(out + (first + i) * 16, sums[i]);
}

INLINE void all_sums(const int bytes, const hwb_columns *c, int32_t *sums) {
  int64_t i = 0;
  for (; i + 8 <= c->count; i += 8) sums_of(8, bytes, c, i, sums);
  switch (c->count - i) {
  case 0: break;
  case 1: sums_of(1, bytes, c, i, sums); break;
  case 2: sums_of(2, bytes, c, i, sums); break;
  case 3: sums_of(3, bytes, c, i, sums); break;
  case 4: sums_of(4, bytes, c, i, sums); break;
  case 5: sums_of(5, bytes, c, i, sums); break;
  case 6: sums_of(6, bytes, c, i, sums); break;
  default: sums_of(7, bytes, c, i, sums); break;
  }
}

void hwb_depthwise_u8s8_s32__avx512(const hwb_columns *c, int32_t *sums) { all_sums(1, c, sums); }
void hwb_depthwise_s16s16_s32__avx512(const hwb_columns *c, int32_t *sums) { all_sums(0, c, sums); }
