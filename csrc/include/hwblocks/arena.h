/* Arenas: where buffers that live for a while lie in one memory. First fit in a given order, exchanges in that order, and
   a search that places everything below a capacity or shows that it cannot be done.

   Time is cut into sections: the moments of which none's buffers are all alive at another. Two buffers that live at the
   same time share a section, so that offsets which keep them apart in every section keep them apart always. */
#ifndef HWBLOCKS_ARENA_H
#define HWBLOCKS_ARENA_H

#include <stddef.h>
#include <stdint.h>

/* Buffers in rising order of `first`. Sizes are positive and sum to less than 2^62; sections may be empty. */
typedef struct {
  int64_t buffers, sections;
  const int64_t *size;      /* [buffers] bytes */
  const int64_t *first;     /* [buffers] the first section of each */
  const int64_t *past;      /* [buffers] and the one after its last */
  const int64_t *starts;    /* [sections + 1] how many buffers start before a section */
  const int64_t *member_at; /* [sections + 1] where a section's buffers begin in `member` */
  const int64_t *member;    /* [member_at[sections]] the buffers of every section */
} hwb_arena;

/* First fit: the buffers order[from] to order[to - 1] one after the other to the lowest place that is free, beside those
   placed before. offset, order: [buffers]; by_offset: [buffers], the buffers placed so far, the lowest first, kept
   from call to call. Aliasing: none. At most `buffers` places are looked at for each. */
void hwb_first_fit(const hwb_arena *a, const int64_t *order, int64_t from, int64_t to, int64_t *by_offset, int64_t *offset);

/* Exchanges: `rounds` times a buffer at the top changes its turn in the order with one of those below it that are alive
   with it, and first fit is done again; kept where the arena does not grow. order, offset: [buffers], an order and its
   first fit, improved in place; scratch: hwb_exchange_scratch_bytes; random: any state but 0, moved on. Stops at `wanted`
   bytes. Returns the bytes of the arena. */
size_t hwb_exchange_scratch_bytes(const hwb_arena *a);
int64_t hwb_exchange(const hwb_arena *a, int64_t *order, int64_t *offset, int64_t rounds, int64_t wanted, uint64_t *random,
                     int64_t *scratch);

/* Which section is decided next: that with the fewest ways to go on, the lowest one, or that with the least room. */
enum { HWB_FEWEST = 0, HWB_LOWEST, HWB_TIGHTEST };

/* What a search came to: not done yet, all placed, shown to be impossible, or out of the memory that it was given. */
enum { HWB_SEARCHING = 0, HWB_PLACED, HWB_IMPOSSIBLE, HWB_NO_ROOM };

typedef struct {
  int64_t capacity;    /* bytes, at most 2^62 */
  int64_t choice;      /* HWB_FEWEST ... */
  const int64_t *rank; /* [buffers] a permutation: of buffers that could lie at one place the lowest rank is tried first */
} hwb_goal;

/* A search begins with hwb_search_begin and goes on with every hwb_search_run, which looks at about `work` buffers (some
   400 million of them a second) and returns what came of it. memory: hwb_search_scratch_bytes, aligned to 8 bytes, kept between
   the calls; the same arena and goal every time. Once placed, hwb_search_offsets tells where: [buffers]. */
size_t hwb_search_scratch_bytes(const hwb_arena *a);
void hwb_search_begin(const hwb_arena *a, const hwb_goal *g, int64_t *memory);
int64_t hwb_search_run(const hwb_arena *a, const hwb_goal *g, int64_t *memory, int64_t work);
int64_t hwb_search_nodes(const int64_t *memory);
int64_t hwb_search_work(const int64_t *memory);
const int64_t *hwb_search_offsets(const int64_t *memory);

#endif
