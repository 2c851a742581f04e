/* Runs the emitted functions of one target on numbers read from a file; written for a test.

   file: int64 rows, outputs, blocks, k; then codes (weights), x rows (int8, padded), sums (int32),
   floats (k float32). Prints the tile's, the row's and the quantiser's results. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void tile(const void *x, int64_t stride, const void *weights, int64_t blocks, const void *sums,
          void *out, int64_t out_stride);
void row(const void *x, const void *weights, int64_t blocks, int32_t sum, void *out);
int32_t quantise(const void *x, int64_t k, void *codes, float *scale);

static void *take(FILE *file, size_t bytes) {
    void *room = aligned_alloc(64, (bytes + 127) / 64 * 64);
    if (!room || fread(room, 1, bytes, file) != bytes) exit(2);
    return room;
}

int main(int count, char **names) {
    FILE *in = count > 2 ? fopen(names[1], "rb") : 0, *out = count > 2 ? fopen(names[2], "wb") : 0;
    if (!in || !out) return 1;
    int64_t *facts = take(in, 32), rows = facts[0], outputs = facts[1], blocks = facts[2];
    int64_t k = facts[3];
    void *weights = take(in, outputs * blocks * 4);
    int8_t *x = take(in, rows * blocks * 16);
    int32_t *sums = take(in, rows * 4);
    float *floats = take(in, k * 4), scale = 0;
    int32_t *result = calloc((rows + 1) * outputs, 4);
    int8_t *codes = calloc(blocks * 16, 1);
    tile(x, blocks * 16, weights, blocks, sums, result, outputs * 4);
    row(x, weights, blocks, sums[0], result + rows * outputs);
    int32_t sum = quantise(floats, k, codes, &scale);
    fwrite(result, 4, (rows + 1) * outputs, out);
    fwrite(codes, 1, blocks * 16, out);
    fwrite(&sum, 4, 1, out);
    fwrite(&scale, 4, 1, out);
    return fclose(out) != 0;
}
