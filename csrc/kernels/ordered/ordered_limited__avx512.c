/* AVX-512 VNNI tiles that limit a 32-bit sum after every addition, in the instruction that multiplies.

   vpdpwssds saturates to 32 bits. With operands moved left until the register's top bit is bit 31 it saturates where the
   register does: a highest sum then keeps ones below the register's LSB, which no later addition turns into a carry and
   the last shift drops. Of a pair of weights one at a time is multiplied, the other masked. */
#include <hwblocks/kernels.h>
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define EACH(i) _Pragma("GCC unroll 6") for (int i = 0; i < HWB_ORDERED_ROWS; i++)

enum { PAIRS = HWB_BOUND_BLOCK / 2 };

INLINE __m512i broadcast_pair(const int16_t *x) {
  int32_t pair;
  memcpy(&pair, x, sizeof pair);
  return _mm512_set1_epi32(pair);
}

/* One block of up to 16 pairs, its inputs moved already. */
INLINE void run_pairs(int16_t (*x)[2 * PAIRS], const int16_t *w, int64_t pairs, __m128i w_left, int singly, __m512i *sums) {
  for (int64_t k = 0; k < pairs; k++, w += 2 * HWB_TILE_COLUMNS) {
    __m512i both = _mm512_sll_epi16(_mm512_loadu_si512(w), w_left);
    if (!singly) {
      EACH(i) sums[i] = _mm512_dpwssds_epi32(sums[i], broadcast_pair(x[i] + 2 * k), both);
      continue;
    }
    __m512i first = _mm512_maskz_mov_epi16(0x55555555u, both), second = _mm512_maskz_mov_epi16(0xaaaaaaaau, both);
    EACH(i) sums[i] = _mm512_dpwssds_epi32(sums[i], broadcast_pair(x[i] + 2 * k), first);
    EACH(i) sums[i] = _mm512_dpwssds_epi32(sums[i], broadcast_pair(x[i] + 2 * k), second);
  }
}

INLINE void run_blocks(const hwb_limited_tile *tile, int singly, __m512i *sums) {
  __m128i x_left = _mm_cvtsi64_si128(tile->x_left), w_left = _mm_cvtsi64_si128(tile->w_left);
  for (int64_t start = 0; start < tile->length; start += PAIRS) {
    int16_t x[HWB_ORDERED_ROWS][2 * PAIRS];
    EACH(i) _mm512_storeu_si512(x[i], _mm512_sll_epi16(_mm512_loadu_si512(tile->rows[i] + 2 * start), x_left));
    run_pairs(x, tile->panel + start * 2 * HWB_TILE_COLUMNS, hwb_min(PAIRS, tile->length - start), w_left, singly, sums);
  }
}

void hwb_ordered_limited_s32__avx512(const hwb_limited_tile *tile, int32_t *sums) {
  int64_t left = tile->x_left + tile->w_left;
  if (!left || tile->group > 1) {
    hwb_ordered_limited_s32__avx2(tile, sums);
    return;
  }
  __m128i up = _mm_cvtsi64_si128(left);
  __m512i s[HWB_ORDERED_ROWS];
  EACH(i) s[i] = _mm512_sll_epi32(_mm512_loadu_si512(sums + 16 * i), up);
  if (tile->group) run_blocks(tile, 0, s);
  else run_blocks(tile, 1, s);
  EACH(i) _mm512_storeu_si512(sums + 16 * i, _mm512_sra_epi32(s[i], up));
}
