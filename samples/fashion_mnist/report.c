/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - the page about a run. */
#include "report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "progress.h"
#include "style.h"

enum { FIRST = 32, SUREST = 16, SHOWN = FIRST + SUREST };

/* ---- Text */

static void escaped(FILE *out, const char *text) {
    for (; *text; text++)
        switch (*text) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        default: putc(*text, out);
        }
}

static void setting(FILE *out, const char *name, const char *value) {
    fprintf(out, "<tr><th scope=\"row\">%s</th><td>", name);
    escaped(out, value);
    fputs("</td></tr>\n", out);
}

static void tile(FILE *out, const char *value, const char *name) {
    fprintf(out, "<div class=\"tile\"><b>%s</b><span>%s</span></div>\n", value, name);
}

/* ---- Sections */

static void write_head(FILE *out, const report *r) {
    const answers *a = r->answers;
    char text[64];
    fputs("<h1>Fashion-MNIST</h1>\n<p class=\"lead\">A convolutional network trained with Genesis "
          "on <b>",
          out);
    escaped(out, gn_default_device());
    fputs("</b>.</p>\n<div class=\"tiles\">\n", out);
    snprintf(text, sizeof text, "%.2f%%", a->n ? 100 * (double)a->correct / (double)a->n : 0);
    tile(out, text, "test accuracy");
    snprintf(text, sizeof text, "%.4f", a->loss);
    tile(out, text, "test loss");
    tile(out, progress_duration(r->seconds), "training time");
    tile(out, progress_grouped(llround(r->images_per_second)), "images per second");
    fputs("</div>\n", out);
}

static void write_charts(FILE *out, const report *r) {
    static const struct {
        const char *title;
        chart_value value;
    } charts[] = {{"Loss", CHART_LOSS}, {"Accuracy", CHART_ACCURACY}};
    double epochs = (double)r->epochs;
    if (r->train->n > 0)
        epochs = fmax(epochs, r->train->points[r->train->n - 1].epoch);
    fputs("<div class=\"charts\">\n", out);
    for (size_t i = 0; i < sizeof charts / sizeof charts[0]; i++) {
        fprintf(out,
                "<section><h2>%s</h2><p class=\"legend\"><span class=\"key "
                "train\"></span>training, with "
                "dropout <span class=\"key test\"></span>test</p>\n",
                charts[i].title);
        chart_write(out, charts[i].value, r->train, r->tested, epochs);
        fputs("</section>\n", out);
    }
    fputs("</div>\n", out);
}

static void write_confusion(FILE *out, const answers *a) {
    int64_t count[CLASSES][CLASSES] = {{0}}, total[CLASSES] = {0};
    for (int64_t i = 0; i < a->n; i++) {
        count[a->truth[i]][a->said[i]]++;
        total[a->truth[i]]++;
    }
    fputs(
        "<section><h2>Confusion matrix</h2>\n<p>Each row has the test images of one class, each "
        "column "
        "what the network takes them for.</p>\n<div class=\"scroll\"><table class=\"confusion\">\n"
        "<tr><td></td>",
        out);
    for (int k = 0; k < CLASSES; k++)
        fprintf(out, "<th scope=\"col\"><span>%s</span></th>", gn_fashion_mnist_classes[k]);
    fputs("<th scope=\"col\"><span>right</span></th></tr>\n", out);
    for (int row = 0; row < CLASSES; row++) {
        fprintf(out, "<tr><th scope=\"row\">%s</th>", gn_fashion_mnist_classes[row]);
        for (int k = 0; k < CLASSES; k++) {
            double share = total[row] ? (double)count[row][k] / (double)total[row] : 0;
            /* Mistakes are few: the root makes them visible. */
            fprintf(out, "<td class=\"%s%s\" style=\"--share:%.2f\">%lld</td>",
                    row == k ? "right" : "wrong",
                    share > 0.5 ? " deep"
                    : share > 0 ? ""
                                : " none",
                    row == k ? share : sqrt(share), (long long)count[row][k]);
        }
        fprintf(out, "<td class=\"sum\">%.1f%%</td></tr>\n",
                total[row] ? 100 * (double)count[row][row] / (double)total[row] : 0);
    }
    fputs("</table></div></section>\n", out);
}

/* ---- Images */

/* The test images to show: the first ones, then the mistakes that the network was surest of. */
static void choose(const answers *a, int64_t images[SHOWN], int *n_first, int *n_surest) {
    *n_first = a->n < FIRST ? (int)a->n : FIRST;
    for (int i = 0; i < *n_first; i++)
        images[i] = i;
    int64_t *surest = images + *n_first;
    int n = 0;
    for (int64_t i = 0; i < a->n; i++) {
        if (a->said[i] == a->truth[i])
            continue;
        int at = n < SUREST ? n++ : SUREST; /* insertion sort; the least sure one falls off */
        while (at > 0 && a->sure[surest[at - 1]] < a->sure[i]) {
            if (at < SUREST)
                surest[at] = surest[at - 1];
            at--;
        }
        if (at < SUREST)
            surest[at] = i;
    }
    *n_surest = n;
}

static void write_figure(FILE *out, const answers *a, int64_t image, int place) {
    bool right = a->said[image] == a->truth[image];
    fprintf(out, "<figure class=\"%s\"><i style=\"--place:%d\"></i><figcaption>",
            right ? "right" : "wrong", place);
    fprintf(out, "<b>%s</b> <small>%.0f%%</small>", gn_fashion_mnist_classes[a->said[image]],
            100 * (double)a->sure[image]);
    if (!right)
        fprintf(out, "<br>is: %s", gn_fashion_mnist_classes[a->truth[image]]);
    fputs("</figcaption></figure>\n", out);
}

static void write_images(FILE *out, const report *r) {
    int64_t images[SHOWN];
    int n_first, n_surest;
    choose(r->answers, images, &n_first, &n_surest);
    int n = n_first + n_surest;
    if (n == 0)
        return;
    fprintf(out, "<style>figure i{--rows:%d;background-image:url(", n);
    sheet_write(out, r->test, images, n);
    fputs(")}</style>\n<section><h2>The first test images</h2><p>Below each one, what the network "
          "takes it "
          "for, and how sure it is; mistakes are marked.</p><div class=\"sheet\">\n",
          out);
    for (int i = 0; i < n_first; i++)
        write_figure(out, r->answers, images[i], i);
    fputs("</div></section>\n", out);
    if (n_surest == 0)
        return;
    fputs("<section><h2>The mistakes that it is surest of</h2><div class=\"sheet\">\n", out);
    for (int i = n_first; i < n; i++)
        write_figure(out, r->answers, images[i], i);
    fputs("</div></section>\n", out);
}

/* ---- Settings */

static void write_settings(FILE *out, const report *r) {
    gn_device_info info = {.struct_size = sizeof info};
    char text[512];
    fputs("<section><h2>Settings</h2><table class=\"settings\">\n", out);
    setting(out, "device", gn_default_device());
    if (gn_device_describe(gn_default_device(), &info) == GN_OK) {
        setting(out, "hardware", info.name);
        setting(out, "driver", info.driver);
    }
    snprintf(text, sizeof text, "%s training, %s test", progress_grouped(r->train_images),
             progress_grouped(r->answers->n));
    setting(out, "images", text);
    snprintf(text, sizeof text, "%lld of %lld", (long long)r->epochs,
             (long long)r->settings->epochs);
    setting(out, "epochs finished", text);
    setting(out, "batch", progress_grouped(r->settings->batch));
    snprintf(text, sizeof text, "Adam, one cycle up to %g", r->settings->lr);
    setting(out, "optimizer", text);
    snprintf(text, sizeof text, "%lld", (long long)r->settings->seed);
    setting(out, "seed", text);
    setting(out, "parameters", progress_grouped(gn_num_parameters(r->model)));
    setting(out, "Genesis", gn_version());
    fputs("</table>\n", out);
    char *tree = gn_module_text(r->model);
    if (tree) {
        fputs("<pre>", out);
        escaped(out, tree);
        fputs("</pre>", out);
    }
    free(tree);
    fputs("</section>\n", out);
}

gn_status report_write(const report *r, const char *path) {
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return gn_fail(GN_E_IO, "report", "%s: %s", path, strerror(errno));
    fprintf(out,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width\">\n"
            "<title>Fashion-MNIST with Genesis</title>\n<style>%s</style></head><body>\n",
            report_style);
    write_head(out, r);
    write_charts(out, r);
    write_confusion(out, r->answers);
    write_images(out, r);
    write_settings(out, r);
    fputs("</body></html>\n", out);
    bool written = !ferror(out);
    if (fclose(out) != 0 || !written)
        gn_fail(GN_E_IO, "report", "%s: can't be written: %s", path, strerror(errno));
    return gn_error_status();
}
