/* What a bare Cortex-M of qemu's boards needs to run main.c, and a count of instructions.
 *
 * With -icount shift=0 an instruction takes a nanosecond, and a board's timer ticks every 40 of
 * them, or on the board with a Cortex-M55 (mps3-an547) its counter every 31.25. */
#include "model.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define FPU_ACCESS (*(volatile uint32_t *)0xE000ED88) /* CPACR */

#ifdef __ARM_FEATURE_MVE
#define COUNTER ((volatile uint32_t *)0x58100000) /* SSE-300's system counter: control, value */

static uint32_t ticks(void)
{
    COUNTER[0] = 1; /* enabled */
    return COUNTER[2];
}

static unsigned long long nanoseconds(uint32_t from, uint32_t to)
{
    return (to - from) * 125ull / 4;
}
#else
#define TIMER ((volatile uint32_t *)0x40000000) /* CMSDK APB timer: control, value, reload */

static uint32_t ticks(void)
{
    if (!TIMER[0]) {
        TIMER[1] = TIMER[2] = 0xFFFFFFFFu;
        TIMER[0] = 1;
    }
    return 0xFFFFFFFFu - TIMER[1]; /* it counts down */
}

static unsigned long long nanoseconds(uint32_t from, uint32_t to)
{
    return (to - from) * 40ull;
}
#endif

extern uint32_t stack_top[];
void _start(void); /* newlib's: memory, files and arguments by semihosting, then main */
void reset(void);

void reset(void)
{
    FPU_ACCESS |= 0xFu << 20; /* no effect where there is none */
    _start();
}

/* For malloc. newlib's own asks the emulator where memory is free, who answers for the M55's board
 * with memory that is not the program's. */
void *_sbrk(ptrdiff_t size);
void *_sbrk(ptrdiff_t size)
{
    extern char end[];
    static char *next = end;
    char *found = next;
    next += size;
    return found;
}

static void fault(void)
{
    for (;;) /* the emulator is stopped by a time limit */
        ;
}

typedef void (*handler)(void);

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    handler reset, faults[14];
} vectors = {stack_top, reset, {fault, fault, fault, fault, fault}};

int __real_tt_classify(const uint8_t *image, tt_logit *logits);
int __wrap_tt_classify(const uint8_t *image, tt_logit *logits);

int __wrap_tt_classify(const uint8_t *image, tt_logit *logits)
{
    uint32_t start = ticks();
    int answer = __real_tt_classify(image, logits);
    uint32_t stop = ticks();
    fprintf(stderr, "instructions: %llu\n", nanoseconds(start, stop));
    return answer;
}
