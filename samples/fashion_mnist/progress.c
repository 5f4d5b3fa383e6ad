/* SPDX-License-Identifier: Apache-2.0 */
/* progress.c - a progress bar that knows where it is shown. */
#include "progress.h"

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { MOST_BAR = 40, LEAST_BAR = 8, LINE_BYTES = 512, RING = 4, TEXT_BYTES = 40, PLAIN_LINES = 4 };

static const double redraw_seconds = 0.1;

double progress_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- Numbers as text */

static char *next_text(void) {
    static char ring[RING][TEXT_BYTES];
    static unsigned n;
    return ring[n++ % RING];
}

const char *progress_grouped(int64_t number) {
    char digits[TEXT_BYTES], *text = next_text(), *at = text;
    int n = snprintf(digits, sizeof digits, "%lld", (long long)number);
    for (int i = 0; i < n; i++) {
        *at++ = digits[i];
        if (digits[i] != '-' && i + 1 < n && (n - 1 - i) % 3 == 0)
            *at++ = ',';
    }
    *at = '\0';
    return text;
}

const char *progress_duration(double seconds) {
    char *text = next_text();
    long long s = seconds > 0 && seconds < 1e9 ? llround(seconds) : 0;
    if (s >= 3600)
        snprintf(text, TEXT_BYTES, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, TEXT_BYTES, "%lld:%02lld", s / 60, s % 60);
    return text;
}

/* ---- State */

progress progress_start(int64_t epochs, int64_t epoch_images) {
    const char *term = getenv("TERM");
    setlocale(LC_CTYPE, "");
    return (progress){
        .terminal = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0,
        .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
        .epochs = epochs,
        .epoch_images = epoch_images,
    };
}

void progress_epoch(progress *p) {
    p->epoch++;
    p->images = 0;
    p->quarters = 0;
    p->drawn = -1;
    p->loss = p->accuracy = NAN;
    p->started = progress_clock();
}

void progress_values(progress *p, double loss, double accuracy) {
    p->loss = loss;
    p->accuracy = accuracy;
}

double progress_seconds(const progress *p) {
    return p->seconds_before + (p->images > 0 ? progress_clock() - p->started : 0);
}

double progress_images_per_second(const progress *p) {
    double seconds = progress_seconds(p);
    return seconds > 0 ? (double)(p->images_before + p->images) / seconds : 0;
}

/* ---- Lines */

/* "━━━━━━╸     " of so many columns. */
static void bar_text(const progress *p, int columns, char *out) {
    double share = p->epoch_images > 0 ? (double)p->images / (double)p->epoch_images : 0;
    int halves = (int)(share * columns * 2);
    for (int i = 0; i < columns; i++) {
        const char *cell = halves >= 2 * i + 2   ? (p->utf8 ? "━" : "=")
                           : halves == 2 * i + 1 ? (p->utf8 ? "╸" : ">")
                                                 : (p->utf8 ? "─" : "-");
        out = stpcpy(out, cell);
    }
}

/* What stands beside the bar, in pieces, the most important one first. */
static void value_texts(const progress *p, char loss[TEXT_BYTES], char accuracy[TEXT_BYTES],
                        char speed[TEXT_BYTES], char left[TEXT_BYTES]) {
    double rate = progress_images_per_second(p);
    int64_t todo = p->epoch_images * p->epochs - p->images_before - p->images;
    loss[0] = accuracy[0] = '\0';
    if (!isnan(p->loss)) {
        snprintf(loss, TEXT_BYTES, "  loss %.4f", p->loss);
        snprintf(accuracy, TEXT_BYTES, "  accuracy %.4f", p->accuracy);
    }
    snprintf(speed, TEXT_BYTES, "  %s images/s", progress_grouped(llround(rate)));
    snprintf(left, TEXT_BYTES, "  %s left", progress_duration(rate > 0 ? (double)todo / rate : 0));
}

static void draw(progress *p) {
    struct winsize window;
    int width = 80;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
        width = window.ws_col;
    char head[TEXT_BYTES], text[4][TEXT_BYTES], bar[MOST_BAR * 3 + 1] = "";
    snprintf(head, sizeof head, "epoch %lld/%lld", (long long)p->epoch, (long long)p->epochs);
    value_texts(p, text[0], text[1], text[2], text[3]);
    /* What does not fit is left out from the end; the last column stays free, or the line would
     * wrap. */
    int room = width - 1 - (int)strlen(head), shown = 0;
    while (shown < 4 && (int)strlen(text[shown]) <= room)
        room -= (int)strlen(text[shown++]);
    int columns = room - 2 < MOST_BAR ? room - 2 : MOST_BAR;
    if (columns >= LEAST_BAR)
        bar_text(p, columns, bar);
    printf("\r%.*s%s%s", width > 1 ? width - 1 : 0, head, *bar ? "  " : "", bar);
    for (int i = 0; i < shown; i++)
        fputs(text[i], stdout);
    fputs("\033[K", stdout);
    fflush(stdout);
}

static void print_line(const progress *p) {
    char text[4][TEXT_BYTES];
    value_texts(p, text[0], text[1], text[2], text[3]);
    printf("epoch %lld/%lld  %3d%%%s%s%s%s\n", (long long)p->epoch, (long long)p->epochs,
           (int)(100 * p->images / p->epoch_images), text[0], text[1], text[2], text[3]);
    fflush(stdout);
}

void progress_images(progress *p, int64_t more) {
    p->images += more;
    if (p->terminal) {
        double now = progress_clock();
        if (now - p->drawn < redraw_seconds && p->images < p->epoch_images)
            return;
        p->drawn = now;
        draw(p);
    } else if (p->images * PLAIN_LINES >= p->epoch_images * (p->quarters + 1)) {
        p->quarters = (int)(p->images * PLAIN_LINES / p->epoch_images);
        print_line(p);
    }
}

void progress_epoch_end(progress *p) {
    p->seconds_before = progress_seconds(p);
    p->images_before += p->images;
    p->images = 0;
    if (p->terminal)
        fputs("\r\033[K", stdout);
}
