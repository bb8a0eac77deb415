/* Loops of multiply-adds on registers alone, what an instruction set can do at most: twelve independent accumulators,
   in assembly, so that no compiler merges or spills them. Each returns the multiply-accumulates that it made. */
#include <stdint.h>

#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define ACCUMULATORS 12
#define USED \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm13", "xmm14", \
      "xmm15"

#define CLEAR(k) "vpxor %%xmm" #k ", %%xmm" #k ", %%xmm" #k "\n"
#define WORDS(k) "vpmaddwd %%ymm14, %%ymm15, %%ymm13\nvpaddd %%ymm13, %%ymm" #k ", %%ymm" #k "\n"
#define BYTES(k) "vpdpbusd %%zmm14, %%zmm15, %%zmm" #k "\n"

#define LOOP(STEP)                                                                               \
  __asm__ volatile(EACH(CLEAR) CLEAR(14) CLEAR(15) "1:\n" EACH(STEP) "dec %0\njnz 1b\nvzeroupper" \
                   : "+r"(rounds)                                                                \
                   :                                                                             \
                   : USED, "cc")

/* vpmaddwd and vpaddd: 16 products of 16 bits into 32-bit sums. */
int64_t limit_avx2(int64_t rounds) {
  int64_t made = rounds * ACCUMULATORS * 16;
  LOOP(WORDS);
  return made;
}

/* vpdpbusd: 64 products of 8 bits into 32-bit sums. */
int64_t limit_avx512(int64_t rounds) {
  int64_t made = rounds * ACCUMULATORS * 64;
  LOOP(BYTES);
  return made;
}
