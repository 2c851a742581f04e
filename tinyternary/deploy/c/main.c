/* Classify images: ./classify [--bits] FILE...
 *
 * Files are binary PGM (grey, P5) or PPM (colour, P6) of the model's size; one file may hold
 * several images. --bits prints the bits of logits, to be compared. */
#include "model.h"

#include <stdio.h>
#include <string.h>

static uint8_t image[TT_IMAGE_SIZE * TT_IMAGE_SIZE * TT_CHANNELS];

/* The next number of a header; comments run from # to the end of a line. */
static int header_number(FILE *file)
{
    int c = getc(file), value = 0, digits = 0;
    while (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '#') {
        if (c == '#')
            while (c != '\n' && c != EOF)
                c = getc(file);
        else
            c = getc(file);
    }
    for (; c >= '0' && c <= '9' && value < 65536; c = getc(file), digits++)
        value = 10 * value + (c - '0');
    return digits ? value : -1; /* and the one white space after it is read */
}

/* 1: an image was read; 0: the file is at its end; -1: it is something else. */
static int read_image(FILE *file)
{
    int c = getc(file);
    if (c == EOF)
        return 0;
    if (c != 'P' || getc(file) != (TT_CHANNELS == 1 ? '5' : '6'))
        return -1;
    if (header_number(file) != TT_IMAGE_SIZE || header_number(file) != TT_IMAGE_SIZE ||
        header_number(file) != 255)
        return -1;
    return fread(image, 1, sizeof image, file) == sizeof image ? 1 : -1;
}

static void print_answer(const char *name, int answer, const tt_logit *logits, int bits)
{
    printf("%s:", name);
    if (answer < 0)
        printf(" no answer, a logit is no number");
#ifdef TT_MULTI_LABEL
    for (int label = 0; answer >= 0 && label < TT_CLASSES; label++)
        if (tt_has_label(label, logits))
            printf(" %s;", tt_class_names[label]);
    if (answer >= 0)
        printf(" (%d labels)", answer);
#else
    if (answer >= 0)
        printf(" %s", tt_class_names[answer]);
#endif
    for (int i = 0; i < TT_CLASSES; i++) {
        uint32_t word;
        memcpy(&word, &logits[i], sizeof word);
        if (bits)
            printf("%c%08lx", i ? ' ' : '\t', (unsigned long)word);
        else
            printf("%c%.6f", i ? ' ' : '\t', (double)logits[i] / TT_ONE);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    int bits = argc > 1 && strcmp(argv[1], "--bits") == 0;
    if (argc <= 1 + bits) {
        fprintf(stderr, "usage: %s [--bits] FILE... (%s of %d x %d pixels)\n",
                argc ? argv[0] : "classify", TT_CHANNELS == 1 ? "binary PGM" : "binary PPM",
                TT_IMAGE_SIZE, TT_IMAGE_SIZE);
        return 2;
    }
    fprintf(stderr, TT_USE "\n");
    for (int i = 1 + bits; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        int found = file ? read_image(file) : -1;
        for (; found > 0; found = read_image(file)) {
            tt_logit logits[TT_CLASSES];
            int answer = tt_classify(image, logits);
            print_answer(argv[i], answer, logits, bits);
        }
        if (file)
            fclose(file);
        if (found < 0) {
            fprintf(stderr, "%s: cannot be read as %s of %d x %d pixels\n", argv[i],
                    TT_CHANNELS == 1 ? "binary PGM (P5)" : "binary PPM (P6)", TT_IMAGE_SIZE,
                    TT_IMAGE_SIZE);
            return 1;
        }
    }
    return 0;
}
